"""Jaeger's configuration: OTLP in, Badger on one disk, its pages and query API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel.stack.sizes import SIZES
from clarity_otel.stack.yaml_text import to_yaml

if TYPE_CHECKING:
    from clarity_otel.stack.place import Place

COMMENT = """\
Jaeger 2. Written by `python -m clarity_otel.stack.generate` from
clarity_otel/stack/jaeger.py; change it there. Badger is for one machine; docs/scaling.md has
the storage of more."""
_STORE = "traces_on_disk"


def config(place: Place) -> dict[str, Any]:
    """Return the configuration. Spans are kept for the days of its size.

    Badger has no limit of bytes: `thresholds.TRACE_DISK_FREE_BYTES` is where an alert fires.
    """
    data = place.data["jaeger"]
    return {
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": place.listen("jaeger", "grpc")},
                    "http": {"endpoint": place.listen("jaeger", "http")},
                }
            }
        },
        "processors": {"batch": {}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": _STORE}},
        "extensions": {
            "healthcheckv2": {
                "use_v2": True,
                "http": {"endpoint": place.listen("jaeger", "health")},
            },
            "jaeger_storage": {
                "backends": {
                    _STORE: {
                        "badger": {
                            "directories": {
                                "keys": str(data / "keys"),
                                "values": str(data / "values"),
                            },
                            "ephemeral": False,
                            "ttl": {"spans": f"{SIZES['jaeger'].days * 24}h"},
                        }
                    }
                }
            },
            "jaeger_query": {
                "storage": {"traces": _STORE},
                "http": {"endpoint": place.listen("jaeger", "query")},
                "grpc": {"endpoint": place.listen("jaeger", "query-grpc")},
            },
        },
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["batch"],
                    "exporters": ["jaeger_storage_exporter"],
                }
            },
            # How full its disk is, among others: nothing else bounds or tells it.
            "telemetry": {
                "metrics": {
                    "level": "normal",
                    "readers": [{"pull": {"exporter": {"prometheus": _own_metrics(place)}}}],
                }
            },
        },
    }


def _own_metrics(place: Place) -> dict[str, Any]:
    host, _, port = place.listen("jaeger", "metrics").rpartition(":")
    return {"host": host, "port": int(port), "without_type_suffix": True}


def files(place: Place) -> dict[str, str]:
    """Return the files of observability/, by their path in it."""
    return {"jaeger/config.yml": to_yaml(config(place), COMMENT)}
