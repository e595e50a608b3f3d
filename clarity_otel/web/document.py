"""The OpenAPI 3.1 document of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarity_otel.web.questions import QUESTIONS

if TYPE_CHECKING:
    from clarity_otel.web.questions import Question

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "A sentence."}},
}
_PIPELINE = (
    "requests: OTLP requests by how they went (accepted, partial, bad, busy); items: stored, "
    "dropped, refused, flushes; queue_fullness (0 to 1); live_clients; store: bytes on disk and "
    "limit_bytes; telemetry: what each service tells of its own, null where it tells nothing: "
    "service, spans_per_s, logs_per_s, "
    "dropped (counts by reason), queue_bytes, queue_ratio, masked (counts by rule), retries, "
    "internal_errors."
)
_ALERTS = (
    "configured: whether Alertmanager or Prometheus is; how: a sentence where it is not, or where "
    "it could not be asked; rows: name, severity, state (firing, pending, suppressed), since_ns, "
    "summary, runbook_url, labels."
)
_LIVE = (
    "A WebSocket of JSON texts. The client may say {type: subscribe, topics: [requests, logs, "
    "errors, services, pipeline], service, severity, text}, {type: pause} and {type: resume}. The "
    "server says {type: hello, seq, interval_ms, resumed} first and after each resume, and {type: "
    "delta, seq, skipped, requests, logs, errors, services, pipeline} when there is something: "
    "rows of requests have trace_id, span_id, service, name, method, route, http_status, start_ns, "
    "duration_ms, is_error; of logs what /api/logs has; of errors service, type, message, "
    "trace_id, time_ns; of services service, requests, errors, duration_ms_sum. It closes with "
    "1008 for a message that it does not understand, 1009 for one of more than 16 KiB, and "
    "1013 when nothing was read for 5 seconds."
)


def document() -> dict[str, Any]:
    """Return the document."""
    from clarity_otel import __version__

    paths: dict[str, Any] = {f"/api{one.path}": {"get": _operation(one)} for one in QUESTIONS}
    within = dict(list(QUESTIONS[0].parameters.items())[:2])
    paths["/api/pipeline"] = {
        "get": {
            "summary": "What the receiver has taken, and what services tell of their telemetry.",
            "parameters": _parameters(within),
            "responses": _responses({"type": "object", "description": _PIPELINE}),
        }
    }
    paths["/api/alerts"] = {
        "get": {
            "summary": "Alerts of Alertmanager or Prometheus.",
            "responses": _responses({"type": "object", "description": _ALERTS}),
        }
    }
    paths["/api/live"] = {
        "get": {
            "summary": "What is accepted, as it is accepted.",
            "description": _LIVE,
            "parameters": _parameters({"after": "Go on after this seq of an earlier connection."}),
            "responses": {
                "101": {"description": "The WebSocket."},
                "403": {"description": "Without the token, or from another page."},
                "503": {"description": "64 clients look already."},
            },
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clarity OTel dashboard", "version": __version__},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR},
        },
        "security": [{"token": []}],
        "paths": paths,
    }


def _operation(question: Question) -> dict[str, Any]:
    listed = _parameters(question.parameters)
    if "{trace_id}" in question.path:
        schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
        listed.append({"name": "trace_id", "in": "path", "required": True, "schema": schema})
    responses = _responses(_schema(question))
    if "{trace_id}" in question.path:
        responses["404"] = _error("There is no such trace.")
    return {"summary": question.summary, "parameters": listed, "responses": responses}


def _schema(question: Question) -> dict[str, Any]:
    if not question.row:
        return {"type": "object", "description": question.more}
    row = {"type": "object", "description": f"Has {question.row}."}
    rows = {"type": "array", "items": row}
    schema: dict[str, Any] = {"type": "object", "required": ["rows"], "properties": {"rows": rows}}
    if "limit" in question.parameters:
        schema["properties"] |= {"next": {"type": "string"}, "reached_ns": {"type": "integer"}}
    if question.more:
        schema["description"] = f"Beside the rows: {question.more}"
    return schema


def _parameters(described: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in described.items()
    ]


def _responses(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "200": {"description": "The answer.", "content": {"application/json": {"schema": schema}}},
        "400": _error("A parameter is wrong, as `error` says."),
        "501": _error("No engine that is read has the answer; `error` names the option."),
        "502": _error("The engine that is read does not answer."),
        "503": _error("The answer would take too long, as `error` says."),
    }


def _error(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
