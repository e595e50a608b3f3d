"""The console exporter: each local trace drawn as a tree on stderr.

A trace is drawn when its local root has ended. Spans that end later are drawn by
themselves. Bounded: at most 512 traces wait, 1000 spans each. A forked child starts
with none waiting: the parent draws its own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import StatusCode
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from clarity_otel import diagnostics
from clarity_otel.terminal.lines import shown

if TYPE_CHECKING:
    from typing import TextIO

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

_TRACES_LIMIT = 512
_SPANS_LIMIT = 1000
# Where no terminal sets a width, a reader's tools do: no line of ours is longer.
_UNBOUNDED_COLUMNS = 100_000
_SHOWN = (
    "http.response.status_code",
    "http.status_code",
    "db.query.text",
    "url.full",
    "aws.dynamodb.table_names",
    "error.type",
    "correlation.id",
)


class ConsoleTreeProcessor(SpanProcessor):
    """Draws traces; thread-safe. A console that cannot be written to is given up."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr
        self._usable = True
        self._start_empty()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_empty)

    def _start_empty(self) -> None:
        self._console = Console(file=self._file, highlight=False)
        if not self._console.is_terminal:
            self._console.width = _UNBOUNDED_COLUMNS
        self._waiting: OrderedDict[int, list[ReadableSpan]] = OrderedDict()
        self._lock = threading.Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to do."""

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the span until its local root ends, then draw the trace."""
        context = span.context
        if context is None or not context.trace_flags.sampled:
            return
        is_local_root = span.parent is None or span.parent.is_remote
        with self._lock:
            spans = self._waiting.setdefault(context.trace_id, [])
            if len(spans) < _SPANS_LIMIT:
                spans.append(span)
            if is_local_root:
                del self._waiting[context.trace_id]
            elif len(self._waiting) > _TRACES_LIMIT:
                _, spans = self._waiting.popitem(last=False)
            else:
                return
        self._draw(spans)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Draw what still waits."""
        with self._lock:
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for spans in waiting:
            self._draw(spans)
        return True

    def shutdown(self) -> None:
        """Draw what still waits."""
        self.force_flush()

    def _draw(self, spans: list[ReadableSpan]) -> None:
        if not self._usable:
            return
        try:
            for tree in trees(spans):
                with self._console.capture() as drawn:
                    self._console.print(tree)
                diagnostics.write(self._file, drawn.get())
        except (AttributeError, OSError, ValueError) as failure:
            # A full disk behind a redirection, a closed terminal: once is enough.
            self._usable = False
            diagnostics.error(
                f"the console exporter cannot write any more ({failure}); "
                "OTEL_TRACE_CONSOLE has no effect from here on."
            )


def trees(spans: list[ReadableSpan]) -> list[Tree]:
    """Return one tree for each span whose parent is not among `spans`."""
    by_id = {span.context.span_id: span for span in spans if span.context is not None}
    children: dict[int, list[ReadableSpan]] = {}
    roots = []
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        parent = span.parent.span_id if span.parent is not None else 0
        if parent in by_id:
            children.setdefault(parent, []).append(span)
        else:
            roots.append(span)

    def grow(span: ReadableSpan, tree: Tree) -> Tree:
        context = span.context
        for child in children.get(context.span_id if context else 0, ()):
            grow(child, tree.add(_label(child)))
        return tree

    return [grow(root, Tree(_label(root))) for root in roots]


def _label(span: ReadableSpan) -> Text:
    duration_ms = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    failed = span.status.status_code is StatusCode.ERROR
    label = Text(shown(span.name), style="bold red" if failed else "bold")
    label.append(f"  {span.kind.name.lower()}", style="cyan")
    label.append(f"  {duration_ms:.2f} ms", style="green")
    attributes = span.attributes or {}
    for key in _SHOWN:
        if key in attributes:
            label.append(f"  {key}={shown(attributes[key]):.120}", style="dim")
    if span.parent is None or span.parent.is_remote:
        label.append(f"  trace_id={span.context.trace_id:032x}", style="dim")
    return label
