"""What the API answers to hostile input, and what each question has."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from clarity_otel.store.decode import decode_logs, decode_metrics, decode_spans
from clarity_otel.store.production.engine import Given
from clarity_otel.store.query import TooLongError
from clarity_otel.web.alerts import Alerts
from clarity_otel.web.questions import QUESTIONS
from tests.receiver.client import AsgiClient
from tests.store.conftest import Store
from tests.store.messages import failure, logs, metrics, pair, traces
from tests.web.test_web import SHOWN, begin, client

__all__ = ["begin", "client"]

MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u2028{{7*7}}\u202e"


def ask(client: AsgiClient, path: str, **parameters: str) -> Any:
    """Return an answer that must be one: JSON, never to be taken for a page."""
    answer = client.get(f"/api{path}", params=parameters, headers=SHOWN)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.json()


class TestHostile:
    @pytest.fixture
    def hostile(self, store: Store) -> str:
        """Markup in every field of every signal; returns the trace's id."""
        request = traces(1, service="shop", text=MARKUP)
        request.resource_spans[0].resource.attributes.append(pair("service.version", MARKUP))
        span = request.resource_spans[0].scope_spans[0].spans[0]
        span.status.message = MARKUP
        span.attributes.extend(
            [
                pair("http.request.header.x", MARKUP),
                pair("url.query", MARKUP),
                pair(MARKUP, MARKUP),
            ]
        )
        event = span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano)
        event.attributes.extend(
            pair(f"exception.{name}", MARKUP) for name in ("type", "message", "stacktrace")
        )
        store.take(decode_spans(request, 1))
        store.take(decode_logs(logs(MARKUP, trace_id=span.trace_id, text=MARKUP), 1))
        store.take(decode_metrics(metrics(text=MARKUP), 1))
        return span.trace_id.hex()

    def test_markup_in_every_field_comes_back_as_text(
        self, client: AsgiClient, hostile: str
    ) -> None:
        """The same text, in JSON, in each answer that has any."""
        service = "shop" + MARKUP
        answers = {
            question.path: ask(
                client,
                question.path.replace("{trace_id}", hostile),
                service=service,
                name="queue.size" + MARKUP,
            )
            for question in QUESTIONS
            if question.path not in ("/logs", "/metrics/points", "/metrics/series")
        }
        for path in ("/logs", "/metrics/points", "/metrics/series"):
            answers[path] = ask(client, path, name="queue.size" + MARKUP)
        for path, answer in answers.items():
            if path in ("/heatmap", "/series"):
                assert answer["rows"], path  # numbers alone
            else:
                assert MARKUP in texts(answer), path
        assert answers["/versions"]["rows"][0]["version"] == MARKUP
        assert answers["/errors"]["rows"][0]["message"] == MARKUP
        found = ask(client, "/traces", attribute=f"url.query={MARKUP}")
        assert [row["trace_id"] for row in found["rows"]] == [hostile]

    def test_markup_in_a_parameter_is_not_drawn(self, client: AsgiClient) -> None:
        """Errors are JSON too."""
        answer = client.get("/api/traces", params={"least_ms": MARKUP}, headers=SHOWN)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
    def test_what_is_no_number_is_null(self, client: AsgiClient, store: Store, value: str) -> None:
        """And costs nobody else a point."""
        request: ExportMetricsServiceRequest = metrics(float(value))
        store.take(decode_metrics(request, 1))
        (row,) = ask(client, "/metrics/points", name="queue.size")["rows"]
        assert row["value"] is None
        assert ask(client, "/metrics/series", name="queue.size")["rows"] == []
        assert len(ask(client, "/metrics")["rows"]) == 2

    @pytest.mark.parametrize(
        ("path", "parameters"),
        [
            ("/traces", {"attribute": 'a"]; DROP TABLE spans; --=1'}),
            ("/traces", {"attribute": "$.*=1"}),
            ("/traces", {"route": "'; DROP TABLE spans; --"}),
            ("/traces", {"text": "%_\\"}),
            ("/series", {"service": "x" * 4000}),
            ("/metrics/series", {"by": '"]}', "name": "x"}),
            ("/heatmap", {"service": "\x00"}),
            ("/attributes", {"service": "' OR 1=1"}),
        ],
        ids=str,
    )
    def test_parameters_are_values(
        self, client: AsgiClient, store: Store, path: str, parameters: dict[str, str]
    ) -> None:
        """Never SQL, never a pattern, never a path."""
        store.take(decode_spans(traces(1), 1))
        assert ask(client, path, **parameters)["rows"] == []
        assert len(ask(client, "/traces")["rows"]) == 1


def texts(value: Any) -> set[str]:
    """Return all text in an answer, keys included, and what is in that as JSON."""
    if isinstance(value, str):
        return {value, *value.partition(MARKUP)[1:2]}
    if isinstance(value, dict):
        return set().union(*(texts(one) for pair_ in value.items() for one in pair_))
    if isinstance(value, list):
        return set().union(*(texts(one) for one in value))
    return set()


class TestQuestions:
    def test_versions_are_told_apart(self, client: AsgiClient, store: Store) -> None:
        """Newest first; RED of one version alone."""
        now_ns = time.time_ns()
        for version, count, minutes in (("1", 3, 10), ("2", 2, 2)):
            request = traces(count, start_ns=now_ns - minutes * 60 * 10**9)
            resource = request.resource_spans[0].resource
            resource.attributes.append(pair("service.version", version))
            store.take(decode_spans(request, 1))
        rows = ask(client, "/versions", service="shop")["rows"]
        assert [(row["version"], row["requests"]) for row in rows] == [("2", 2), ("1", 3)]
        assert rows[0]["first_ns"] > rows[1]["first_ns"]
        for path in ("/services", "/endpoints", "/series"):
            (row,) = ask(client, path, service="shop", version="2")["rows"]
            assert row["requests"] == 2

    def test_a_heatmap_has_every_request(self, client: AsgiClient, store: Store) -> None:
        """In buckets that hold its duration."""
        store.take(decode_spans(traces(10), 1))
        rows = ask(client, "/heatmap", service="shop")["rows"]
        buckets = [bucket for row in rows for bucket in row["buckets"]]
        assert sum(count for _, _, count in buckets) == 10
        for lower, upper, _ in buckets:
            assert 0.8 < lower < upper < 13
        assert ask(client, "/heatmap", service="other")["rows"] == []

    def test_errors_have_a_trend(self, client: AsgiClient, store: Store) -> None:
        """Whose counts are all of the group."""
        for _ in range(7):
            store.take(decode_spans(failure(), 1))
        (row,) = ask(client, "/errors")["rows"]
        assert sum(count for _, count in row["trend"]) == row["count"] == 7
        assert row["trend_step_s"] == 60
        assert len(set(row["trace_ids"])) == 5

    def test_attributes_are_told_with_frequent_values(
        self, client: AsgiClient, store: Store
    ) -> None:
        """To help a search."""
        store.take(decode_spans(traces(30), 1))
        rows = {row["name"]: row for row in ask(client, "/attributes")["rows"]}
        assert rows["http.request.method"]["values"] == [["GET", 30]]
        assert rows["url.path"]["count"] == 30
        assert len(rows["url.path"]["values"]) == 20

    def test_an_answer_that_takes_too_long_is_said(
        self, begin: Callable[..., AsgiClient], store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As 503 with a sentence."""

        def slow(*_: Any) -> Any:
            raise TooLongError("The answer would take more than 10 s")

        monkeypatch.setattr(store.query, "services", slow, raising=False)
        answer = begin().get("/api/services", headers=SHOWN)
        assert answer.status_code == 503
        assert answer.json() == {"error": "The answer would take more than 10 s."}


class TestAlerts:
    """Against answers as Alertmanager's and Prometheus' documents have them."""

    @pytest.fixture
    def serve(self) -> Any:
        """Serve a body at every path; return the address."""
        servers: list[HTTPServer] = []

        def start(body: Any, status: int = 200) -> str:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response(status)
                    self.send_header("location", "http://127.0.0.1:1/")
                    self.end_headers()
                    self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

                def log_message(self, *_: Any) -> None:
                    pass

            servers.append(HTTPServer(("127.0.0.1", 0), Handler))
            Thread(target=servers[-1].serve_forever, args=(0.05,), daemon=True).start()
            return f"http://127.0.0.1:{servers[-1].server_port}"

        yield start
        for server in servers:
            server.shutdown()
            server.server_close()

    def test_without_an_address_it_says_how(self, client: AsgiClient) -> None:
        """And nothing is made up."""
        answer = ask(client, "/alerts")
        assert (answer["configured"], answer["rows"]) == (False, [])
        assert "CLARITY_ALERTMANAGER_URL" in answer["how"]

    def test_what_fires_comes_first(
        self, begin: Callable[..., AsgiClient], serve: Callable[..., str]
    ) -> None:
        """From Alertmanager; what is pending from Prometheus; what is silenced last."""

        def alert(name: str, state: str, **notes: str) -> dict[str, Any]:
            return {
                "labels": {"alertname": name, "severity": "critical"},
                "annotations": notes,
                "startsAt": "2026-01-02T03:04:05.123456789Z",
                "activeAt": "2026-01-02T03:04:05.5Z",
                "status": {"state": state},
                "state": state,
            }

        manager = serve(
            [
                alert("Silenced", "suppressed"),
                alert("HighErrorRate", "active", summary=MARKUP, runbook_url="javascript:alert(1)"),
            ]
        )
        prometheus = serve(
            {
                "data": {
                    "alerts": [
                        alert("HighErrorRate", "firing"),
                        alert("Slow", "pending", runbook_url="https://example.com/slow"),
                    ]
                }
            }
        )
        answer = ask(begin(alerts=Alerts(Given(manager), Given(prometheus))), "/alerts")
        assert (answer["configured"], answer["how"]) == (True, "")
        assert [(row["name"], row["state"]) for row in answer["rows"]] == [
            ("HighErrorRate", "firing"),
            ("Slow", "pending"),
            ("Silenced", "suppressed"),
        ]
        first, second, _ = answer["rows"]
        assert (first["summary"], first["runbook_url"]) == (MARKUP, "")
        assert first["since_ns"] == 1767323045123456000
        assert second["runbook_url"] == "https://example.com/slow"
        alone = ask(begin(alerts=Alerts(prometheus=Given(prometheus))), "/alerts")
        assert [row["state"] for row in alone["rows"]] == ["firing", "pending"]

    @pytest.mark.parametrize(
        ("body", "status", "said"),
        [
            (b"<html>", 200, "form"),
            ([{"labels": 7}], 200, "form"),
            ({"data": None}, 200, "form"),
            (b"[" * 100_000, 200, "form"),
            (b"", 500, "answered 500"),
            (b"", 302, "a redirect, which is not followed"),
        ],
    )
    def test_what_cannot_be_asked_is_said(
        self,
        begin: Callable[..., AsgiClient],
        serve: Callable[..., str],
        body: Any,
        status: int,
        said: str,
    ) -> None:
        """In a sentence, and the page is answered; redirects are not followed."""
        answer = ask(begin(alerts=Alerts(Given(serve(body, status)))), "/alerts")
        assert answer["configured"]
        assert answer["rows"] == []
        assert said in answer["how"]

    @pytest.mark.parametrize("address", ["file:///etc/passwd", "http://", "http://a:b"])
    def test_an_address_that_is_none_is_said(self, address: str) -> None:
        """At the start, with the setting's name."""
        with pytest.raises(ValueError, match="CLARITY_ALERTMANAGER_URL"):
            Alerts(Given(address))
