"""Values that a call names are known by their names, wherever they are filled in."""

from __future__ import annotations

import logging
from collections import UserDict
from collections.abc import Callable
from pathlib import Path

import pytest

from clarity_otel import guard
from clarity_otel.logs import arguments, loguru_calls
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.logs.conftest import ENGINES, Output

SECRET = "hunter2secret"
CALLS = f"""
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s",
                    handlers=[logging.StreamHandler(), logging.FileHandler("app.log")])
given = {{"user": "ann", "password": "{SECRET}", "pin": 4921}}
logging.info("%(user)s, %(password)s, %(pin)d", given)
assert given["password"] == "{SECRET}"
from loguru import logger
logger.remove()
logger.add("app.log", format="{{message}}, in {{function}}")
def place():
    logger.info("{{user}}, {{password}}, {{pin:04d}}", **given)
    logger.opt(lazy=True).info("{{password}}", password=lambda: "{SECRET}")
place()
"""
COLOURED = 'logger.opt(colors=True).info("<red>{user}</red>, {password}", **given)'
MASKED = [
    "ann, [masked:password], 0",
    "ann, [masked:password], 0000, in place",
    "[masked:password], in place",
    "ann, [masked:password], in <module>",
]


@pytest.mark.parametrize("engine", ENGINES)
def test_named_arguments_are_masked_by_their_names(
    engine: str, run_program: Callable[..., Output], tmp_path: Path
) -> None:
    """In lines and files, of `logging` and of loguru; what the app holds stays."""
    output = run_program(CALLS + COLOURED, engine=engine)
    assert output.messages() == MASKED[:1]
    assert (tmp_path / "app.log").read_text().splitlines() == MASKED
    assert output.stdout == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_sent_is_masked_where_lines_are_left_alone(
    engine: str,
    run_program: Callable[..., Output],
    otlp_http_stub: Callable[..., OtlpHttpStub],
    tmp_path: Path,
) -> None:
    """CLARITY_LOGS=off: the app writes what it wrote, and OTLP has no secret."""
    stub = otlp_http_stub()
    sent = {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint}
    run_program(CALLS, engine=engine, env={"CLARITY_LOGS": "off", **sent})
    assert (tmp_path / "app.log").read_text().count(SECRET) == 3
    bodies = b"".join(request.body for request in stub.requests)
    assert b"ann, [masked:password], 0000" in bodies
    assert SECRET.encode() not in bodies


def test_a_mapping_that_makes_its_values_is_asked_for_each() -> None:
    """Access logs have a dict that answers names which it does not hold."""

    class Atoms(UserDict[str, str]):
        def __missing__(self, name: str) -> str:
            return SECRET

    told = arguments.masked(Atoms(h="127.0.0.1"))
    record = logging.makeLogRecord({"msg": "%(h)s %({authorization}i)s", "args": told})
    assert record.getMessage() == "127.0.0.1 [masked:authorization]"
    assert str(told) == "{'h': '127.0.0.1'}"
    assert list(told) == ["h"]
    assert len(told) == 1


def test_clean_arguments_are_the_same_object() -> None:
    """Nothing is copied where nothing is masked."""
    clean = {"order": 7}
    record = logging.makeLogRecord({"msg": "%(order)d", "args": clean})
    assert arguments.apart(record) is record
    assert arguments.masked(clean) is clean
    once = arguments.masked(UserDict(clean))
    assert arguments.masked(once) is once


def test_a_field_keeps_what_a_template_wants_of_it() -> None:
    """Attributes and items of an object, and a format of a number."""
    template = arguments.Template("{user.real} {tokens:03d} {pin:>6} {0}")
    assert template.format("x", user=7, tokens=5, pin=12345) == "7 005      0 x"
    for kind in (arguments.Template, arguments.QuietTemplate):
        assert kind("{self}").format(self=7) == "7"


def test_a_loguru_that_logs_otherwise_logs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its `_log` is private and may change: the call goes on as the app made it."""
    monkeypatch.setattr(guard, "_raises", False)
    seen: list[tuple[object, ...]] = []
    log = loguru_calls._make_log(arguments.Template, lambda self, *given: seen.append(given))
    log(None, "INFO", "a message")
    assert seen == [("INFO", "a message")]
    log(None, "INFO", False, (None, 1, "more"), "{pin}", (), {"pin": 1})
    level, _, options, message, *_ = seen[1]
    assert (level, options, message) == ("INFO", (None, 2, "more"), "{pin}")
    assert type(message) is arguments.Template
