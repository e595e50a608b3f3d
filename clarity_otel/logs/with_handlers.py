"""Handlers that send a record's attributes and not its text: sockets and HTTP."""

from __future__ import annotations

import copy
import logging

from clarity_otel.guard import keep
from clarity_otel.logs import failed
from clarity_otel.logs.passthrough import masked_fields
from clarity_otel.masking import mask_text
from clarity_otel.patches.wrapping import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_replaced = Replaced()


def apply(module: Any) -> None:
    """Patch `logging.handlers`."""
    _replaced.replace(module.SocketHandler, "makePickle", _make_pickle)
    _replaced.replace(module.HTTPHandler, "mapLogRecord", _make_map)


def _make_pickle(original: Any) -> Any:
    def makePickle(self: Any, record: Any) -> Any:  # noqa: N802 - logging's name
        # The app's code; what it raises is the handler's, as ever.
        message, trace = record.getMessage(), record.exc_text
        if record.exc_info and not trace:
            # The handler has its formatter write the traceback, and sends that.
            trace = (self.formatter or logging.Formatter()).formatException(record.exc_info)
        try:
            sent = copy.copy(record)
            sent.__dict__ = masked_fields(record.__dict__, skip=("exc_info", "args", "msg"))
            sent.msg, sent.args = mask_text(message), None
            if trace:
                sent.exc_text = mask_text(trace)
        except Exception as failure:
            text = failed.kept_masked("logging.makePickle", failure, message)
            sent = logging.LogRecord("", record.levelno, "", 0, text, None, None)
        return original(self, sent)

    return makePickle


def _make_map(original: Any) -> Any:
    def mapLogRecord(self: Any, record: Any) -> Any:  # noqa: N802 - logging's name
        sent = original(self, record)
        if sent.get("args") and "msg" in sent:
            # An argument alone does not tell what it is.
            sent = {**sent, "msg": record.getMessage(), "args": None}
        try:
            return masked_fields(sent)
        except Exception as failure:
            keep("logging.mapLogRecord", failure)
            return dict.fromkeys(sent, failed.MARK)

    return mapLogRecord
