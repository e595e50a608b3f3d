"""What Grafana is given at its start: data sources that know each other, and the dashboards.

Addresses are the names that the programs have in Compose and in Kubernetes.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.stack.place import COMPOSE
from clarity_otel.stack.yaml_text import to_yaml

PROMETHEUS, LOKI, JAEGER = "clarity-prometheus", "clarity-loki", "clarity-jaeger"
# The exemplars' label, and the structured metadata of a log line.
TRACE_ID = "trace_id"
DASHBOARDS_FOLDER = f"{COMPOSE.config}/grafana/dashboards"
# Of Prometheus in observability/prometheus: Grafana's shortest rate is four times that.
SCRAPE_INTERVAL = "15s"


def _variable(text: str) -> str:
    """Escape what Grafana fills in later: it would put an environment variable there."""
    return text.replace("$", "$$")


def datasources() -> dict[str, Any]:
    """Return the data sources: from a point to its trace, from a line to it, and back."""
    prometheus = _source("Prometheus", PROMETHEUS, "prometheus", _address("prometheus"))
    prometheus["isDefault"] = True
    prometheus["jsonData"] = {
        "httpMethod": "POST",
        "timeInterval": SCRAPE_INTERVAL,
        "exemplarTraceIdDestinations": [{"name": TRACE_ID, "datasourceUid": JAEGER}],
    }
    loki = _source("Loki", LOKI, "loki", _address("loki"))
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
    jaeger = _source("Jaeger", JAEGER, "jaeger", f"http://{COMPOSE.address('jaeger', 'query')}")
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


def files() -> dict[str, str]:
    """Return each file's text by its path in observability/grafana."""
    written = "Written by `python -m clarity_otel.stack.grafana.generate`."
    return {
        "provisioning/datasources/clarity.yml": to_yaml(
            datasources(), f"Data sources that lead to each other. {written}"
        ),
        "provisioning/dashboards/clarity.yml": to_yaml(
            provider(), f"Where Grafana finds the dashboards. {written}"
        ),
    }


def _address(program: str) -> str:
    return f"http://{COMPOSE.address(program)}"


def _source(name: str, uid: str, kind: str, url: str) -> dict[str, Any]:
    return {
        "name": name,
        "uid": uid,
        "type": kind,
        "access": "proxy",
        "url": url,
        "editable": False,
    }
