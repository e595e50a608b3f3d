"""A record of `logging` as an OTLP LogRecord, read by the official protobuf classes."""

from __future__ import annotations

import logging
import math
import os
from collections import namedtuple
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common._internal import _encode_value
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from clarity_otel import _native
from clarity_otel.logs import otlp
from tests.logs_otlp.conftest import Records, ToPipeline

Loggers = Callable[..., logging.Logger]
MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_a_record_says_where_when_and_what(records: Records, logger: Loggers) -> None:
    """Times, severity, body, scope and the place in the code are the record's."""
    log = logger()
    made: list[logging.LogRecord] = []
    log.addFilter(lambda record: made.append(record) or True)
    log.warning("order %d of %s", 7, "ann")
    record = records.one()
    assert record.body == "order 7 of ann"
    assert (record.severity_text, record.severity_number) == ("WARNING", 13)
    assert abs(record.time_ns - made[0].created * 1e9) < 1000
    assert 0 <= record.observed_ns - record.time_ns < 60e9
    assert record.scope_name == "app.orders"
    assert record.attributes == {
        "code.file.path": __file__,
        "code.function.name": "test_a_record_says_where_when_and_what",
        "code.line.number": made[0].lineno,
    }
    assert (record.trace_id, record.span_id, record.flags) == ("", "", 0)


@pytest.mark.parametrize(
    ("level", "number"),
    [
        *((5, "TRACE"), (10, "DEBUG"), (15, "DEBUG4"), (20, "INFO"), (21, "INFO2"), (25, "INFO4")),
        *((30, "WARN"), (40, "ERROR"), (50, "FATAL"), (51, "FATAL2"), (99, "FATAL4")),
    ],
)
def test_levels_become_the_data_models_numbers(
    level: int, number: str, records: Records, logger: Loggers
) -> None:
    """Also those between two standard levels; Python's twin says the same."""
    log = logger()
    log.setLevel(1)
    log.log(level, "x")
    expected = SeverityNumber.Value(f"SEVERITY_NUMBER_{number}")
    assert records.one().severity_number == expected == otlp.severity_number(level)


def test_a_record_carries_its_span(records: Records, logger: Loggers) -> None:
    """Also where the span has ended but is current still, as when a handler fails."""
    tracer = trace.get_tracer("tests.logs")
    log = logger()
    with tracer.start_as_current_span("request") as span:
        log.info("inside")
        span.end()
        log.info("ended")
    log.info("outside")
    inside, ended, outside = records.all()
    context = span.get_span_context()
    for record in (inside, ended):
        assert record.trace_id == f"{context.trace_id:032x}"
        assert record.span_id == f"{context.span_id:016x}"
        assert record.flags == int(context.trace_flags)
        assert record.attributes["correlation.id"] == record.trace_id
    assert outside.trace_id == outside.span_id == ""
    assert "correlation.id" not in outside.attributes


def test_ids_noted_on_the_record_count(records: Records, logger: Loggers) -> None:
    """A server's line after the request is made without a current span: it carries the ids."""
    ids = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
    logger().info("GET / 200", extra={**ids, "correlation_id": "abc"})
    logger().info("no span", extra=dict.fromkeys(otlp.IDS, ""))
    logger().info("own", extra={"trace_id": "mine"})
    noted, without, own = records.all()
    assert (noted.trace_id, noted.span_id) == (ids["trace_id"], ids["span_id"])
    assert noted.attributes["correlation.id"] == "abc"
    assert not set(otlp.IDS) & {*noted.attributes, *without.attributes}
    assert own.attributes["trace_id"] == "mine"


def test_an_exception_is_in_three_attributes(records: Records, logger: Loggers) -> None:
    """Type, message and stack trace, chained ones included; all of them masked."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("password=hunter2hunter2 is wrong") from inner
    except ValueError:
        logger().exception("failed")
    record = records.one()
    assert record.body == "failed"
    assert record.attributes["exception.type"] == "ValueError"
    assert "[masked:" in str(record.attributes["exception.message"])
    stack = str(record.attributes["exception.stacktrace"])
    assert "KeyError: 'inner'" in stack
    assert "direct cause" in stack
    assert "hunter2" not in repr(record)


def test_extra_fields_keep_their_types(records: Records, logger: Loggers) -> None:
    """What OTLP knows stays what it is; what it does not know is its text."""

    class Money:
        def __str__(self) -> str:
            return "5 EUR"

    extra = {
        "text": "é\n\u2028😀",
        "lone": "a\ud800b",
        "count": -(2**63),
        "huge": 2**64,
        "ratio": math.pi,
        "flag": True,
        "none": None,
        "raw": b"\x00\xff",
        "items": [1, "b", None, [2.5]],
        "nested": {"a": {"b": (1, 2)}},
        "money": Money(),
        "bad": type("Bad", (), {"__str__": lambda self: 1 / 0})(),
    }
    logger().info("x", extra=extra)
    attributes = records.one().attributes
    expected = {
        **extra,
        "lone": "a\ufffd\ufffd\ufffdb",
        "huge": str(2**64),
        "nested": {"a": {"b": [1, 2]}},
        "money": "5 EUR",
        "bad": None,
    }
    for key, value in expected.items():
        assert attributes[key] == value, key
        assert type(attributes[key]) is type(value)


def test_every_text_is_masked(records: Records, logger: Loggers) -> None:
    """Message, arguments, extra fields at any depth and under a secret's key, numbers, bytes."""
    secret, mail, card = "hunter2hunter2", "ann@example.com", 4111111111111111
    logger("app").warning(
        "login of %s password=%s",
        mail,
        secret,
        extra={
            "user": {"password": secret, "mail": [mail, {"card": card}]},
            "token": {"anything": secret},
            "card": card,
            "blob": f"mail {mail}".encode(),
        },
        stack_info=False,
    )
    logger("app").info({"event": "login", "password": secret})
    logger(f"worker of {mail}").info("x")
    text = repr(records.raw()) + repr(records.scopes())
    for forbidden in (secret, mail, str(card)):
        assert forbidden not in text
    assert text.count("[masked:") >= 9


def test_a_neighbour_tells_that_a_value_is_secret(records: Records, logger: Loggers) -> None:
    """Headers as pairs, options, named values and named tuples are masked too."""
    login = namedtuple("login", "user password")
    extra = {
        "headers": [(b"cookie", b"a=hunter2"), ["authorization", "Bearer hunter2"]],
        "argv": ["app", "--password", "hunter2", "-v"],
        "form": [{"name": "password", "value": "hunter2"}],
        "call": {"auth": ("ann", "hunter2")},
        "login": login("ann", "hunter2"),
    }
    logger().info("x", extra=extra)
    record = records.one()
    assert "hunter2" not in repr(records.raw())
    assert record.attributes["argv"] == ["app", "--password", "[masked:password]", "-v"]
    assert record.attributes["login"] == ["ann", "[masked:password]"]


def test_a_dict_for_a_message_keeps_its_form(records: Records, logger: Loggers) -> None:
    """The body is any value: a structured message stays structured."""
    logger().info({"event": "paid", "amount": 5})
    assert records.one().body == {"event": "paid", "amount": 5}


def test_arguments_that_do_not_fit_leave_the_template(records: Records, logger: Loggers) -> None:
    """logging reports the mistake itself; the record arrives all the same."""
    logger().info("%d items", "no number")
    assert records.one().body == "%d items"


def test_a_record_is_bounded(records: Records, logger: Loggers) -> None:
    """Long texts are cut with a mark, attributes beyond 256 KiB or the limit are counted."""
    logger().info("a" * 1_000_000, extra={f"k{n}": "b" * 50_000 for n in range(10)})
    logger().info("x", extra={f"k{n}": n for n in range(200)})
    large, many = records.all()
    assert isinstance(large.body, str)
    assert len(large.body) < 33_000
    assert "more characters]" in large.body
    assert large.dropped_attributes > 0
    assert len(records.raw()[0].SerializeToString()) <= 256 * 1024 + 100
    assert (len(many.attributes), many.dropped_attributes) == (128, 75)


def test_loggers_without_end_do_not_grow_scopes_without_end(
    records: Records, logger: Loggers
) -> None:
    """An app that makes a logger for each request gets its name in an attribute."""
    for number in range(700):
        logger(f"request.{number}").info("x")
    found = records.all()
    names = {record.scope_name or record.attributes["log.logger"] for record in found}
    assert names == {f"request.{number}" for number in range(700)}
    assert len({record.scope_name for record in found}) <= 501


def test_a_silenced_logger_stays_silent(records: Records) -> None:
    """`propagate = False` without a handler is how apps switch a library off."""

    def emits(*, own: list[logging.Handler], propagate: bool, parents: list[Any]) -> bool:
        parent = ToPipeline("parent", logging.DEBUG)
        parent.parent, parent.propagate = logging.getLogger(), False
        parent.handlers = parents
        child = ToPipeline("parent.child", logging.DEBUG)
        child.parent, child.propagate, child.handlers = parent, propagate, own
        before = len(records.all())
        child.info("x")
        sent = len(records.all()) > before
        assert sent is not otlp.is_silenced(child)
        return sent

    stream, null = logging.StreamHandler(), logging.NullHandler()
    assert not emits(own=[], propagate=False, parents=[stream])
    assert not emits(own=[null], propagate=False, parents=[])
    assert not emits(own=[], propagate=True, parents=[null])
    assert emits(own=[], propagate=True, parents=[stream])
    assert emits(own=[stream], propagate=False, parents=[])


def test_a_record_made_by_encoding_another_is_counted_and_does_not_loop(
    records: Records, logger: Loggers
) -> None:
    """A `__str__` that logs would make records without end."""
    log = logger()

    class Loud:
        def __str__(self) -> str:
            log.info("asked", extra={"loud": self})
            return "loud"

    before = _native.stats()["logs.internal"]
    log.info("x", extra={"loud": Loud()})
    record = records.one()
    assert (record.body, record.attributes["loud"]) == ("x", "loud")
    assert _native.stats()["logs.internal"] == before + 1


def test_counters_add_up(records: Records, logger: Loggers) -> None:
    """Of each record it is known what became of it."""
    before = _native.stats()
    for _ in range(10):
        logger().info("x")
    after = _native.stats()
    assert after["logs.made"] == before["logs.made"] + 10
    assert after["logs.waiting"] == 10
    records.all()
    assert _native.stats()["logs.exported"] == before["logs.exported"] + 10
    assert _native.stats()["made"] == before["made"]


_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters(exclude_categories=[]), max_size=40)
    | st.binary(max_size=40)
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4)
    ),
)


def _expected(value: Any) -> Any:
    if isinstance(value, str):
        # Three bytes of a lone surrogate, none of which is UTF-8.
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, list):
        return [_expected(item) for item in value]
    return value


@MANY
@given(value=_scalars | st.lists(_scalars, max_size=5))
def test_any_value_arrives_as_what_it_is_or_masked(
    value: Any, records: Records, logger: Loggers
) -> None:
    """The official classes read each record; what no rule masks is equal, type included."""
    records.requests().clear()
    logger().info("x", extra={"value": value})
    got = records.one().attributes["value"]
    if "[masked:" not in repr(got):
        expected = _expected(value)
        assert got == expected
        assert type(got) is type(expected)


@MANY
@given(message=st.text(alphabet=st.characters(exclude_categories=[])), value=_values)
def test_any_record_can_be_read(
    message: str, value: Any, records: Records, logger: Loggers
) -> None:
    """No text, nesting or size makes a message that the official classes refuse."""
    records.requests().clear()
    logger().info(message, extra={"value": value, "key " + message[:20] or "k": value})
    logger().info("%s", value)
    assert len(records.all()) == 2
    for record in records.raw():
        assert record.SerializeToString()


def test_a_forked_child_has_an_empty_pipeline(records: Records, logger: Loggers) -> None:
    """What waits in the parent is the parent's; the child counts from zero."""
    log = logger()
    log.info("parent")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        log.info("child")
        stats = _native.stats()
        os.write(write, f"{stats['logs.made']} {stats['logs.waiting']}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 100) == b"1 1"
    assert records.one().body == "parent"


class Plain:
    """An object without a text of its own."""


@MANY
@given(
    value=st.recursive(
        _scalars | st.sampled_from([Decimal("1.50"), date(2026, 1, 2), Plain(), {1}]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_no_value_costs_the_sdks_exporter_its_batch(value: Any) -> None:
    """What it cannot encode (it would lose all records of a request) is text by then."""
    for message in ({"event": "x", "value": value}, value):
        record = logging.makeLogRecord({"msg": message, "value": value})
        body, attributes = otlp.body_of(record), otlp.attributes_of(record, None)
        _encode_value(body).SerializeToString()
        _encode_value(attributes).SerializeToString()
    # Python refuses to write it out.
    assert otlp.body_of(logging.makeLogRecord({"msg": 10**5000})) == "[str() raised ValueError]"
