"""The line of an event: its fields, its escapes, its bounds; both formatters alike."""

from __future__ import annotations

import dataclasses
import enum
import json
import logging
from collections import namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarity_otel import _native
from clarity_otel.logs import exceptions, limits, line
from clarity_otel.logs.event import Event
from tests.logs.conftest import SERVICE, of_event, of_record, with_extra

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def _record(message: Any, *args: Any, **attributes: Any) -> logging.LogRecord:
    made = logging.LogRecord("shop.orders", logging.INFO, "shop.py", 7, message, args, None)
    made.__dict__.update(attributes)
    return made


def test_names_and_order_are_the_documented_ones() -> None:
    """A line's fields come in one order, whatever was logged."""
    event = Event(
        1_735_689_599.5,
        "ERROR",
        "shop.orders",
        "no stock",
        ids=(TRACE, SPAN, "order-7"),
        exception=("KeyError", "'x'", "Traceback"),
        stack="Stack",
        extra={"order": 7},
        error="late",
    )
    assert _native.log_event(event) == (
        '{"timestamp":"2024-12-31T23:59:59.500000Z","level":"ERROR","logger":"shop.orders"'
        ',"message":"no stock","service":"shop","correlation_id":"order-7"'
        f',"trace_id":"{TRACE}","span_id":"{SPAN}","exception.type":"KeyError"'
        ',"exception.message":"\'x\'","exception.stacktrace":"Traceback","stack":"Stack"'
        ',"logging_error":"late","extra":{"order":7}}'
    )
    of_event(event)


def test_a_plain_record_needs_no_more_than_its_call() -> None:
    """Arguments are filled in, extra fields stand below `extra`."""
    line = of_record(_record("order %s of %s", 7, "Ann", order=7))
    assert line["message"] == "order 7 of Ann"
    assert line["logger"] == "shop.orders"
    assert line["extra"] == {"order": 7}
    assert "trace_id" not in line


def test_ids_on_the_record_are_the_lines() -> None:
    """What was noted on the record is the line's, and is no extra field."""
    line = of_record(_record("x", trace_id=TRACE, span_id=SPAN, correlation_id="order-7"))
    assert (line["trace_id"], line["span_id"], line["correlation_id"]) == (TRACE, SPAN, "order-7")
    assert "extra" not in line


def test_an_apps_own_trace_id_that_is_none_stays_an_extra_field() -> None:
    """extra={"trace_id": "mine"} is no id, and is not lost."""
    line = of_record(_record("x", trace_id="mine"))
    assert line["extra"] == {"trace_id": "mine"}
    assert "trace_id" not in line


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines\r\n",
        'tab\tquote"back\\slash',
        "\x00\x1b[31mred\x7f\x9b",
        "next\x85line\u2028separator\u2029",
        "é…€🙂\ufffd",
    ],
)
def test_any_text_is_one_line_and_comes_back(text: str) -> None:
    """No text ends the line or moves a terminal, and parsing gives it back."""
    assert of_record(_record(text))["message"] == text


def test_lone_surrogates_are_replaced() -> None:
    """What UTF-8 cannot write becomes U+FFFD, in messages, values and keys."""
    assert of_record(_record("a\ud800b"))["message"] == "a\ufffdb"
    assert with_extra(**{"k\udfff": "\udc00"}) == {"k\ufffd": "\ufffd"}


def test_a_message_that_does_not_fit_its_arguments_says_so() -> None:
    """The line comes all the same, with the template and what went wrong where."""
    line = of_record(_record("%d of %d", "x"))
    assert line["message"] == "%d of %d"
    assert line["logging_error"].startswith("TypeError: ")
    assert line["logging_error"].endswith("(shop.py:7)")


def test_without_raise_exceptions_no_more_is_said_than_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """logging.raiseExceptions = False keeps the details from the log."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    line = of_record(_record("%d", "x"))
    assert line["logging_error"] == "the message and its arguments do not fit"


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_objects_without_a_text_do_not_lose_the_line() -> None:
    """A message or value whose `__str__` raises is named by its type."""
    assert of_record(_record(Hostile()))["message"] == "[str() raised RuntimeError]"
    assert with_extra(x=Hostile())["x"] == "[not serialisable: Hostile, RuntimeError]"


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    secret: str = dataclasses.field(default="hidden", repr=False)


class Model(pydantic.BaseModel):
    name: str
    key: pydantic.SecretStr
    hidden: str = pydantic.Field(default="hidden", repr=False)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**64, str(2**64)),
        (1.5, 1.5),
        (1e300, 1e300),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (b"caf\xc3\xa9\xff", "café\\xff"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("/a/b"), "/a/b"),
        (ValueError("no"), "ValueError: no"),
        (KeyError, "builtins.KeyError"),
        (Colour.RED, "red"),
        (Number.ONE, 1),
        ((1, [2, {"a": 3}]), [1, [2, {"a": 3}]]),
        ({3}, [3]),
        ({1: "a", None: "b"}, {"1": "a", "None": "b"}),
        (Point(1), {"x": 1}),
        (Model(name="n", key="k"), {"name": "n", "key": "**********"}),
        (SimpleNamespace(a=1), "namespace(a=1)"),
        (10**5000, "[not serialisable: int, ValueError]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_keep_their_type_and_shape_where_json_has_it(value: Any, written: Any) -> None:
    """Each type has one form, and none loses the line."""
    assert with_extra(value=value) == {"value": written}


def test_a_cycle_ends() -> None:
    """A container that holds itself is cut at the depth limit."""
    loop: dict[str, Any] = {}
    loop["again"] = loop
    assert limits.TOO_DEEP in json.dumps(with_extra(loop=loop))


def test_sizes_are_bounded_and_the_cut_is_marked() -> None:
    """Long texts, many items and many large fields end, and say what is missing."""
    line = of_record(_record("é" * (limits.MESSAGE_LIMIT + 3), text="x" * (limits.VALUE_LIMIT + 2)))
    assert line["message"].endswith("…[cut: 3 more characters]")
    assert line["extra"]["text"].endswith("…[cut: 2 more characters]")
    many = with_extra(items=list(range(1000)), table={f"k{n}": n for n in range(1000)})
    assert many["items"][-1] == f"[cut: {1000 - limits.ITEMS_LIMIT} more]"
    assert many["table"][limits.REST] == f"[cut: {1000 - limits.ITEMS_LIMIT} more]"
    large = with_extra(**{f"field{chr(97 + n)}": "x" * limits.VALUE_LIMIT for n in range(20)})
    assert large[limits.REST].startswith("[cut: ")
    assert len(json.dumps(large)) < 2 * limits.EXTRA_LIMIT


def test_a_long_stack_trace_keeps_both_its_ends() -> None:
    """The outermost and the innermost frames are what is looked for."""
    stack = "first" + "x" * limits.STACKTRACE_LIMIT + "last"
    line = of_event(Event(1.0, "ERROR", "shop", "x", exception=(None, None, stack)))
    cut = line["exception.stacktrace"]
    assert cut.startswith("first")
    assert cut.endswith("last")
    assert "…[cut: 9 characters]…" in cut


def _raised(make: Any) -> Any:
    try:
        make()
    except BaseException as exception:
        return type(exception), exception, exception.__traceback__
    raise AssertionError("nothing was raised")


def _chained() -> None:
    try:
        {}["x"]
    except KeyError as cause:
        raise ValueError("no such order") from cause


def _grouped() -> None:
    raise ExceptionGroup("two", [ValueError("first"), KeyError("second")])


def _hostile() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    raise HostileError


def _recursive() -> None:
    _recursive()


def test_exceptions_are_three_texts() -> None:
    """Type with its module, message, and the stack trace with its chain."""
    kind, message, stack = exceptions.parts(_raised(_chained)) or ()
    assert (kind, message) == ("ValueError", "no such order")
    assert "KeyError: 'x'" in stack
    assert "direct cause" in stack
    assert "first" in (exceptions.parts(_raised(_grouped)) or ())[2]


def test_hostile_exceptions_do_not_lose_the_line() -> None:
    """A `__str__` that raises and an endless recursion are told of."""
    made = _record("x", exc_info=_raised(_hostile))
    assert of_record(made)["exception.message"] == "[str() raised RuntimeError]"
    made = _record("x", exc_info=_raised(_recursive))
    assert "maximum recursion depth" in of_record(made)["exception.message"]


def test_an_empty_exc_info_is_no_exception() -> None:
    """exc_info=True outside of an except block is (None, None, None)."""
    assert "exception.type" not in of_record(_record("x", exc_info=(None, None, None)))


def test_a_dict_for_a_message_becomes_fields() -> None:
    """Apps that log dicts keep their fields; the message is the one under a usual key."""
    line = of_record(_record({"event": "placed", "order": 7}))
    assert (line["message"], line["extra"]) == ("placed", {"order": 7})


Login = namedtuple("Login", "user password")
M_COOKIE, M_AUTH = "[masked:cookie]", "[masked:authorization]"
M_TOKEN, M_PASSWORD = "[masked:token]", "[masked:password]"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ([(b"cookie", b"a=hunter2"), (b"host", b"x")], [["cookie", M_COOKIE], ["host", "x"]]),
        ([["authorization", "Bearer hunter2"]], [["authorization", M_AUTH]]),
        (["app", "--token", "hunter2", "-v"], ["app", "--token", M_TOKEN, "-v"]),
        ({"name": "password", "value": "hunter2"}, {"name": "password", "value": M_PASSWORD}),
        ({"Key": "token", "Value": b"hunter2"}, {"Key": "token", "Value": M_TOKEN}),
        ({"auth": ("ann", "hunter2")}, {"auth": ["ann", M_PASSWORD]}),
        (Login("ann", "hunter2"), {"user": "ann", "password": M_PASSWORD}),
        (["password", "email"], ["password", "email"]),
    ],
)
def test_a_neighbour_tells_that_a_value_is_secret(value: Any, written: Any) -> None:
    """Headers as pairs, options, named values: masked as `mask_value` masks them."""
    assert with_extra(seen=value) == {"seen": written}


def test_names_of_loggers_and_levels_are_masked() -> None:
    """A logger for each user has the user's address in its name."""
    event = Event(1.0, "TO ann@example.com", "worker.ann@example.com", "x")
    assert [of_event(event)[name] for name in ("level", "logger")] == [
        "TO [masked:email]",
        "[masked:email]",
    ]


texts = st.text(st.characters(exclude_categories=()), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(texts, st.dictionaries(texts, values, max_size=4), st.floats(0, 4e9))
def test_both_formatters_write_the_same(message: str, extra: dict[str, Any], when: float) -> None:
    """Whatever the content, the native line is its twin's, and valid."""
    of_event(Event(when, "INFO", "shop", message, extra=extra))


def test_the_service_is_escaped_too() -> None:
    """A quote in the service's name breaks no line."""
    assert json.loads(line.encode(Event(1.0, "INFO", "x", "y"), 'a"b'))["service"] == 'a"b'
    assert SERVICE == "shop"
