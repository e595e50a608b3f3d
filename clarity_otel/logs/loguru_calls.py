"""loguru's calls: each that a sink takes is one record, made before the sink has it.

The place is the sink's filter: it is asked after the sink's level, and what it lets
through is written. The filter is a descriptor on loguru's class, so that sinks that
are there already count too and pickled ones (`enqueue=True`) stay as they were.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from threading import local

from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.logs import arguments, foreign, otlp, rate
from clarity_otel.patches.wrapping import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IDS = "clarity_ids"

_replaced = Replaced()


def apply(module: Any, template: type[str] = arguments.QuietTemplate) -> None:
    """Patch `loguru._simple_sinks`, `loguru._handler` or `loguru._logger`.

    `template` fills in the fields of a message: what is sent is masked by their names, and
    with `arguments.Template` what sinks are given too.
    """
    if module.__name__ == "loguru._handler":
        module.Handler._filter = _Filter()
        return
    if module.__name__ == "loguru._logger":
        _replaced.replace(module.Logger, "_log", partial(_make_log, template))
        return
    otlp.is_passed_on = foreign.is_passed_on
    for sink in (module.StandardSink, module.CallableSink):
        _replaced.replace(sink, "write", _make_write)


class _Call(local):
    """The call that a thread is in: its record, once a sink takes it, and whether it goes on.

    Several sinks are given the same record, which is the app's: nothing is noted on it.
    """

    record: dict[str, Any] | None = None
    goes_on = True


_call = _Call()


class _Filter:
    """`Handler._filter`: the sink's own, and then ours."""

    def __get__(self, handler: Any, owner: Any = None) -> Any:
        return self if handler is None else partial(_passes, handler.__dict__["_filter"])

    def __set__(self, handler: Any, value: Any) -> None:
        handler.__dict__["_filter"] = value


def _passes(own: Any, record: dict[str, Any]) -> bool:
    if own is not None and not own(record):
        return False
    if _call.record is not record:
        # First: what follows may log.
        _call.record, _call.goes_on = record, True
        with never_break_the_app("loguru.call"):
            _call.goes_on = _take(record)
    return _call.goes_on


def _take(record: dict[str, Any]) -> bool:
    if not otlp.is_hooked() and rate.limiter is None:
        return True
    level = record["level"]
    if foreign.is_from_logging(record["message"], level.no):
        return True
    exc = record["exception"]
    made = foreign.made(
        created_s=record["time"].timestamp(),
        logger=record["name"] or "",
        level=level.no,
        level_name=level.name,
        message=getattr(record["message"], "masked", record["message"]),
        extra=record["extra"],
        noted=record.get(IDS) or foreign.current_ids(),
        place=(record["file"].path, record["line"], record["function"]),
        exc_info=(exc.type, exc.value, exc.traceback) if exc else None,
    )
    return foreign.take(made)


def _make_log(template: type[str], original: Any) -> Any:
    def _log(self: Any, *given: Any) -> Any:
        try:
            *first, options, message, args, fields = given
            if fields and type(message) is str:
                message = template(message)
            # The caller is looked for so many frames above: ours is one of them.
            exception, depth, *others = options
            given = (*first, (exception, depth + 1, *others), message, args, fields)
        except Exception as failure:
            keep("loguru.log", failure)
        around = _call.record, _call.goes_on
        try:
            return original(self, *given)
        finally:
            _call.record, _call.goes_on = around

    return _log


def _make_write(original: Any) -> Any:
    def write(self: Any, message: Any) -> Any:
        handing_on: Any
        try:
            record = message.record
            handing_on = foreign.handing_on(record["message"], record["level"].no)
        except Exception as failure:
            keep("loguru.sink", failure)
            handing_on = nullcontext()
        with handing_on:
            return original(self, message)

    return write
