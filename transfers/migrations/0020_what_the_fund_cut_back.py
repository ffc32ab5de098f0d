"""A transfer knows how much of what was asked for the fund itself took off. For what is under way it is what the
withdrawal was ordered for less; a cut made later is not known, and people look where it matters."""

from __future__ import annotations

from django.db import migrations, models

UNDER_WAY = """
    UPDATE transfers_transfer AS t SET cut_back = t.requested_amount - ordered.amount
    FROM (
        SELECT c.id, coalesce(min(i.amount), c.amount) AS amount
        FROM transfers_transfer AS c
        LEFT JOIN transfers_bankinstruction AS i ON i.transfer_id = c.id AND i.kind = 'withdrawal'
        WHERE c.requested_amount > c.amount AND c.split_from_id IS NULL
            AND c.state IN ('in_review', 'approved', 'withdrawing', 'withdrawn', 'depositing')
        GROUP BY c.id
    ) AS ordered
    WHERE t.id = ordered.id AND t.requested_amount > ordered.amount
"""


class Migration(migrations.Migration):
    dependencies = [("transfers", "0019_one_statement_a_day")]

    operations = [
        migrations.AddField(
            "transfer",
            "cut_back",
            models.BigIntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="What the fund itself took off the amount, in minor units.",
            ),
        ),
        migrations.RunSQL(UNDER_WAY, migrations.RunSQL.noop),
    ]
