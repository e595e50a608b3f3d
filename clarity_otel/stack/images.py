"""The images of Compose and Kubernetes, by name: pinned here and nowhere else.

What the tests build of the same programs is of the versions in tests/backends: as near to
these as the Go module proxy has them.
"""

from __future__ import annotations

IMAGES: dict[str, str] = {
    "otel-collector": "otel/opentelemetry-collector-contrib:0.160.0",
    "prometheus": "prom/prometheus:v3.14.0",
    "alertmanager": "prom/alertmanager:v0.28.1",
    "jaeger": "jaegertracing/jaeger:2.17.0",
    "loki": "grafana/loki:3.7.8",
    "grafana": "grafana/grafana:12.4.0",
    "node-exporter": "prom/node-exporter:v1.11.1",
    "cadvisor": "gcr.io/cadvisor/cadvisor:v0.55.1",
    "redis-exporter": "oliver006/redis_exporter:v1.69.0",
    "redis": "redis:7.4-alpine",
    "aws": "motoserver/moto:5.1.4",
    "probe": "busybox:1.37.0-musl",
    "python": "python:3.12-slim",
}
