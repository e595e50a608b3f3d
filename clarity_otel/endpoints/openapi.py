"""What there is: as a list at the root, and as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clarity_otel import __version__
from clarity_otel.endpoints import table
from clarity_otel.endpoints.table import PREFIX, Answer, Endpoint, Operation, Request
from clarity_otel.endpoints.table import in_json as _in_json

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "A sentence."}},
}


def show_list(request: Request) -> Answer:
    """Return every endpoint with its methods and what they do, and what is measured."""
    from clarity_otel.metrics.catalog import CATALOG
    from clarity_otel.metrics.family import GROUPS

    found = [
        {
            "path": endpoint.path,
            "method": method,
            "summary": operation.summary,
            "is_websocket": endpoint.websocket is not None,
        }
        for endpoint in table.endpoints()
        for method, operation in endpoint.operations.items()
    ]
    groups = {
        group: [family.prometheus_name for family in CATALOG if family.group == group]
        for group in GROUPS
    }
    return _in_json({"clarity-otel": __version__, "endpoints": found, "metrics": groups})


def show_document(request: Request) -> Answer:
    """Return the OpenAPI document."""
    return _in_json(document())


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of all endpoints."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clarity OTel, in the service", "version": __version__},
        "security": [{"token": []}, {}],
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "CLARITY_TOKEN; direct callers from the same machine may read "
                    "without.",
                }
            },
            "schemas": {"Error": _ERROR},
        },
        "paths": {
            endpoint.path: {
                method.lower(): _operation(endpoint, method, operation)
                for method, operation in endpoint.operations.items()
            }
            for endpoint in table.endpoints()
        },
    }


def _operation(endpoint: Endpoint, method: str, operation: Operation) -> dict[str, Any]:
    described = dict(operation.described)
    body = described.pop("body", None)
    responses = described.pop("responses", {"200": {"description": operation.summary}})
    name = endpoint.path.removeprefix(PREFIX).strip("/") or "index"
    return {
        "operationId": f"{method.lower()}_{re.sub('[^a-z0-9]', '_', name)}",
        "summary": operation.summary,
        **described,
        **({"requestBody": {"required": True, "content": _json(body)}} if body else {}),
        "responses": {
            **{status: _response(status, response) for status, response in responses.items()},
            "401": _response("401", {"description": "The token is asked for, and not shown"}),
        },
    }


def _response(status: str, response: Mapping[str, Any]) -> dict[str, Any]:
    schema = response.get("schema")
    if schema is None and status >= "400":
        schema = {"$ref": "#/components/schemas/Error"}
    content = response.get("content") or (_json(schema) if schema else None)
    described = {"description": response["description"]}
    return {**described, "content": content} if content else described


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


_LIST = {
    "type": "object",
    "required": ["clarity-otel", "endpoints", "metrics"],
    "properties": {
        "clarity-otel": {"type": "string"},
        "endpoints": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "method", "summary", "is_websocket"],
                "properties": {
                    "path": {"type": "string"},
                    "method": {"type": "string"},
                    "summary": {"type": "string"},
                    "is_websocket": {"type": "boolean"},
                },
            },
        },
        "metrics": {
            "type": "object",
            "description": "Names of the catalog's families, by group.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}

ROOT = Endpoint(
    PREFIX,
    GET=Operation(
        show_list,
        "What there is",
        {"responses": {"200": {"description": "Endpoints and metrics", "schema": _LIST}}},
    ),
)
ENDPOINT = Endpoint(
    f"{PREFIX}/openapi.json",
    GET=Operation(
        show_document,
        "All of it as an OpenAPI document",
        {"responses": {"200": {"description": "OpenAPI 3.1", "schema": {"type": "object"}}}},
    ),
)
