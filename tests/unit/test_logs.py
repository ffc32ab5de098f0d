"""What a fault leaves in the log: where it happened, never what was in the variables there."""

from __future__ import annotations

import io
import logging
import logging.config

import pytest

from bridge.settings.logs import logging_config


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_tells_lines_and_no_values(as_json: bool) -> None:
    made = logging_config(level="INFO", as_json=as_json)["formatters"]["structured"]
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(made.pop("()")(**made))
    logger = logging.Logger("test")
    logger.addHandler(handler)

    _fail(logger, "very" + "-" + "secret")

    told = written.getvalue()
    assert "ZeroDivisionError" in told
    assert "in _fail" in told
    assert "very-secret" not in told


def _fail(logger: logging.Logger, token: str) -> None:
    try:
        len(token) / 0
    except ZeroDivisionError:
        logger.exception("it failed")
