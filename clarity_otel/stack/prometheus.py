"""Prometheus' configuration: OTLP in and scrapes, rules, where alerts go.

`job` is the service's name on both ways in: by OTLP Prometheus sets it from service.name,
and a target's file sets it for what is scraped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel.stack.sizes import SIZES
from clarity_otel.stack.yaml_text import to_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clarity_otel.stack.place import Place

COMMENT = """\
Prometheus. Written by `python -m clarity_otel.stack.generate` from
clarity_otel/stack/prometheus.py; change it there.
Paths count from this file: rules are ../*rules.yml (alert-rules.yml, recording-rules.yml and
your own) and ../rules/*.yml; services to scrape are targets/*.yml beside it."""

TARGETS_COMMENT = """\
Services that Prometheus scrapes at /metrics: `job` is the service's name. Add files of your
own beside this one; they are read again when they change. A service that is scraped sends no
metrics by OTLP as well (OTEL_METRICS_EXPORTER=prometheus): each number would be there twice."""

RULE_FILES = ("../*rules.yml", "../rules/*.yml")
TARGET_FILES = ("targets/*.yml",)
# What a series of a resource keeps of it as labels, beside job and instance.
_PROMOTED = ("service.namespace", "service.version", "deployment.environment.name")
# What stands beside the services: program -> (what it listens with, path).
_PROGRAMS = {
    "otel-collector": ("metrics", "/metrics"),
    "alertmanager": ("web", "/metrics"),
    "jaeger": ("metrics", "/metrics"),
    "loki": ("web", "/metrics"),
    "grafana": ("web", "/metrics"),
    "node-exporter": ("web", "/metrics"),
    "cadvisor": ("web", "/metrics"),
    "redis-exporter": ("web", "/metrics"),
}


def config(
    place: Place,
    *,
    rule_files: Sequence[str] = RULE_FILES,
    target_files: Sequence[str] = TARGET_FILES,
    token_file: str = "",
    interval_s: int = 15,
) -> dict[str, Any]:
    """Return the configuration.

    `interval_s` is how often is scraped and rules are evaluated. `token_file` holds the
    services' CLARITY_TOKEN; empty where they are on this machine and ask for none.
    """
    services: dict[str, Any] = {
        "job_name": "services",
        "file_sd_configs": [{"files": list(target_files), "refresh_interval": "30s"}],
    }
    if token_file:
        services["authorization"] = {"credentials_file": token_file}
    beside = [_scrape(place, "prometheus", "web", "/metrics")]
    beside += [
        _scrape(place, program, what, path)
        for program, (what, path) in _PROGRAMS.items()
        if program in place.programs
    ]
    alertmanagers = (
        [{"static_configs": [{"targets": [place.address("alertmanager")]}]}]
        if "alertmanager" in place.programs
        else []
    )
    return {
        "global": {
            "scrape_interval": f"{interval_s}s",
            "scrape_timeout": f"{min(interval_s, 10)}s",
            "evaluation_interval": f"{interval_s}s",
        },
        "otlp": {
            # The names of docs/metrics.md: http_server_request_duration_seconds.
            "translation_strategy": "UnderscoreEscapingWithSuffixes",
            "promote_resource_attributes": list(_PROMOTED),
        },
        "storage": {
            # Batches that waited in the Collector's queue are older than what came since.
            "tsdb": {"out_of_order_time_window": "30m"},
            "exemplars": {"max_exemplars": 100_000},
        },
        "rule_files": list(rule_files),
        "alerting": {"alertmanagers": alertmanagers},
        "scrape_configs": [services, *beside],
    }


def arguments(place: Place, config_file: str) -> list[str]:
    """Return what Prometheus is started with: size and time of what it keeps among it."""
    size = SIZES["prometheus"]
    # The write-ahead log and a block in the making come on top of what the limit counts.
    limit_mb = size.disk_bytes * 8 // 10 // 1000**2
    return [
        f"--config.file={config_file}",
        f"--storage.tsdb.path={place.data['prometheus']}",
        f"--storage.tsdb.retention.time={size.days}d",
        f"--storage.tsdb.retention.size={limit_mb}MB",
        f"--web.listen-address={place.listen('prometheus')}",
        "--web.enable-otlp-receiver",
        "--enable-feature=exemplar-storage",
    ]


def files(place: Place) -> dict[str, str]:
    """Return the files of observability/, by their path in it."""
    shop = [{"targets": ["shop:8000"], "labels": {"job": "shop"}}]
    return {
        "prometheus/prometheus.yml": to_yaml(config(place, token_file=TOKEN_FILE), COMMENT),
        "prometheus/targets/shop.yml": to_yaml(shop, TARGETS_COMMENT),
    }


TOKEN_FILE = "/run/secrets/clarity-token"


def _scrape(place: Place, program: str, what: str, path: str) -> dict[str, Any]:
    return {
        "job_name": program,
        "metrics_path": path,
        "static_configs": [{"targets": [place.address(program, what)]}],
    }
