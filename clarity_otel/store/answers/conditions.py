"""What a trace filter is in SQL, and in what of a minute it leaves a trace."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarity_otel.store.answers.rows import minutes_of
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from clarity_otel.store.answers.rows import Rows
    from clarity_otel.store.query import Range, Row, TraceFilter

_MOST_ATTRIBUTES = 10
# 2^63 ns are the longest duration there is.
_QUARTERS = 4 * 63


@dataclass
class Conditions:
    """SQL with its parameters: never a value in the SQL.

    A minute that has what is wanted has one of each list of `tokens`, and one of `texts`, of which
    there may be none, in its texts.
    """

    filters: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    tokens: list[list[str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def add(self, condition: str, tokens: list[str] | None = None, **values: Any) -> None:
        """Add what must hold, and the tokens of which a minute that has it has one."""
        self.filters.append(f"AND {condition}")
        self.values |= values
        if tokens:
            self.tokens.append(tokens)

    def add_text(self, text: str, *, plain: tuple[str, ...] = (), encoded: tuple[str, ...]) -> None:
        """Add that one of the columns has a text, whatever the case. `encoded` may be JSON."""
        values: dict[str, Any] = {f"text{at}": form for at, form in enumerate(_forms(text))}
        found = [(column, "text0") for column in plain]
        found += [(column, name) for column in encoded for name in values]
        # DuckDB folds both: Python's lower case is another for some letters.
        either = (f"contains(lower({column}), lower(${name}))" for column, name in found)
        self.add(f"({' OR '.join(either)})", **values)

    @property
    def sql(self) -> str:
        """All of it."""
        return "\n  ".join(self.filters)

    def minutes(self, ask: Rows, within: Range) -> list[int] | None:
        """Return the minutes that may have what is wanted, newest first; None for any."""
        bounds = minutes_of(within)
        minutes = self._with_tokens(ask, bounds) if self.tokens else None
        if self.texts and minutes != []:
            found = self._with_texts(ask, bounds)
            kept = None if minutes is None else set(minutes)
            minutes = [row["minute"] for row in found if kept is None or row["minute"] in kept]
        return minutes

    def _with_texts(self, ask: Rows, bounds: dict[str, int]) -> list[Row]:
        values = {f"text{number}": text for number, text in enumerate(self.texts)}
        either = " OR ".join(f"contains(texts, lower(${name}))" for name in values)
        return ask(sql("find_text_minutes").format(has_text=either), bounds | values)

    def _with_tokens(self, ask: Rows, bounds: dict[str, int]) -> list[int]:
        pairs = [(1 << at, text) for at, texts in enumerate(self.tokens) for text in texts]
        values = {
            "bits": [bit for bit, _ in pairs],
            "texts": [text for _, text in pairs],
            "all": (1 << len(self.tokens)) - 1,
        }
        return [row["minute"] for row in ask(sql("find_minutes"), bounds | values)]


def conditions_of(wanted: TraceFilter) -> Conditions:
    """Return what must hold for one span."""
    found = Conditions()
    if wanted.service:
        found.add("service = $service", [f"service={wanted.service}"], service=wanted.service)
    if wanted.route:
        found.add("route = $route", [f"route={wanted.route}"], route=wanted.route)
    if wanted.only_errors:
        found.add("(status = 2 OR http_status >= 500)", ["error"])
    if wanted.http_status:
        code = wanted.http_status
        found.add("http_status = $http_status", [f"status={code}"], http_status=code)
    if wanted.least_ms:
        least = int(wanted.least_ms * 1e6)
        found.add("duration_ns >= $least", _quarters(least, 2**63 - 1), least=least)
    if wanted.most_ms:
        most = int(wanted.most_ms * 1e6)
        found.add("duration_ns <= $most", _quarters(1, most), most=most)
    if wanted.text:
        found.add_text(wanted.text, plain=("name",), encoded=("attributes",))
        texts = [_within_one(form) for form in _forms(wanted.text)]
        # What is nothing but a boundary is in every minute.
        found.texts = texts if all(texts) else []
    for number, (key, value) in enumerate(sorted(wanted.attributes.items())[:_MOST_ATTRIBUTES]):
        _add_attribute(found, number, key, value)
    if not wanted.text and not wanted.attributes:
        # Entries alone: roots, and what came in from elsewhere.
        found.add("(parent_id = 0 OR kind IN (2, 5))")
    return found


def _forms(text: str) -> list[str]:
    """Return a text as it is, and as JSON has it where that is another."""
    return list(dict.fromkeys((text, json.dumps(text, ensure_ascii=False)[1:-1])))


def _within_one(text: str) -> str:
    """Return the longest part of a text that no boundary of minute_texts can divide.

    Attributes are split at `,"`, and what a text begins or ends with may be half of one.
    """
    return max((part.lstrip('"').rstrip(",") for part in text.split(',"')), key=len)


def _quarters(least_ns: int, most_ns: int) -> list[str]:
    """Return tokens of the quarters of an octave that have such durations."""
    first, last = (int(4 * math.log2(max(bound, 1))) for bound in (least_ns, most_ns))
    # One more on each side: logarithms are not exact.
    return [f"duration={at}" for at in range(max(first - 1, 0), min(last + 1, _QUARTERS) + 1)]


def _add_attribute(found: Conditions, number: int, key: str, value: str) -> None:
    path = '$."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    named = {f"path{number}": path, f"value{number}": value}
    tokens = None
    if _is_as_written(key) and _is_as_written(value) and not _is_fraction(value):
        # A look at the text first: reading the JSON of 10 million spans takes 5 s.
        found.add(f"contains(attributes, $value{number})")
        if not key.endswith(",") and not value.endswith(","):
            tokens = [f'{key}":"{value}"', f'{key}":{value}']
    held = f"json_extract_string(attributes, $path{number})"
    if not value.isdecimal():
        found.add(f"{held} = $value{number}", tokens, **named)
        return
    # A page has no other text for a whole double.
    named[f"whole{number}"] = f"{value}.0"
    tokens = [*tokens, f'{key}":{value}.0'] if tokens else None
    found.add(f"{held} IN ($value{number}, $whole{number})", tokens, **named)


def _is_as_written(text: str) -> bool:
    """Whether JSON has a text as it is, without escapes."""
    return '"' not in text and "\\" not in text and text.isprintable()


def _is_fraction(text: str) -> bool:
    """Whether a text may stand for a number that JSON writes in other ways too."""
    try:
        float(text)
    except ValueError:
        return False
    return not text.isdecimal()
