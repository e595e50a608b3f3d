"""clarity traces: the store's traces as a table, or one trace as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clarity_otel.terminal import lines, times
from clarity_otel.terminal.source import SourceError, pages, source_of, store_of

if TYPE_CHECKING:
    from rich.tree import Tree

_BAR_WIDTH = 24
# More are read by no one, and a chain of them is deeper than Python's stack.
_MOST_SPANS = 300
_MOST_SAID = 200
# The attribute of the server span that carries the correlation id.
CORRELATION = "correlation.id"
_KINDS = ("", "", "server", "client", "producer", "consumer")

Service = Annotated[str, typer.Option(help="Of this service alone.")]
Route = Annotated[str, typer.Option(help="Of this route, such as /orders/{id}.")]
Errors = Annotated[bool, typer.Option("--errors", help="What failed alone.")]
Slower = Annotated[str, typer.Option("--slower-than", help="At least this long: 200ms, 1.5s.")]
Containing = Annotated[str, typer.Option("--text", help="With this text.")]
Correlation = Annotated[str, typer.Option("--correlation", help="Of this correlation id.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON lines, as in a pipe.")]
Store = Annotated[str | None, typer.Option("--store", help="The store asked (CLARITY_STORE).")]


def traces(
    trace_id: Annotated[str, typer.Argument(help="One trace, with its spans and logs.")] = "",
    service: Service = "",
    route: Route = "",
    errors: Errors = False,
    slower_than: Slower = "",
    status: Annotated[int, typer.Option(help="With this HTTP status.")] = 0,
    text: Containing = "",
    attribute: Annotated[
        list[str] | None, typer.Option(help="name=value on a span; may be repeated.")
    ] = None,
    correlation: Correlation = "",
    since: Annotated[str, typer.Option(help="15m, 2h, 7d ago, or a time.")] = "15m",
    until: Annotated[str, typer.Option(help="The same; unset, now.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The most traces.")] = 50,
    as_json: AsJson = False,
    store: Store = None,
) -> None:
    """Show traces, newest first: of the dashboard that runs, or of its file."""
    try:
        source = source_of(store_of(store))
        if wanted := trace_id.strip().lower():
            _show_one(source.ask(f"/traces/{wanted}", {}), as_json)
            return
        given: dict[str, Any] = {
            "service": service,
            "route": route,
            "errors": "true" if errors else "",
            "least_ms": times.duration_s(slower_than) * 1e3 if slower_than else "",
            "status": status,
            "text": text,
            "attribute": [*(attribute or []), *_with_correlation(correlation)],
            "start": times.time_s(since),
            "end": times.time_s(until) if until else "",
        }
        rows = pages(source, "/traces", given, limit)
        if not lines.is_for_people(as_json):
            for row in rows:
                typer.echo(lines.json_line(row))
            return
        listed = list(rows)
    except (SourceError, ValueError) as error:
        typer.echo(f"clarity traces: {error}.", err=True)
        raise typer.Exit(1) from None
    if not listed:
        typer.echo(f"There is no such trace since {since}; --since looks further back.", err=True)
        return
    lines.console().print(lines.trace_table(listed))


def _with_correlation(wanted: str) -> list[str]:
    return [f"{CORRELATION}={wanted}"] if wanted else []


def _show_one(trace: dict[str, Any], as_json: bool) -> None:
    if not lines.is_for_people(as_json):
        typer.echo(lines.json_line(trace))
        return
    console = lines.console()
    console.print(_tree(trace))
    for row in trace["logs"]:
        console.print(lines.log_line(row), soft_wrap=True)


def _tree(trace: dict[str, Any]) -> Tree:
    """Return the spans below their parents, each with its bar; `console.print` draws it."""
    from rich.text import Text
    from rich.tree import Tree

    spans = sorted(trace["spans"], key=lambda span: span["start_ns"])
    start_ns = spans[0]["start_ns"]
    end_ns = max(span["start_ns"] + span["duration_ms"] * 1e6 for span in spans)
    branches: dict[str, Tree] = {}
    root = Tree(Text(f"trace {trace['trace_id']}", "bold"))
    waiting = spans[:_MOST_SPANS]
    while waiting:
        # Parents first; what has no parent here hangs at the top.
        ids = {span["span_id"] for span in waiting}
        ready = [span for span in waiting if span["parent_id"] not in ids]
        for span in ready or waiting:
            share = max(end_ns - start_ns, 1)
            left = int(_BAR_WIDTH * (span["start_ns"] - start_ns) / share)
            width = max(1, round(_BAR_WIDTH * span["duration_ms"] * 1e6 / share))
            bar = (" " * min(left, _BAR_WIDTH - 1) + "━" * width)[:_BAR_WIDTH].ljust(_BAR_WIDTH)
            is_error = span["status"] == 2
            colour = "red" if is_error else "green" if span["kind"] == 2 else "cyan"
            kind = _KINDS[span["kind"]] if span["kind"] < len(_KINDS) else ""
            label = Text.assemble(
                (f"{span['duration_ms']:9.2f} ms ", "dim"),
                (bar, colour),
                (f" {lines.shown(span['name'])}", f"bold {colour}"),
                (f"  {lines.shown(span['service'])} {kind}", "dim"),
            )
            if span["status_message"]:
                label.append(f"  {lines.shown(span['status_message'])}", "red")
            for event in span["events"]:
                if event["name"] == "exception":
                    told = event["attributes"]
                    words = (told.get("exception.type"), told.get("exception.message"))
                    said = ": ".join(lines.shown(word) for word in words if word)
                    label.append(f"  {said[:_MOST_SAID]}", "red")
            above = branches.get(span["parent_id"], root)
            branches[span["span_id"]] = above.add(label)
        waiting = [span for span in waiting if span not in ready] if ready else []
    if len(spans) > _MOST_SPANS:
        root.add(Text(f"and {len(spans) - _MOST_SPANS} spans more: --json has them", "dim"))
    return root
