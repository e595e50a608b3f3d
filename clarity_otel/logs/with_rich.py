"""rich's log handler (fastapi run, fastapi dev): on the console it writes our line.

With JSON_LOGS=false its own drawing stays, its messages masked, its drawn tracebacks
left out in favour of ours: they show local values.
"""

from __future__ import annotations

from clarity_otel.guard import keep
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
        file = self.console.file
        try:
            number = console.descriptor(file)
            if number is not None:
                written = record.__dict__.get(ids.WRITTEN, 0)
                if written & number:
                    return
                is_coloured = console.is_coloured(file)
                if plans.has_code(self.formatter):
                    line = plans.of_own(self, plans.original_format, record, is_coloured)
                else:
                    line = output.of_event(events.of_record(record), is_coloured)
                console.write(number, line)
                record.__dict__[ids.WRITTEN] = written | number
                return
        except Exception as failure:
            if plans.is_apps_own(failure):
                self.handleError(record)
            else:
                keep("rich.emit", failure)
                _write_plainly(self, file, record)
            return
        original(self, record)

    return emit


def _write_plainly(handler: Any, file: Any, record: Any) -> None:
    """Write what the handler's formatter makes of a record, masked, and nothing drawn."""
    try:
        file.write(f"{handler.format(record)}\n")
        file.flush()
    except Exception:
        handler.handleError(record)
