"""Alerts that are on now, from Alertmanager and Prometheus; nothing is evaluated here.

Alertmanager's API v2 has what fires, with silences and inhibitions; Prometheus' API has what
is pending too. With both, the former says what fires and the latter what is pending.
"""

from __future__ import annotations

import http.client
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.store.query import Row

_TIMEOUT_S = 5.0
_LIMIT_BYTES = 8 * 1024 * 1024
_MOST_ROWS = 500
_HOW = (
    "Alerts are evaluated by Prometheus and routed by Alertmanager: set CLARITY_ALERTMANAGER_URL, "
    "or start `clarity dashboard` with --alertmanager, to see them here."
)


class Alerts:
    """Where alerts are asked for; an empty address is not asked. Thread-safe.

    ValueError, with a sentence, for an address that is none.
    """

    def __init__(self, alertmanager: str = "", prometheus: str = "") -> None:
        self._alertmanager = _address(alertmanager, "CLARITY_ALERTMANAGER_URL")
        self._prometheus = _address(prometheus, "the address of Prometheus")

    def answer(self) -> Row:
        """Return `configured`, `how` and `rows`: what fires first, then the newest."""
        if not (self._alertmanager or self._prometheus):
            return {"configured": False, "how": _HOW, "rows": []}
        rows: list[Row] = []
        failures: list[str] = []
        if self._alertmanager:
            rows += _asked(self._of_alertmanager, "Alertmanager", self._alertmanager, failures)
        if self._prometheus:
            known = _asked(self._of_prometheus, "Prometheus", self._prometheus, failures)
            rows += [row for row in known if not self._alertmanager or row["state"] == "pending"]
        order = {"firing": 0, "pending": 1}
        rows.sort(key=lambda row: (order.get(row["state"], 2), -row["since_ns"], row["name"]))
        return {"configured": True, "how": " ".join(failures), "rows": rows[:_MOST_ROWS]}

    def _of_alertmanager(self) -> list[Row]:
        found = _get(f"{self._alertmanager}/api/v2/alerts")
        states = {"active": "firing", "unprocessed": "firing"}
        return [
            _row(one, states.get(one["status"]["state"], "suppressed"), one["startsAt"])
            for one in found
        ]

    def _of_prometheus(self) -> list[Row]:
        found = _get(f"{self._prometheus}/api/v1/alerts")["data"]["alerts"]
        return [_row(one, one["state"], one["activeAt"]) for one in found]


def _address(url: str, setting: str) -> str:
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError(f"{setting} must be an address that begins with http:// or https://")
    return url.rstrip("/")


def _asked(ask: Callable[[], list[Row]], name: str, address: str, failures: list[str]) -> list[Row]:
    shown = f"{name} ({urlsplit(address).hostname})"
    try:
        return ask()
    except (OSError, http.client.HTTPException) as error:
        failures.append(f"{shown} could not be asked: {str(error)[:200] or type(error).__name__}.")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        failures.append(f"{shown} answered in a form that is not its own.")
    return []


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = build_opener(_NoRedirects)


def _get(url: str) -> Any:
    request = Request(url, headers={"accept": "application/json"})
    with _opener.open(request, timeout=_TIMEOUT_S) as answer:
        content = answer.read(_LIMIT_BYTES + 1)
    if len(content) > _LIMIT_BYTES:
        raise ValueError("too long")
    return json.loads(content)


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
