"""What Grafana is given at its start: data sources that know each other, and the dashboards.

Addresses are the names that the programs have in Compose and in Kubernetes.
"""

from __future__ import annotations

import json
from typing import Any

PROMETHEUS, LOKI, JAEGER = "clarity-prometheus", "clarity-loki", "clarity-jaeger"
# The exemplars' label, and the structured metadata of a log line.
TRACE_ID = "trace_id"
DASHBOARDS_FOLDER = "/etc/clarity/grafana/dashboards"
# Of Prometheus in observability/prometheus: Grafana's shortest rate is four times that.
SCRAPE_INTERVAL = "15s"


def _variable(text: str) -> str:
    """Escape what Grafana fills in later: it would put an environment variable there."""
    return text.replace("$", "$$")


def datasources() -> dict[str, Any]:
    """Return the data sources: from a point to its trace, from a line to it, and back."""
    prometheus = _source("Prometheus", PROMETHEUS, "prometheus", "http://prometheus:9090")
    prometheus["isDefault"] = True
    prometheus["jsonData"] = {
        "httpMethod": "POST",
        "timeInterval": SCRAPE_INTERVAL,
        "exemplarTraceIdDestinations": [{"name": TRACE_ID, "datasourceUid": JAEGER}],
    }
    loki = _source("Loki", LOKI, "loki", "http://loki:3100")
    loki["jsonData"] = {
        "derivedFields": [
            {
                "name": "Trace",
                "matcherType": "label",
                "matcherRegex": TRACE_ID,
                "url": _variable("${__value.raw}"),
                "urlDisplayLabel": "Open the trace",
                "datasourceUid": JAEGER,
            }
        ]
    }
    jaeger = _source("Jaeger", JAEGER, "jaeger", "http://jaeger:16686")
    jaeger["jsonData"] = {
        "tracesToLogsV2": {
            "datasourceUid": LOKI,
            "spanStartTimeShift": "-5m",
            "spanEndTimeShift": "5m",
            "tags": [{"key": "service.name", "value": "service_name"}],
            "customQuery": True,
            "query": _variable(f'{{${{__tags}}}} | {TRACE_ID}="${{__trace.traceId}}"'),
        },
        "nodeGraph": {"enabled": True},
        "traceIdTimeParams": {"enabled": True},
    }
    return {"apiVersion": 1, "datasources": [prometheus, loki, jaeger]}


def provider() -> dict[str, Any]:
    """Return where Grafana finds the dashboards; changes that are made in it are not kept."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "clarity",
                "folder": "Clarity",
                "folderUid": "clarity",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": DASHBOARDS_FOLDER},
            }
        ],
    }


def to_yaml(value: dict[str, Any], about: str) -> str:
    """Return YAML that needs no library: JSON under a comment."""
    comment = f"# {about} Written by `python -m clarity_otel.stack.grafana.generate`.\n"
    return comment + json.dumps(value, indent=2) + "\n"


def _source(name: str, uid: str, kind: str, url: str) -> dict[str, Any]:
    return {
        "name": name,
        "uid": uid,
        "type": kind,
        "access": "proxy",
        "url": url,
        "editable": False,
    }
