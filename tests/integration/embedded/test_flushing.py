"""The database after a test that commits is the database after the migrations."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection

from tests import flushing

pytestmark = pytest.mark.django_db(transaction=True)


def test_rows_of_tests_go_and_rows_of_migrations_stay() -> None:
    permissions = set(Permission.objects.values_list("pk", "codename"))
    assert permissions
    User.objects.create(username="somebody")
    Permission.objects.all().delete()
    flushing.flush()
    assert not User.objects.exists()
    assert set(Permission.objects.values_list("pk", "codename")) == permissions


def test_append_only_tables_are_emptied_though_they_refuse_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE stone (id int)")
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'permanent'; END $$"
        )
        cursor.execute("CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON stone EXECUTE FUNCTION refuse()")
        cursor.execute("INSERT INTO stone VALUES (1)")
        try:
            flushing.flush()
            cursor.execute("SELECT count(*) FROM stone")
            assert cursor.fetchone() == (0,)
        finally:
            cursor.execute("DROP TABLE stone")
            cursor.execute("DROP FUNCTION refuse")
