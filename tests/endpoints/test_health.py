"""/health says the truth about the pipeline, and /openapi.json about all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastapi
import jsonschema
import pytest

from clarity_otel import endpoints
from clarity_otel.endpoints import openapi, table
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import GROUPS
from tests.backends.otlp_http_stub import OK, OtlpHttpStub, refused
from tests.backends.process import LOOPBACK, free_port, wait_until
from tests.endpoints.conftest import PREFIX, Service
from tests.logs.conftest import ENGINES

HEALTH = PREFIX + "/health"
both_engines = pytest.mark.parametrize("engine", ENGINES)
SCHEMA = openapi.document()["paths"][HEALTH]["get"]["responses"]["200"]["content"][
    "application/json"
]["schema"]


def sending_to(endpoint: str) -> dict[str, str]:
    """Return the variables of a service that sends its spans soon."""
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer seeded-secret-value",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }


def health(service: Service) -> Any:
    """Return what health says, which its schema describes."""
    reply = service.ask(HEALTH)
    assert b"seeded-secret-value" not in reply.body
    jsonschema.validate(reply.json, SCHEMA)
    assert reply.status == (200 if reply.json["status"] == "ok" else 503)
    return reply.json


@pytest.mark.slow
@both_engines
def test_a_pipeline_that_delivers_is_well(
    engine: str, serve: Callable[..., Service], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """Where it goes, when it last arrived, how much was made, and what is patched."""
    stub = otlp_http_stub()
    with_password = stub.endpoint.replace("://", "://user:seeded-secret-value@")
    service = serve(engine=engine, **sending_to(with_password))
    assert health(service)["signals"]["traces"]["last_export"] is None
    service.ask("/level")
    said = wait_until(
        lambda: (now := health(service))["signals"]["traces"]["last_export"] and now, "an export"
    )
    assert said["status"] == "ok"
    assert said["engine"] == engine
    assert said["problems"] == []
    assert said["versions"]["fastapi"] == fastapi.__version__
    traces = said["signals"]["traces"]
    assert stub.endpoint in traces["target"]
    assert (traces["made"], traces["exported"], traces["waiting"]) == (1, 1, 0)
    assert traces["last_error"] is None
    assert set(traces["dropped"].values()) == {0}
    assert traces["spooled_bytes"] is None, "tests are without a spool, unless they ask for one"
    assert said["metrics"]["on"]
    assert said["libraries"]["fastapi"] == "patched"
    assert said["masking"]["on"]
    assert said["masking"]["failed"] == 0
    assert said["internal_errors"] == {}


@pytest.mark.slow
@both_engines
def test_a_collector_that_is_not_there_is_said(
    engine: str, serve: Callable[..., Service], tmp_path: Path
) -> None:
    """503, with what is wrong in words; the native engine keeps what it has made on disk."""
    port = free_port()
    spool = {"CLARITY_SPOOL_DIR": str(tmp_path / "spool"), "CLARITY_SPOOL_LIMIT": "100000"}
    # Without many attempts.
    soon = {"OTEL_EXPORTER_OTLP_TIMEOUT": "500", "OTEL_BSP_EXPORT_TIMEOUT": "700"}
    service = serve(engine=engine, **sending_to(f"http://{LOOPBACK}:{port}"), **soon, **spool)
    assert health(service)["status"] == "ok"
    service.ask("/level")
    said = wait_until(lambda: (now := health(service))["problems"] and now, "the failure")
    assert said["status"] == "failing"
    traces = said["signals"]["traces"]
    assert traces["consecutive_failures"] >= 1
    assert traces["last_error"] in said["problems"][0]
    assert traces["last_error_at"]
    if engine == "native":
        assert str(port) in traces["last_error"]
        kept = wait_until(
            lambda: (now := health(service)["signals"]["traces"])["spooled"] and now, "a spool"
        )
        assert (kept["spooled"], kept["recovered"]) == (1, 0)
        on_disk = [path.stat().st_size for path in tmp_path.rglob("*-traces.spool")]
        assert kept["spooled_bytes"] == sum(on_disk) > 0
    else:
        assert traces["spooled_bytes"] is None


@pytest.mark.slow
def test_it_gets_well_again(
    serve: Callable[..., Service], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """The next export that arrives ends the 503; what was lost is still counted."""
    stub = otlp_http_stub()
    stub.always(refused(400))
    service = serve(**sending_to(stub.endpoint))
    service.ask("/level")
    wait_until(lambda: health(service)["status"] == "failing", "the failure")
    stub.always(OK)
    service.ask("/level")
    wait_until(lambda: health(service)["status"] == "ok", "the recovery")
    traces = health(service)["signals"]["traces"]
    assert traces["last_error"]
    assert traces["dropped"]["rejected"] == 1


def test_the_document_names_every_endpoint() -> None:
    """Each path and method stands in it once, with unique operation ids and whole references."""
    document = openapi.document()
    described = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item
    }
    assert described == {
        (endpoint.path, method) for endpoint in table.endpoints() for method in endpoint.operations
    }
    operations = [op for item in document["paths"].values() for op in item.values()]
    assert len({op["operationId"] for op in operations}) == len(operations)
    for operation in operations:
        for response in operation["responses"].values():
            for media in response.get("content", {}).values():
                if "$ref" not in media["schema"]:
                    jsonschema.Draft202012Validator.check_schema(media["schema"])


def test_the_document_is_openapi() -> None:
    """A validator of OpenAPI 3.1 has no complaint."""
    from openapi_spec_validator import OpenAPIV31SpecValidator

    OpenAPIV31SpecValidator(openapi.document()).validate()


def test_the_list_names_the_groups_of_the_catalog() -> None:
    """Every family stands in its group, every endpoint with what it is."""
    request = table.Request("GET", {}, "", b"")
    listed = json.loads(openapi.show_list(request).body)
    schema = openapi.document()["paths"][PREFIX]["get"]["responses"]["200"]
    jsonschema.validate(listed, schema["content"]["application/json"]["schema"])
    for group in GROUPS:
        names = [family.prometheus_name for family in CATALOG if family.group == group]
        assert listed["metrics"][group] == names
    paths = {row["path"]: row for row in listed["endpoints"]}
    below = ("", "/health", "/metrics/summary", "/stream", "/log-level", "/openapi.json")
    assert paths.keys() >= {"/metrics", *(PREFIX + path for path in below)}
    assert [path for path, row in paths.items() if row["is_websocket"]] == [PREFIX + "/stream"]


def test_others_register_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered is found by its path, and described."""
    monkeypatch.setattr(table, "_endpoints", {})
    answer = endpoints.Answer(200, b"up 1\n", {"content-type": "text/plain"})
    operation = endpoints.Operation(lambda request: answer, "All metrics")
    endpoints.register(endpoints.Endpoint("/metrics", GET=operation))
    assert table.find("/metrics/") is not None
    assert table.find(HEALTH) is not None
    assert openapi.document()["paths"]["/metrics"]["get"]["summary"] == "All metrics"
