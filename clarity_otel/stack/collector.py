"""The Collector's configuration: OTLP in; Jaeger, Prometheus and Loki out.

A queue on disk stands before each of them, so that one that is away loses nothing until
the queue is full, and a restart of the Collector sends what waited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel.stack.sizes import MIB, SIZES
from clarity_otel.stack.thresholds import SLOW_RESPONSE_P99_S
from clarity_otel.stack.yaml_text import to_yaml

if TYPE_CHECKING:
    from clarity_otel.stack.place import Place

COMMENT = """\
OpenTelemetry Collector. Written by `python -m clarity_otel.stack.generate` from
clarity_otel/stack/collector.py; change it there.
spanmetrics is left out: the services count their requests themselves, sampled or not."""

# What ours send, and other senders' names for it. Loki has it as `correlation_id`.
CORRELATION_ID = "correlation.id"
_OTHER_NAMES = ("correlation_id", "correlationId", "x-correlation-id", "x_correlation_id")
# One request of the queue is one batch. What a batch may be is what Loki takes in one.
_BATCH_ITEMS = 2048
_QUEUE_SHARES = {"jaeger": 0.5, "loki": 0.4, "prometheus": 0.1}


def config(
    place: Place, *, tail_sampling: bool = False, batch_timeout_s: float = 1.0
) -> dict[str, Any]:
    """Return the configuration. Exporters of programs that do not run are left out.

    With `tail_sampling` the Collector keeps whole traces for 10 s and then decides: errors
    and slow ones are kept, of the others a tenth. It needs all spans of a trace in one
    Collector.
    """
    exporters = _exporters(place)
    to = {
        "traces": [name for name in exporters if name.endswith("/jaeger")],
        "metrics": [name for name in exporters if name.endswith("/prometheus")],
        "logs": [name for name in exporters if name.endswith("/loki")],
    }
    if not all(to.values()):  # a pipeline needs an end: what has none is counted and dropped
        exporters["nop"] = None
    steps = {
        "traces": ["memory_limiter", *(["tail_sampling"] if tail_sampling else []), "batch"],
        "metrics": ["memory_limiter", "batch"],
        "logs": ["memory_limiter", "transform/logs", "batch"],
    }
    return {
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": place.listen("otel-collector", "grpc")},
                    "http": {"endpoint": place.listen("otel-collector", "http")},
                }
            }
        },
        "processors": {
            # First in each pipeline: refuses before memory ends, and senders try again.
            "memory_limiter": {
                "check_interval": "1s",
                "limit_mib": SIZES["otel-collector"].memory_bytes * 8 // 10 // MIB,
                "spike_limit_mib": SIZES["otel-collector"].memory_bytes * 2 // 10 // MIB,
            },
            **({"tail_sampling": _tail_sampling()} if tail_sampling else {}),
            "transform/logs": _transform_logs(),
            "batch": {
                "timeout": f"{batch_timeout_s * 1000:.0f}ms",
                "send_batch_size": _BATCH_ITEMS,
                "send_batch_max_size": _BATCH_ITEMS,
            },
        },
        "exporters": exporters,
        "extensions": {
            "health_check": {"endpoint": place.listen("otel-collector", "health")},
            "file_storage/queue": {
                "directory": str(place.data["otel-collector"] / "queue"),
                "create_directory": True,
                "timeout": "5s",
                "compaction": {
                    "directory": str(place.data["otel-collector"] / "queue"),
                    "on_rebound": True,
                },
            },
        },
        "service": {
            "extensions": ["health_check", "file_storage/queue"],
            "pipelines": {
                signal: {
                    "receivers": ["otlp"],
                    "processors": steps[signal],
                    "exporters": to[signal] or ["nop"],
                }
                for signal in to
            },
            "telemetry": {
                "logs": {"encoding": "json"},
                "metrics": {
                    "level": "normal",
                    "readers": [{"pull": {"exporter": {"prometheus": _own_metrics(place)}}}],
                },
            },
        },
    }


def files(place: Place, *, tail_sampling: bool = False) -> dict[str, str]:
    """Return the files of observability/, by their path in it."""
    return {"collector/config.yml": to_yaml(config(place, tail_sampling=tail_sampling), COMMENT)}


def _own_metrics(place: Place) -> dict[str, Any]:
    host, _, port = place.listen("otel-collector", "metrics").rpartition(":")
    return {"host": host, "port": int(port), "without_type_suffix": True}


def _exporters(place: Place) -> dict[str, Any]:
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "jaeger": (
            "otlp_grpc",
            {"endpoint": place.address("jaeger", "grpc"), "tls": {"insecure": True}},
        ),
        "prometheus": (
            "otlp_http",
            {"endpoint": f"http://{place.address('prometheus')}/api/v1/otlp"},
        ),
        "loki": ("otlp_http", {"endpoint": f"http://{place.address('loki')}/otlp"}),
    }
    return {
        f"{kind}/{program}": {**to, **_never_lost(program)}
        for program, (kind, to) in wanted.items()
        if program in place.programs
    }


def _never_lost(program: str) -> dict[str, Any]:
    """A queue on disk, bounded in bytes; tried again until it is sent or the queue is full."""
    disk_bytes = SIZES["otel-collector"].disk_bytes
    return {
        "sending_queue": {
            "storage": "file_storage/queue",
            "sizer": "bytes",
            "queue_size": int(disk_bytes * _QUEUE_SHARES[program]),
            "num_consumers": 4,
        },
        "retry_on_failure": {
            "initial_interval": "1s",
            "max_interval": "30s",
            "max_elapsed_time": "0s",  # no end: the queue's size is the limit
        },
    }


def _transform_logs() -> dict[str, Any]:
    """The correlation id as an attribute of each record: Loki's structured metadata.

    As an attribute of the resource it could become a label, with a stream for each request.
    """
    wanted = f'log.attributes["{CORRELATION_ID}"]'
    found = [f'log.attributes["{name}"]' for name in _OTHER_NAMES]
    found += [f'resource.attributes["{name}"]' for name in (CORRELATION_ID, *_OTHER_NAMES)]
    taken = [f"set({wanted}, {one}) where {wanted} == nil and {one} != nil" for one in found]
    dropped = [f'delete_key(log.attributes, "{name}")' for name in _OTHER_NAMES]
    cleaned = [
        f'delete_key(resource.attributes, "{name}")' for name in (CORRELATION_ID, *_OTHER_NAMES)
    ]
    return {
        "error_mode": "ignore",
        "log_statements": [
            {"statements": [*taken, *dropped]},
            {"statements": cleaned},
        ],
    }


def _tail_sampling() -> dict[str, Any]:
    return {
        "decision_wait": "10s",
        "num_traces": 50_000,
        "policies": [
            {
                "name": "errors",
                "type": "status_code",
                "status_code": {"status_codes": ["ERROR"]},
            },
            {
                "name": "slow",
                "type": "latency",
                "latency": {"threshold_ms": int(SLOW_RESPONSE_P99_S.limit * 1000)},
            },
            {
                "name": "a-tenth",
                "type": "probabilistic",
                "probabilistic": {"sampling_percentage": 10},
            },
        ],
    }
