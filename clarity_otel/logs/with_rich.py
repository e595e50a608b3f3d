"""rich's log handler (fastapi run, fastapi dev): on the console it writes our line.

With JSON_LOGS=false its own drawing stays, its messages masked, its drawn tracebacks
left out in favour of ours: they show local values.
"""

from __future__ import annotations

from clarity_otel.logs import console, ids, output, plans
from clarity_otel.logs import event as events
from clarity_otel.patches.wrapping import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_replaced = Replaced()


def apply(module: Any) -> None:
    """Patch `rich.logging`."""
    _replaced.replace(module.RichHandler, "emit", _make_emit)


def _make_emit(original: Any) -> Any:
    def emit(self: Any, record: Any) -> None:
        number = console.descriptor(self.console.file)
        if number is None:
            original(self, record)
            return
        written = record.__dict__.get(ids.WRITTEN, 0)
        if written & number:
            return
        try:
            is_coloured = console.is_coloured(self.console.file)
            if plans.has_code(self.formatter):
                line = plans.of_own(self, plans.original_format, record, is_coloured)
            else:
                line = output.of_event(events.of_record(record), is_coloured)
            console.write(number, line)
            record.__dict__[ids.WRITTEN] = written | number
        except Exception:
            self.handleError(record)

    return emit
