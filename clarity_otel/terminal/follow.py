"""What happens now in a dashboard: over its WebSocket, or asked for again and again.

The WebSocket's contract is `/api/live` of `docs/dashboard.md`. A question that its rows
cannot answer (a correlation id, say), or a dashboard without it, is asked for every half
second; rows that come late by up to `_LATE_S` are still found.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarity_otel.terminal.source import Dashboard, SourceError, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clarity_otel.web.running import Running

Row = dict[str, Any]
_INTERVAL_S = 0.5
_LATE_S = 10.0
_MOST_AT_ONCE = 10_000
_REMEMBERED = 50_000


@dataclass(frozen=True)
class Wanted:
    """Which requests and log records."""

    requests: bool = True
    logs: bool = True
    service: str = ""
    route: str = ""
    errors: bool = False
    least_ms: float = 0.0
    text: str = ""
    severity: int = 0
    correlation: str = ""

    def has_request(self, row: Row) -> bool:
        """Whether a request of the WebSocket is wanted."""
        return (
            self.requests
            and self.service in ("", row["service"])
            and self.route in ("", row["route"])
            and (row["is_error"] or not self.errors)
            and row["duration_ms"] >= self.least_ms
            and self.text in (row["name"] or "")
        )

    def has_log(self, row: Row) -> bool:
        """Whether a log record is wanted."""
        return (
            self.logs
            and not (self.route or self.least_ms)
            and self.service in ("", row["service"])
            and row["severity"] >= (max(self.severity, 17) if self.errors else self.severity)
            and self.text.lower() in f"{row['body']} {row['attributes']}".lower()
        )


def follow(there: Running, wanted: Wanted) -> Iterator[tuple[str, Row]]:
    """Yield ("request", row) and ("log", row) until the dashboard ends.

    ("skipped", {"rows": N}) stands for rows that were too many to be sent.
    """
    if not (wanted.correlation or wanted.text):
        # Its text is looked for in names alone, where the questions search attributes too.
        try:
            yield from _pushed(there, wanted)
            return
        except _NotThereError:
            pass
    yield from _asked(there, wanted)


class _NotThereError(Exception):
    """This dashboard has no WebSocket."""


def _pushed(there: Running, wanted: Wanted) -> Iterator[tuple[str, Row]]:
    from websockets.exceptions import ConnectionClosed, InvalidHandshake
    from websockets.sync.client import connect

    url = f"{there.address.replace('http', 'ws', 1)}/api/live"
    headers = {"Authorization": f"Bearer {there.token}"}
    topics = [
        name for name, given in (("requests", wanted.requests), ("logs", wanted.logs)) if given
    ]
    subscription = {
        "type": "subscribe",
        "topics": topics,
        "service": wanted.service,
        "severity": wanted.severity,
        "text": wanted.text,
    }
    try:
        # The dashboard is on this machine: its token is no proxy's business.
        with connect(
            url, additional_headers=headers, max_size=8 * 1024 * 1024, proxy=None
        ) as socket:
            socket.send(json.dumps(subscription))
            for frame in socket:
                delta = json.loads(frame)
                if delta.get("type") == "delta":
                    yield from _of_delta(delta, wanted)
                    if delta.get("skipped"):
                        yield "skipped", {"rows": delta["skipped"]}
    except InvalidHandshake:
        raise _NotThereError from None
    except (ConnectionClosed, OSError):
        return


def _of_delta(delta: Row, wanted: Wanted) -> Iterator[tuple[str, Row]]:
    rows = [("request", row) for row in delta.get("requests", ()) if wanted.has_request(row)]
    rows += [("log", row) for row in delta.get("logs", ()) if wanted.has_log(row)]
    yield from sorted(rows, key=_time_of)


def _time_of(item: tuple[str, Row]) -> int:
    kind, row = item
    return int(row["start_ns"] if kind == "request" else row["time_ns"])


def _asked(there: Running, wanted: Wanted) -> Iterator[tuple[str, Row]]:
    source = Dashboard(there)
    seen: OrderedDict[object, None] = OrderedDict()
    since_s = begun_s = time.time()
    while True:
        asked_s = time.time()
        try:
            rows = _rows(source, wanted, since_s)
        except SourceError:
            return
        for item in sorted(rows, key=_time_of):
            kind, row = item
            key = row["trace_id"] if kind == "request" else (row["time_ns"], row["body"])
            if (kind, key) not in seen:
                seen[kind, key] = None
                yield item
        while len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        since_s = max(begun_s, asked_s - _LATE_S)
        time.sleep(_INTERVAL_S)


def _rows(source: Dashboard, wanted: Wanted, since_s: float) -> list[tuple[str, Row]]:
    common = {"start": since_s, "service": wanted.service, "text": wanted.text}
    rows: list[tuple[str, Row]] = []
    if wanted.requests:
        given = common | {
            "route": wanted.route,
            "errors": "true" if wanted.errors else "",
            "least_ms": wanted.least_ms or "",
            "attribute": [f"correlation.id={wanted.correlation}"] if wanted.correlation else "",
        }
        for row in pages(source, "/traces", given, _MOST_AT_ONCE):
            row["is_error"] = bool(row["errors"]) or (row["http_status"] or 0) >= 500
            rows.append(("request", row))
    if wanted.logs and not (wanted.route or wanted.least_ms):
        severity = max(wanted.severity, 17) if wanted.errors else wanted.severity
        text = wanted.correlation or wanted.text
        given = common | {"severity": severity, "text": text}
        rows += [("log", row) for row in pages(source, "/logs", given, _MOST_AT_ONCE)]
    return rows
