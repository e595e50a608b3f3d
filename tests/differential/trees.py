"""Spans as comparable trees: what differs from run to run is replaced by its kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.backends.otlp import Span
from tests.differential.cases import parent_id, trace_id

# Attributes whose values are another each time: their presence is compared.
_CHANGING = frozenset(
    {
        "aws.request_id",
        "aws.secretsmanager.secret.arn",
        "messaging.message.id",
        "client.port",
        "network.peer.port",
        "exception.stacktrace",
        "process.pid",
        "process.parent_pid",
        "service.instance.id",
    }
)
_ANY = "(any)"


@dataclass
class Node:
    """One span without its times and ids, and the spans below it in their order."""

    name: str
    kind: str
    fields: dict[str, str]
    children: list[Node] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{self.kind.lower()} {self.name}".strip()


def trees(spans: Iterable[Span], cases: Iterable[str]) -> dict[str, list[Node]]:
    """The trees of each case, by its name; spans of no case are an error."""
    names = {trace_id(name): name for name in cases}
    by_case: dict[str, list[Span]] = {name: [] for name in names.values()}
    for span in spans:
        if span.trace_id in names:
            by_case[names[span.trace_id]].append(span)
    return {name: _forest(name, found) for name, found in by_case.items()}


def _forest(case: str, spans: list[Span]) -> list[Node]:
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.name))
    nodes = {span.span_id: _node(span) for span in ordered}
    roots = []
    for span in ordered:
        node = nodes[span.span_id]
        if span.parent_id in nodes:
            nodes[span.parent_id].children.append(node)
            continue
        node.fields["parent"] = (
            "remote" if span.parent_id == parent_id(case) else span.parent_id or "none"
        )
        roots.append(node)
    return roots


def _node(span: Span) -> Node:
    fields = {
        "status": span.status,
        "status.message": span.status_message,
        "flags": hex(span.flags),
        "trace_state": span.trace_state,
        "scope.name": span.scope_name,
        "scope.version": span.scope_version,
        "scope.schema_url": span.scope_schema_url,
        "scope.attributes": _shown(span.scope_attributes),
        "dropped_attributes": str(span.dropped_attributes),
        "dropped_events": str(span.dropped_events),
        "dropped_links": str(span.dropped_links),
        **_attributes("attributes", span.attributes),
    }
    for number, event in enumerate(span.events):
        fields[f"events.{number}"] = event.name
        fields.update(_attributes(f"events.{number}", event.attributes))
    for number, link in enumerate(span.links):
        fields[f"links.{number}"] = f"{link.trace_id} {link.span_id}"
        fields[f"links.{number}.flags"] = hex(link.flags)
        fields[f"links.{number}.trace_state"] = link.trace_state
        fields.update(_attributes(f"links.{number}", link.attributes))
    return Node(span.name, span.kind, fields)


def _attributes(prefix: str, attributes: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{prefix}.{key}": _ANY if key in _CHANGING else _shown(value)
        for key, value in attributes.items()
    }


def resource(spans: list[Span]) -> Node:
    """The resource of the spans as a node, so that it is compared in the same way."""
    return Node("resource", "", _attributes("resource", spans[0].resource))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return str(dict(sorted(value.items())))
    return str(value) if isinstance(value, str) else repr(value)


@dataclass(frozen=True)
class Difference:
    """One field of one span that the two engines have otherwise; "-" stands for absent."""

    span: str
    field: str
    native: str
    sdk: str

    def __str__(self) -> str:
        return f"{self.span}: {self.field}: native {self.native!r}, sdk {self.sdk!r}"


def differences(place: str, native: list[Node], sdk: list[Node]) -> Iterator[Difference]:
    """What differs between two lists of sibling spans, and below them.

    Siblings are paired in their order where they have the same kind and name; a span
    that only one engine has is a difference, and its children take its place.
    """
    for ours, theirs in _paired(native, sdk):
        if ours is None or theirs is None:
            only = ours or theirs
            assert only is not None
            states = ("span", "-") if theirs is None else ("-", "span")
            yield Difference(f"{place} > {only.label}", "span", *states)
            continue
        label = f"{place} > {ours.label}"
        if ours.label != theirs.label:
            yield Difference(label, "name", ours.label, theirs.label)
        for key in sorted(ours.fields.keys() | theirs.fields.keys()):
            values = ours.fields.get(key, "-"), theirs.fields.get(key, "-")
            if values[0] != values[1]:
                yield Difference(label, key, *values)
        yield from differences(label, ours.children, theirs.children)


def _holds(node: Node, label: str) -> bool:
    return any(child.label == label or _holds(child, label) for child in node.children)


def _paired(native: list[Node], sdk: list[Node]) -> Iterator[tuple[Node | None, Node | None]]:
    left, right = list(native), list(sdk)
    while left or right:
        if left and right and left[0].label == right[0].label:
            yield left.pop(0), right.pop(0)
        elif left and right and _holds(right[0], left[0].label):
            only = right.pop(0)
            yield None, only
            right[:0] = only.children
        elif left and not any(left[0].label == node.label for node in right):
            if len(left) == len(right):
                # The same span under another name.
                yield left.pop(0), right.pop(0)
                continue
            only = left.pop(0)
            yield only, None
            left[:0] = only.children
        else:
            only = right.pop(0)
            yield None, only
            right[:0] = only.children
