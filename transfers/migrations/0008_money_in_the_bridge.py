from django.db import migrations, models


def since(apps, schema_editor):
    """What is with us now has been since it was withdrawn, as far as the row tells."""
    transfers = apps.get_model("transfers", "Transfer").objects
    moving = ["withdrawn", "depositing", "refunding", "frozen"]
    transfers.filter(state__in=moving).update(bridge_since=models.F("withdrawn_at"))


class Migration(migrations.Migration):
    dependencies = [("transfers", "0007_controls")]

    operations = [
        migrations.AddField(
            model_name="transfer",
            name="bridge_since",
            field=models.DateTimeField(
                blank=True,
                help_text="Since when its money is with us without a break; empty while it is not.",
                null=True,
            ),
        ),
        migrations.RunPython(since, migrations.RunPython.noop),
    ]
