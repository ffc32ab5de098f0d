"""Pages with room for the next version of a row: an update that stays on its page touches no index."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_rail"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE accounts_investoraccount SET (fillfactor = 70)",
            "ALTER TABLE accounts_investoraccount RESET (fillfactor)",
        ),
    ]
