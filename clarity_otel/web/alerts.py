"""Alerts that are on now, from Alertmanager and Prometheus; nothing is evaluated here.

Alertmanager's API v2 has what fires, with silences and inhibitions; Prometheus' API has what
is pending too. With both, the former says what fires and the latter what is pending.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clarity_otel.store.production.engine import Engine, Given, engine_of
from clarity_otel.store.unanswered import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.store.query import Row

_TIMEOUT_S = 5.0
_MOST_ROWS = 500
_HOW = (
    "Alerts are evaluated by Prometheus and routed by Alertmanager: set CLARITY_ALERTMANAGER_URL, "
    "or start `clarity dashboard` with --alertmanager, to see them here."
)


class Alerts:
    """Where alerts are asked for. Thread-safe.

    ValueError, with a sentence, for an address that is none.
    """

    def __init__(self, alertmanager: Given | None = None, prometheus: Given | None = None) -> None:
        self._alertmanager = _engine("Alertmanager", alertmanager)
        self._prometheus = _engine("Prometheus", prometheus)

    def answer(self) -> Row:
        """Return `configured`, `how` and `rows`: what fires first, then the newest."""
        if not (self._alertmanager or self._prometheus):
            return {"configured": False, "how": _HOW, "rows": []}
        rows: list[Row] = []
        failures: list[str] = []
        if self._alertmanager:
            rows += _asked(self._alertmanager, "/api/v2/alerts", _of_alertmanager, failures)
        if self._prometheus:
            known = _asked(self._prometheus, "/api/v1/alerts", _of_prometheus, failures)
            rows += [row for row in known if not self._alertmanager or row["state"] == "pending"]
        order = {"firing": 0, "pending": 1}
        rows.sort(key=lambda row: (order.get(row["state"], 2), -row["since_ns"], row["name"]))
        return {"configured": True, "how": " ".join(failures), "rows": rows[:_MOST_ROWS]}


def _engine(name: str, given: Given | None) -> Engine | None:
    return engine_of(name, f"CLARITY_{name.upper()}_URL", given or Given(), _TIMEOUT_S)


def _asked(
    engine: Engine, path: str, read: Callable[[Any], list[Row]], failures: list[str]
) -> list[Row]:
    try:
        return engine.get(path, {}, read)
    except UnansweredError as error:
        failures.append(f"{error}.")
    return []


def _of_alertmanager(found: Any) -> list[Row]:
    states = {"active": "firing", "unprocessed": "firing"}
    return [
        _row(one, states.get(one["status"]["state"], "suppressed"), one["startsAt"])
        for one in found
    ]


def _of_prometheus(found: Any) -> list[Row]:
    return [_row(one, one["state"], one["activeAt"]) for one in found["data"]["alerts"]]


def _row(alert: dict[str, Any], state: str, since: str) -> Row:
    labels = {str(name): str(value) for name, value in alert["labels"].items()}
    notes = {str(name): str(value) for name, value in alert["annotations"].items()}
    runbook = notes.get("runbook_url", "")
    return {
        "name": labels.get("alertname", ""),
        "severity": labels.get("severity", ""),
        "state": state,
        "since_ns": int(datetime.fromisoformat(since).timestamp() * 1e9),
        "summary": notes.get("summary") or notes.get("description", ""),
        # What a page may make a link of: no javascript:.
        "runbook_url": runbook if urlsplit(runbook).scheme in ("http", "https") else "",
        "labels": labels,
    }
