"""Services and fixtures that every test may use.

PostgreSQL and Valkey start once for the whole run (see `bridge.embedded.testing`), unless DATABASE_URL, BROKER_URL
and CACHE_URL name others. Tests marked `rabbitmq`, `redis` or `chromium` run where those are found, and the summary
says so when they are not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from bridge.embedded.testing import TestServices, reserve
from tests import flushing, outside

_services = pytest.StashKey[TestServices]()


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    valkey = not (os.environ.get("BROKER_URL") and os.environ.get("CACHE_URL"))
    services = TestServices(reserve(), postgres=not os.environ.get("DATABASE_URL"), valkey=valkey)
    session.config.stash[_services] = services
    try:
        services.start()
    except BaseException:
        services.stop()
        raise


def pytest_unconfigure(config: pytest.Config) -> None:
    if services := config.stash.get(_services, None):
        services.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what wants a service that is not here."""
    for item in items:
        for name, service in outside.SERVICES.items():
            if item.get_closest_marker(name) and service.address is None:
                item.add_marker(pytest.mark.skip(reason=service.absent))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("outside services")
    for name, service in outside.SERVICES.items():
        terminalreporter.write_line(f"{name}: {'found at ' + service.shown if service.address else service.absent}")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """After the migrations, keep a copy of the rows that they made, and flush our way from then on."""
    with django_db_blocker.unblock():
        flushing.install()


@pytest.fixture
def empty_cache() -> Iterator[None]:
    """A cache without yesterday's balances."""
    from django.core.cache import cache

    cache.clear()
    yield
    cache.clear()


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """Of a real RabbitMQ; mark the test `rabbitmq`. Delete the queues that the test declares."""
    return outside.SERVICES["rabbitmq"].needed()


@pytest.fixture(scope="session")
def redis_url() -> str:
    """Of a real Redis, a database that tests may use; mark the test `redis`. Delete only what the test made."""
    return outside.SERVICES["redis"].needed()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program; mark the test `chromium`. Give it to playwright as `executable_path`, with `--no-sandbox`."""
    return outside.SERVICES["chromium"].needed()
