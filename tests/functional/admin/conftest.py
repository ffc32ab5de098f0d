from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from bridge.kernel.results import Role
from bridge.roles import ensure_groups
from tests import factories

BACKEND = "django.contrib.auth.backends.ModelBackend"


class Console:
    """A browser's session in the console. `user` is who signed in."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client()
        self.client.force_login(user, backend=BACKEND)

    def get(self, url: str, **query: str) -> str:
        """The page's text; it must be there."""
        answer = self.client.get(url, query)
        assert answer.status_code == 200, (url, answer.status_code)
        return answer.content.decode()

    def status(self, url: str) -> int:
        return self.client.get(url).status_code

    def post(self, url: str, data: dict[str, object]) -> str:
        """The page that the form leads to."""
        answer = self.client.post(url, data, follow=True)
        assert answer.status_code == 200, (url, answer.status_code)
        return answer.content.decode()


SignIn = Callable[..., Console]


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """`sign_in(Role.MAKER)`: a new login of the firm with that role."""
    ensure_groups()

    def make(*roles: Role, **fields: object) -> Console:
        return Console(factories.make_login(*roles, **fields))

    return make


@pytest.fixture
def superuser(db: None) -> Console:
    return Console(factories.make_login(is_staff=True, is_superuser=True))
