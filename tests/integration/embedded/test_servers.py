"""The embedded servers, started for real, each in a directory of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bridge.embedded import process
from bridge.embedded.locks import FileLock
from bridge.embedded.paths import CHECKOUT, EmbeddedError, Places, places
from bridge.embedded.postgres import Postgres, database_url
from bridge.embedded.secrets import local_secrets
from bridge.embedded.valkey import Valkey

_HOLDER = """
import sys, time
from pathlib import Path
from bridge.embedded.paths import places
from bridge.embedded.postgres import Postgres
from bridge.embedded.valkey import Valkey
here = places(Path(sys.argv[1]))
here.prepare()
servers = [Postgres(here, durable=False), Valkey(here, durable=False)]
for server in servers:
    server.start()
print(*(server.process.pid for server in servers), flush=True)
time.sleep(600)
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Places]:
    where = places(tmp_path / "state")
    where.prepare()
    yield where
    for folder in (where.data, where.sockets):
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def server(here: Places) -> Iterator[Postgres]:
    postgres = Postgres(here)
    postgres.start()
    yield postgres
    postgres.stop()


def test_a_row_survives_a_kill_of_the_server(here: Places, server: Postgres) -> None:
    with psycopg.connect(database_url(here), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.start()
    with psycopg.connect(database_url(here)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_data_of_another_major_version_is_refused_with_a_way_out(here: Places, server: Postgres) -> None:
    server.stop()
    (server.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 12.*make reset"):
        server.start()


def test_a_half_made_cluster_is_made_again(here: Places) -> None:
    half = here.data / "postgres.half"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    postgres = Postgres(here)
    postgres.start()
    assert postgres.answers()
    assert not half.exists()
    postgres.stop()


def test_a_stale_pid_file_that_names_a_stranger_harms_neither(here: Places, server: Postgres) -> None:
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    server.start()
    assert server.answers()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a child when its parent dies")
def test_no_server_outlives_a_killed_supervisor(here: Places) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(here.state)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    pids = [int(pid) for pid in holder.stdout.readline().split()]
    assert len(pids) == 2
    assert all(process.command_line(pid) for pid in pids)
    holder.kill()
    holder.wait()
    assert process.wait_until(lambda: not any(process.command_line(pid) for pid in pids), patience=10)


def test_valkey_keeps_its_messages_through_a_kill(here: Places) -> None:
    import redis

    valkey = Valkey(here)
    valkey.start()
    with redis.Redis(unix_socket_path=str(here.valkey_socket)) as client:
        client.config_set("appendfsync", "always")
        client.rpush("queue", "wake up")
    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait()
    valkey.start()
    with redis.Redis(unix_socket_path=str(here.valkey_socket)) as client:
        assert client.lrange("queue", 0, -1) == [b"wake up"]
    valkey.stop()


def test_two_checkouts_share_no_address(tmp_path: Path) -> None:
    one, other = places(tmp_path / "one" / ".local"), places(tmp_path / "other" / ".local")
    assert database_url(one) != database_url(other)
    assert {one.data, one.sockets}.isdisjoint({other.data, other.sockets})


def test_a_socket_path_fits_the_operating_system(tmp_path: Path) -> None:
    deep = places(tmp_path / ("long" * 40) / ".local")
    assert len(str(deep.postgres_socket / ".s.PGSQL.5432.lock")) < 100


def test_a_directory_made_by_somebody_else_is_refused(tmp_path: Path) -> None:
    where = places(tmp_path / "state")
    where.sockets.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedError, match="not a directory of ours"):
            where.prepare()
    finally:
        where.sockets.unlink()


def test_a_copied_state_directory_does_not_use_the_data_of_the_first(tmp_path: Path) -> None:
    copied = places(tmp_path / "copy")
    copied.state.mkdir()
    (copied.state / "data-dir").write_text(f"{tmp_path / 'first'}\n{tmp_path / 'first' / 'data'}\n")
    assert copied.data != tmp_path / "first" / "data"


def test_secrets_are_made_once_and_read_by_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    first = local_secrets(file)
    assert local_secrets(file) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert local_secrets(tmp_path / "other.json") != first


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.acquire()
    assert not other.acquire()
    one.release()
    assert other.acquire()
    other.release()
