"""Reads the two largest tables while others write: on its own, so that no lock is held meanwhile."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("transfers", "0021_last_line"),
    ]

    operations = [
        ValidateConstraint(model_name="bankinstruction", name="instruction_ended_as_it_says"),
        ValidateConstraint(model_name="transfer", name="transfer_family_begins_with_one"),
    ]
