"""The demo says what is missing: its checks cannot pass on half a trace."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from clarity_otel.bench.receiver import ReceivedSpan
from examples.demo.checks import complaints, traces
from examples.demo.tree import draw

SERVER = ReceivedSpan(
    service="shop",
    name="GET /order",
    kind="server",
    trace_id="a" * 32,
    span_id="1" * 16,
    parent_id="",
    start_ns=0,
    end_ns=10_000_000,
    attributes={"url.path": "/order"},
    error=False,
)


def child(number: int, name: str, **attributes: str) -> ReceivedSpan:
    """A client span below SERVER."""
    named = {key.replace("_", "."): value for key, value in attributes.items()}
    return replace(
        SERVER,
        name=name,
        kind="client",
        span_id=str(number) * 16,
        parent_id=SERVER.span_id,
        attributes=named,
    )


ORDER = [
    child(2, "GET", db_system_name="redis"),
    child(3, "INCRBY", db_system_name="redis"),
    child(4, "GET", http_request_method="GET"),
    child(5, "DynamoDB.GetItem", rpc_service="DynamoDB"),
]


def test_whole_traces_leave_nothing_to_say() -> None:
    """One order with its four calls is complete, in whatever order spans arrive."""
    found = traces([*reversed(ORDER), SERVER], "shop")
    assert complaints(found, {"/order": 1}) == []


@pytest.mark.parametrize(
    ("lost", "words"), [(0, "1 redis"), (2, "1 http"), (3, "1 dynamodb")], ids=str
)
def test_a_missing_child_is_named(lost: int, words: str) -> None:
    """Each kind of child that does not arrive is in the sentence."""
    spans = [SERVER, *(span for number, span in enumerate(ORDER) if number != lost)]
    [sentence] = complaints(traces(spans, "shop"), {"/order": 1})
    assert words in sentence


def test_an_orphan_does_not_count_as_a_child() -> None:
    """A call made in the executor that lost its parent is missing below the request."""
    orphan = replace(ORDER[3], trace_id="b" * 32, parent_id="")
    [sentence] = complaints(traces([SERVER, *ORDER[:3], orphan], "shop"), {"/order": 1})
    assert "1 dynamodb" in sentence


def test_missing_and_doubled_requests_are_counted() -> None:
    """Two requests need two server spans with two ids."""
    lost = complaints(traces([SERVER, *ORDER], "shop"), {"/order": 2})
    assert lost == ["2 requests to /order gave 1 server spans, not 2."]
    doubled = complaints(traces([SERVER, SERVER, *ORDER], "shop"), {"/order": 2})
    assert any("more than once" in sentence for sentence in doubled)


def test_the_tree_shows_every_span_below_its_parent() -> None:
    """Children are indented below the request; a span without its parent is still shown."""
    text = io.StringIO()
    orphan = replace(ORDER[3], span_id="9" * 16, parent_id="f" * 16, name="orphan")
    Console(file=text, width=120).print(draw([SERVER, *ORDER, orphan]))
    shown = text.getvalue()
    assert shown.index("GET /order") < shown.index("INCRBY")
    assert "orphan" in shown
