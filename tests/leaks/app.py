"""A service with the development middleware that nobody took out: it logs everything."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import prometheus_client
from fastapi import FastAPI, Request, Response
from opentelemetry import metrics, trace
from starlette.datastructures import FormData

logging.basicConfig(level=logging.DEBUG)
logger = logging.getLogger("clinic")
tracer = trace.get_tracer("clinic")
# Labels of what a caller sent, as nobody should make them.
seen = prometheus_client.Counter("clinic_seen", "Bodies that were seen.", ["body"])
sizes = metrics.get_meter("clinic").create_histogram("clinic.body.size", "By")
app = FastAPI(title="clinic")

if os.environ.get("LEAKS_BREAK_THE_MASKER"):
    from clarity_otel._native import mask_configure

    mask_configure(broken=True)


@app.middleware("http")
async def log_everything(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Write headers, query and body to the log and to the span, in many shapes."""
    body = (await request.body()).decode()
    headers = dict(request.headers)
    logger.debug("raw headers %r", request.scope["headers"])
    logger.info("%s %s headers=%s", request.method, request.url, headers)
    logger.info("body: %s", body, extra={"headers": headers, "query": dict(request.query_params)})
    logger.info(f"body again: {body!r}")  # noqa: G004 - as people write it
    logger.info("form %s", FormData(parse_qsl(body)))
    span = trace.get_current_span()
    span.set_attribute("http.request.body", body)
    span.set_attributes({f"header.{name}": value for name, value in headers.items()})
    span.add_event("request", {"body": body, "url": str(request.url)})
    seen.labels(body[:200]).inc()
    sizes.record(len(body), {"url": str(request.url), "cookie": headers.get("cookie", "")})
    with tracer.start_as_current_span(f"handle {request.url.path} {body[:200]}") as inner:
        inner.set_attribute("headers", [f"{name}: {value}" for name, value in headers.items()])
        try:
            content: Any = json.loads(body)
        except ValueError:
            content = {"text": body}
        logger.warning("parsed", extra={"content": content})
        return await call_next(request)


@app.post("/echo")
async def echo(request: Request) -> dict[str, int]:
    """Answer with nothing of what came in."""
    return {"bytes": len(await request.body())}


@app.get("/patients/{patient}")
async def read_patient(patient: str) -> dict[str, int]:
    """Log what stands in the path."""
    logger.info("reading %s", patient)
    return {"length": len(patient)}


@app.post("/fail")
async def fail(request: Request) -> None:
    """Fail twice with the body in both messages, as a driver does with its URL."""
    url = (await request.body()).decode()
    try:
        raise ConnectionError(f"cannot connect to {url}")
    except ConnectionError as error:
        logger.exception("connection failed")
        raise RuntimeError(f"giving up on {url}") from error
