"""Arguments that are named by the call: the name tells what a value is.

    log.info("%(user)s logs in with %(password)s", {"user": …, "password": …})
    logger.info("{user} logs in with {password}", user=…, password=…)    # loguru

Once they are filled in, nothing stands beside the password that says so: they are
masked before.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from clarity_otel.guard import keep
from clarity_otel.logs.failed import MARK
from clarity_otel.masking import mask_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from logging import LogRecord
    from typing import Any

    _Base = Mapping[Any, Any]
else:
    _Base = Mapping


def masked(args: Any) -> Any:
    """Return a record's `args` masked where they are a mapping; clean ones are the same object."""
    if type(args) is dict:
        found = mask_value(None, args)
        if found is args:
            return args
        if type(found) is not dict:  # the masker has failed
            return dict.fromkeys(args, found)
        return {key: _hidden(args.get(key), value) for key, value in found.items()}
    if type(args) is _Masking or not isinstance(args, Mapping):
        return args
    # A mapping of another class may make its values when it is asked for one.
    return _Masking(args)


def apart(record: LogRecord) -> LogRecord:
    """Return the record with its arguments masked: itself, or a copy."""
    args = masked(record.args)
    if args is record.args:
        return record
    record = copy.copy(record)
    record.args = args
    return record


def hidden(args: Any) -> Any:
    """Return what stands for arguments or fields that could not be masked: none can be seen."""
    return dict.fromkeys(args, _Hidden(MARK)) if type(args) is dict else {}


class Template(str):
    """A text whose `format` masks what the names of its fields call secret."""

    __slots__ = ()

    def format(self, /, *args: Any, **fields: Any) -> str:
        """Return the text with its fields filled in, masked."""
        try:
            return super().format(*args, **masked_fields(fields))
        except Exception as failure:
            super().format(*args, **fields)  # what does not fit is the app's own mistake
            keep("loguru.arguments", failure)
            return super().format(*args, **hidden(fields))


class QuietTemplate(str):
    """The same for what is sent alone: `format` answers the text as ever, and a `Filled`."""

    __slots__ = ()

    def format(self, /, *args: Any, **fields: Any) -> str:
        """Return the text with its fields filled in; the masked one is beside it."""
        text = super().format(*args, **fields)
        try:
            made = Filled(text)
            try:
                made.masked = super().format(*args, **masked_fields(fields))
            except Exception as failure:
                keep("loguru.arguments", failure)
                made.masked = MARK
            return made
        except Exception as failure:
            keep("loguru.arguments", failure)
            return text


class Filled(str):
    """A text that was filled in, and `masked`, the same without what is secret."""

    __slots__ = ("masked",)
    masked: str


# Of an object a template may want an attribute.
_PLAIN = (str, bytes, int, float, list, tuple)


def masked_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields for `str.format` with what their names call secret masked."""
    return {
        name: _hidden(value, mask_value(name, value)) if type(value) in _PLAIN else value
        for name, value in fields.items()
    }


class _Number(int):
    """What stands for a masked number: the mark as text, 0 where `%d` asks for a number."""

    _mark: str

    def __new__(cls, mark: str) -> _Number:
        made = super().__new__(cls)
        made._mark = mark
        return made

    def __repr__(self) -> str:
        return self._mark

    __str__ = __repr__


class _Hidden(_Number):
    """The mark where the masker has failed: whatever a template wants of it, that is there."""

    def __format__(self, spec: str) -> str:
        return self._mark

    def __getitem__(self, key: Any) -> _Hidden:
        return self

    def __getattr__(self, name: str) -> _Hidden:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def _hidden(value: Any, found: Any) -> Any:
    return _Number(found) if isinstance(value, int | float) and isinstance(found, str) else found


class _Masking(_Base):
    """A mapping whose values are masked by their names when they are asked for."""

    def __init__(self, args: Mapping[Any, Any]) -> None:
        self._args = args

    def __getitem__(self, name: Any) -> Any:
        value = self._args[name]
        key = name
        if isinstance(name, str) and name.startswith("{"):
            # A header in an access log's format: `%({authorization}i)s`.
            key = name[1:].partition("}")[0]
        return _hidden(value, mask_value(key, value))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._args)

    def __len__(self) -> int:
        return len(self._args)

    def __repr__(self) -> str:
        return repr(self._args)

    def __str__(self) -> str:
        return str(self._args)
