"""The table of work is empty one moment and full the next. Vacuum would give its pages back in between, for which it
locks everybody out, and plans made then would take the table for one that has no pages."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("transfers", "0014_one_index_of_keys")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE transfers_work SET (vacuum_truncate = off)",
            "ALTER TABLE transfers_work RESET (vacuum_truncate)",
        ),
    ]
