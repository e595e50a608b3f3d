"""One trace as a tree in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from rich.tree import Tree

from clarity_otel.bench.receiver import ReceivedSpan

BAR_WIDTH = 24
_COLOURS = {"server": "green", "client": "cyan", "producer": "magenta", "consumer": "magenta"}
_SHOWN = (
    *("http.response.status_code", "db.query.text", "db.statement", "url.full"),
    *("aws.dynamodb.table_names", "messaging.destination.name"),
)


def draw(spans: Sequence[ReceivedSpan]) -> Tree:
    """The spans of one trace, children under their parent, each with its time bar.

    A span whose parent is not among them hangs at the top.
    """
    start_ns = min(span.start_ns for span in spans)
    length_ns = max(1, max(span.end_ns for span in spans) - start_ns)
    ids = {span.span_id for span in spans}
    tree = Tree(Text(f"trace {spans[0].trace_id}", style="bold"))

    def hang(branch: Tree, children: list[ReceivedSpan]) -> None:
        for span in sorted(children, key=lambda child: child.start_ns):
            label = _label(span, start_ns, length_ns)
            hang(branch.add(label), [one for one in spans if one.parent_id == span.span_id])

    hang(tree, [span for span in spans if span.parent_id not in ids])
    return tree


def _label(span: ReceivedSpan, start_ns: int, length_ns: int) -> Text:
    left = BAR_WIDTH * (span.start_ns - start_ns) // length_ns
    width = max(1, BAR_WIDTH * (span.end_ns - span.start_ns) // length_ns)
    bar = (" " * min(left, BAR_WIDTH - 1) + "━" * width)[:BAR_WIDTH].ljust(BAR_WIDTH)
    colour = "red" if span.error else _COLOURS.get(span.kind, "white")
    label = Text.assemble(
        (f"{(span.end_ns - span.start_ns) / 1e6:8.2f} ms ", "dim"),
        (bar, colour),
        (f" {span.name}", f"bold {colour}"),
        (f"  {span.service} {span.kind}", "dim"),
    )
    shown = [f"{name}={span.attributes[name]}" for name in _SHOWN if name in span.attributes]
    if shown:
        label.append("  " + " ".join(shown), "dim")
    return label
