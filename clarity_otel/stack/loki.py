"""Loki's configuration: one process, OTLP in, retention on, few labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel.stack.sizes import SIZES
from clarity_otel.stack.yaml_text import to_yaml

if TYPE_CHECKING:
    from clarity_otel.stack.place import Place

COMMENT = """\
Loki. Written by `python -m clarity_otel.stack.generate` from clarity_otel/stack/loki.py;
change it there."""

# Labels make streams: only what there are few of. All else, the correlation id, trace id and
# pod among it, is structured metadata of each line.
LABELS = ("service.name", "service.namespace", "deployment.environment.name")


def config(place: Place) -> dict[str, Any]:
    """Return the configuration."""
    data = place.data["loki"]
    _, _, port = place.listen("loki").rpartition(":")
    _, _, grpc_port = place.listen("loki", "grpc").rpartition(":")
    return {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": place.listen_on,
            "http_listen_port": int(port),
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": int(grpc_port),
            "log_level": "warn",
        },
        "common": {
            "path_prefix": str(data),
            "replication_factor": 1,
            "instance_addr": "127.0.0.1",
            "ring": {"instance_addr": "127.0.0.1", "kvstore": {"store": "inmemory"}},
            "storage": {
                "filesystem": {
                    "chunks_directory": str(data / "chunks"),
                    "rules_directory": str(data / "rules"),
                }
            },
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        # One process has no ring to wait for.
        "ingester": {"lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"}},
        # Looked for every 10 s by default: so long it would not be ready after its start.
        "frontend": {"scheduler_dns_lookup_period": "1s"},
        "compactor": {
            "working_directory": str(data / "compactor"),
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
        "limits_config": {
            "retention_period": f"{SIZES['loki'].days * 24}h",
            "allow_structured_metadata": True,
            "otlp_config": {
                "resource_attributes": {
                    "ignore_defaults": True,
                    "attributes_config": [{"action": "index_label", "attributes": list(LABELS)}],
                }
            },
            "max_query_length": f"{SIZES['loki'].days * 24}h",
            "volume_enabled": True,
        },
    }


def files(place: Place) -> dict[str, str]:
    """Return the files of observability/, by their path in it."""
    return {"loki/config.yml": to_yaml(config(place), COMMENT)}
