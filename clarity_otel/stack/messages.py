"""What a message says: the alert, its summary, its runbook and the dashboard.

Texts are templates of Alertmanager (Go's), one file for each way to be told. Values come
from alerts, and those from what services send: Slack's mark-up is escaped, a mail's HTML is
by Go's own.
"""

from __future__ import annotations

import json
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

_COMMENT = "{{/* Written by `python -m clarity_otel.stack.generate`. */}}\n"

# A runbook stands in a label or an annotation of the alert; without one, the dashboard is next.
_COMMON = """\
{{ define "clarity.base" }}{{ print %(dashboard)s }}{{ end }}
{{ define "clarity.dashboard" -}}
{{ with .CommonAnnotations.dashboard_url }}{{ . }}{{ else -}}
{{ template "clarity.base" . }}/alerts{{ with .CommonLabels.service }}?service={{ . | urlquery }}{{ end -}}
{{ end -}}
{{ end }}
{{ define "clarity.runbook" -}}
{{ with .CommonLabels.runbook_url }}{{ . }}{{ else -}}
{{ with .CommonAnnotations.runbook_url }}{{ . }}{{ else -}}
{{ template "clarity.dashboard" . }}{{ end }}{{ end -}}
{{ end }}
{{ define "clarity.severity" -}}
{{ if eq .CommonLabels.severity "critical" "warning" "info" }}{{ .CommonLabels.severity }}{{ else }}warning{{ end -}}
{{ end }}
{{ define "clarity.title" -}}
[{{ if eq .Status "firing" }}{{ .CommonLabels.severity | toUpper }}{{ else }}RESOLVED{{ end }}] {{ .GroupLabels.alertname -}}
{{ with .CommonLabels.service }} of {{ . }}{{ end -}}
{{ if gt (len .Alerts.Firing) 1 }} ({{ len .Alerts.Firing }}){{ end -}}
{{ end }}
{{ define "clarity.summary" -}}
{{ or .Annotations.summary .Labels.alertname }}{{ with .Annotations.description }}: {{ . }}{{ end -}}
{{ end }}
"""

_SLACK = """\
{{ define "clarity.slack.color" -}}
{{ if ne .Status "firing" }}good{{ else if eq .CommonLabels.severity "critical" }}danger{{ else }}warning{{ end -}}
{{ end }}
{{ define "clarity.slack.text" -}}
{{ range .Alerts -}}
{{ if eq .Status "resolved" }}resolved: {{ end -}}
{{ or .Annotations.summary .Labels.alertname | reReplaceAll "&" "&amp;" | reReplaceAll "<" "&lt;" | reReplaceAll ">" "&gt;" }}
{{ with .Annotations.description }}{{ . | reReplaceAll "&" "&amp;" | reReplaceAll "<" "&lt;" | reReplaceAll ">" "&gt;" }}
{{ end -}}
{{ end -}}
<{{ template "clarity.runbook" . }}|Runbook> | <{{ template "clarity.dashboard" . }}|Dashboard>
{{- end }}
"""

_PAGERDUTY = """\
{{ define "clarity.pagerduty.summary" -}}
{{ range $number, $alert := .Alerts -}}
{{ if $number }}; {{ end }}{{ template "clarity.summary" $alert -}}
{{ end -}}
{{ end }}
"""

_EMAIL = """\
{{ define "clarity.email.text" -}}
{{ template "clarity.title" . }}

{{ range .Alerts -}}
- {{ if eq .Status "resolved" }}resolved: {{ end }}{{ template "clarity.summary" . }}
{{ end }}
Runbook: {{ template "clarity.runbook" . }}
Dashboard: {{ template "clarity.dashboard" . }}
{{ end }}
{{ define "clarity.email.html" -}}
<!doctype html>
<html><body style="font-family: sans-serif; max-width: 40em">
<h2>{{ template "clarity.title" . }}</h2>
<ul>
{{ range .Alerts }}<li>{{ if eq .Status "resolved" }}resolved: {{ end }}{{ template "clarity.summary" . }}</li>
{{ end }}</ul>
<p><a href="{{ template "clarity.runbook" . }}">Runbook</a> &middot;
<a href="{{ template "clarity.dashboard" . }}">Dashboard</a></p>
</body></html>
{{ end }}
"""


def templates(dashboard_url: str) -> dict[str, str]:
    """Return the template files by name; links lead to the dashboard at this address."""
    base = dashboard_url.rstrip("/")
    common = _COMMON.replace("%(dashboard)s", json.dumps(base))
    parts = {"common": common, "slack": _SLACK, "pagerduty": _PAGERDUTY, "email": _EMAIL}
    return {f"{name}.tmpl": _COMMENT + text for name, text in parts.items()}
