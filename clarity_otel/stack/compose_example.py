"""The example in Compose: the shop, instrumented by its command and variables alone."""

from __future__ import annotations

from typing import Any

from clarity_otel import __version__
from clarity_otel.stack.containers import NOBODY, health, healthy, python_connects, service

TOKEN = "${CLARITY_TOKEN:?set it to a long random text: dashboard and services ask for it}"


def example() -> dict[str, Any]:
    """Return the shop, what it calls, and the run that fills it."""
    image: dict[str, Any] = {
        "image": f"clarity-otel-shop:{__version__}",
        "build": {"context": ".", "dockerfile": "examples/docker/Dockerfile"},
        "pull_policy": "build",
    }
    surroundings = {
        "REDIS_URL": "redis://shop-redis:6379/0",
        "AWS_ENDPOINT_URL": "http://shop-aws:5000",
        "AWS_REGION": "eu-central-1",
        # What moto takes for an account: nothing of AWS is asked.
        "AWS_ACCESS_KEY_ID": "example",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {
        "shop": service(
            "shop",
            **image,
            user=NOBODY,
            ports=["127.0.0.1:8000:8000"],
            environment={
                **surroundings,
                "BACKEND_URL": "http://shop-stock:8000",
                "CLARITY_TOKEN": TOKEN,
                "OTEL_SERVICE_NAME": "shop",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4317",
                # Scraped at /metrics: by OTLP as well, each number would be there twice.
                "OTEL_METRICS_EXPORTER": "prometheus",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=example",
            },
            depends_on={
                **healthy("shop-redis", "shop-stock"),
                "shop-seed": {"condition": "service_completed_successfully"},
            },
            healthcheck=health(python_connects(8000)),
        ),
        "shop-stock": service(
            "shop",
            **image,
            user=NOBODY,
            command=[
                *("clarity-instrument", "uvicorn", "clarity_otel.demo.stock:app"),
                *("--host", "0.0.0.0"),
            ],
            environment={
                "OTEL_SERVICE_NAME": "stock",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4317",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=example",
            },
            healthcheck=health(python_connects(8000)),
        ),
        "shop-seed": {
            **service("shop", **image, user=NOBODY, healthcheck={"disable": True}),
            "command": ["python", "-m", "examples.shop.seed"],
            "environment": surroundings,
            "depends_on": healthy("shop-redis", "shop-aws"),
            "restart": "on-failure:3",
        },
        "shop-redis": service(
            "redis",
            user="999:1000",
            command=["redis-server", "--save", "", "--appendonly", "no"],
            healthcheck=health(["redis-cli", "ping"]),
        ),
        "shop-aws": service(
            "aws",
            user=NOBODY,
            healthcheck=health(python_connects(5000)),
        ),
    }
