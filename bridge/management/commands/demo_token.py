from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from knox.models import AuthToken

from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Role
from bridge.management.demo import data, logins
from bridge.roles import PEOPLE


class Command(BaseCommand):
    help = "Print a bearer token of a demo login and nothing else. Embedded sandbox only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", metavar="ROLE", help=", ".join(map(str, PEOPLE)))
        parser.add_argument("--index", type=int, default=0, metavar="I", help="which login of that role, from 0 (0)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            data.require_sandbox()
        except BridgeError as error:
            raise CommandError(error.detail) from error
        if options["role"] not in map(str, PEOPLE):
            raise CommandError(f"There is no role {options['role']!r}. There are: {', '.join(map(str, PEOPLE))}.")
        found = logins.with_role(Role(options["role"]))
        index = options["index"]
        if not 0 <= index < len(found):
            raise CommandError(
                f"There are {len(found)} demo logins with the role {options['role']}: --index is 0 to {len(found) - 1}."
            )
        try:
            user = User.objects.filter(username=found[index].username).first()
        except DatabaseError as error:
            raise CommandError("The database does not answer. Start Bridge first: make run.") from error
        if user is None:
            raise CommandError("There is no demo data yet: manage.py demo_data makes it.")
        _, token = AuthToken.objects.create(user)
        self.stdout.write(token)
