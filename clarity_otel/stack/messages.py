"""What a message says: the alert, its summary, its runbook and the dashboard.

Texts are templates of Alertmanager (Go's) in `templates/`, a file for each way to be told.
Values come from alerts, and those from what services send: Slack's mark-up is escaped there,
a mail's HTML by Go's own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SLACK: dict[str, Any] = {
    "send_resolved": True,
    "color": '{{ template "clarity.slack.color" . }}',
    "title": '{{ template "clarity.title" . }}',
    "title_link": '{{ template "clarity.dashboard" . }}',
    "text": '{{ template "clarity.slack.text" . }}',
    "fallback": '{{ template "clarity.title" . }}',
    "actions": [
        {"type": "button", "text": "Runbook", "url": '{{ template "clarity.runbook" . }}'},
        {"type": "button", "text": "Dashboard", "url": '{{ template "clarity.dashboard" . }}'},
    ],
}
PAGERDUTY: dict[str, Any] = {
    "send_resolved": True,
    "description": '{{ template "clarity.title" . }}',
    "severity": '{{ template "clarity.severity" . }}',
    "class": "{{ .GroupLabels.alertname }}",
    "component": "{{ .CommonLabels.service }}",
    "group": "{{ .CommonLabels.team }}",
    "client": "Clarity OTel",
    "client_url": '{{ template "clarity.dashboard" . }}',
    "links": [
        {"text": "Runbook", "href": '{{ template "clarity.runbook" . }}'},
        {"text": "Dashboard", "href": '{{ template "clarity.dashboard" . }}'},
    ],
    "details": {
        "summary": '{{ template "clarity.pagerduty.summary" . }}',
        "firing": "{{ .Alerts.Firing | len }}",
        "resolved": "{{ .Alerts.Resolved | len }}",
    },
}
EMAIL: dict[str, Any] = {
    "send_resolved": True,
    "headers": {"Subject": '{{ template "clarity.title" . }}'},
    "html": '{{ template "clarity.email.html" . }}',
    "text": '{{ template "clarity.email.text" . }}',
}

_FOLDER = Path(__file__).with_name("templates")
_COMMENT = "{{/* Written by `python -m clarity_otel.stack.generate`. */}}\n"


def templates(dashboard_url: str) -> dict[str, str]:
    """Return the template files by name; links lead to the dashboard at this address."""
    base = json.dumps(dashboard_url.rstrip("/"))
    return {
        path.name: _COMMENT + path.read_text(encoding="utf-8").replace('"DASHBOARD_URL"', base)
        for path in sorted(_FOLDER.glob("*.tmpl"))
    }
