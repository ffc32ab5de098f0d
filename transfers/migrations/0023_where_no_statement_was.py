"""A run of reconciliation keeps for which currencies it had no statement to compare the settlement account with. Runs
from before say nothing about it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transfers", "0022_last_line_validated")]

    operations = [
        migrations.AddField(
            model_name="reconciliationrun",
            name="unstated",
            field=models.JSONField(
                blank=True,
                db_default=[],
                default=list,
                help_text="Currencies whose settlement account moved on this day, and of which no statement of it was "
                "there.",
            ),
        ),
    ]
