"""Pages with room for the next version of a row: an update that stays on its page touches no index."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("funds", "0003_closings"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE funds_fundcapacity SET (fillfactor = 50)", "ALTER TABLE funds_fundcapacity RESET (fillfactor)"
        ),
        migrations.RunSQL(
            "ALTER TABLE funds_allocation SET (fillfactor = 70)", "ALTER TABLE funds_allocation RESET (fillfactor)"
        ),
        migrations.RunSQL(
            "ALTER TABLE funds_reservation SET (fillfactor = 70)", "ALTER TABLE funds_reservation RESET (fillfactor)"
        ),
    ]
