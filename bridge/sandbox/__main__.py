"""`python -m bridge.sandbox --port P --state DIR --callback-url URL`: the sandbox bank as a process."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import sys
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread

from bridge.sandbox.server.app import App
from bridge.sandbox.server.desk import Desk, StateInUse
from bridge.sandbox.server.http import BankServer
from bridge.sandbox.server.routes import ROUTES
from bridge.sandbox.server.sender import Background
from bridge.sandbox.wire import Credentials, derive_credentials

SECRET_VARIABLE = "BRIDGE_SANDBOX_SECRET"  # noqa: S105


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit 0 after a clean stop, 2 when it cannot start."""
    options = _options(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        desk = Desk(options.state, seed=options.seed)
        master = os.environ.get(SECRET_VARIABLE) or _kept_secret(options.state)

        @lru_cache
        def credentials(principal: str) -> Credentials:
            return derive_credentials(master, principal)

        server = BankServer((options.host, options.port), App(desk, ROUTES, credentials))
    except (StateInUse, OSError) as error:
        print(f"The sandbox bank cannot start: {error}", file=sys.stderr)
        return 2
    background = Background(desk, options.callback_url, credentials)
    background.start()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"sandbox bank listening on http://{options.host}:{server.server_port}", flush=True)
    stop.wait()
    server.shutdown()
    background.stop()
    desk.close()
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bridge.sandbox", description="The sandbox bank.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--state", type=Path, required=True, help="directory of the store; made when missing")
    parser.add_argument("--callback-url", default="", help="callbacks go to URL/{institution}; without it none is sent")
    parser.add_argument("--seed", default="0", help="seed of faults with a probability")
    return parser.parse_args(argv)


def _kept_secret(state: Path) -> str:
    """The master secret in the state directory, made on the first start, readable by its owner only."""
    path = state / "secret"
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text().strip()


if __name__ == "__main__":
    raise SystemExit(main())
