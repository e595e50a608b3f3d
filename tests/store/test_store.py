"""What is sent is found again: masked, grouped, by pages, and after a restart."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clarity_otel.store import retention
from clarity_otel.store.answers.sampling import between
from clarity_otel.store.decode import decode_metrics
from clarity_otel.store.decode.stacks import place_of
from clarity_otel.store.file import (
    TABLE_FILES,
    StoreNotOwnError,
    open_store,
    own_files_alone,
)
from clarity_otel.store.query import LogFilter, Range, TraceFilter
from tests.store.conftest import Store
from tests.store.decoding import decode_logs, decode_spans
from tests.store.generate import generate
from tests.store.messages import failure, logs, metrics, pair, traces

SECRETS = "ann@example.com Bearer abcdefghijklmnop123456 password=hunter2"
XSS = "<script>alert(1)</script>'; DROP TABLE spans; --\x00\u202e"


def about_now() -> Range:
    """Ten minutes back, one ahead."""
    now = time.time_ns()
    return Range(now - 600 * 10**9, now + 60 * 10**9)


def everything(store: Store) -> str:
    """All that is stored, as text."""
    cursor = store.connection.cursor()
    found = [cursor.execute(f"SELECT * FROM {table}").fetchall() for table in TABLE_FILES]
    return repr(found)


@pytest.mark.parametrize(
    ("frames", "own"),
    [
        (
            [
                'File "/v/lib/python3.11/site-packages/uvicorn/a.py", line 3, in run',
                'File "/srv/shop/app.py", line 9, in pay',
                'File "/v/lib64/python3.12/json/decoder.py", line 9, in decode',
                'File "<frozen runpy>", line 1, in _run_code',
            ],
            "app.py:pay",
        ),
        (
            ['File "/v/site-packages/clarity_otel/demo/shop.py", line 9, in pay'],
            "shop.py:pay",
        ),
        (
            [
                "at pay (/srv/pay.js:3:4)",
                "at go (/srv/node_modules/a.js:9:5)",
                "at node:internal:1",
            ],
            "at pay (/srv/pay.js::)",
        ),
        (
            ["at shop.Pay.charge(Pay.java:3)", "at java.base/java.lang.Thread.run(Thread.java:1)"],
            "at shop.Pay.charge(Pay.java:)",
        ),
        (['File "/v/site-packages/a.py", line 3, in run'], "a.py:run"),
    ],
    ids=["Python", "the demo", "JavaScript", "Java", "no frame of the app"],
)
def test_an_error_is_at_the_apps_own_frames(frames: list[str], own: str) -> None:
    """Without those of libraries and of the runtime, unless there are no others."""
    assert place_of("\n".join(f"  {frame}" for frame in frames)) == own


@pytest.mark.usefixtures("either_decoder")
class TestQueries:
    def test_a_trace_is_found_with_its_spans_and_logs(self, store: Store) -> None:
        """By the list of traces, then by its id, with every span and the log record."""
        request = traces(3)
        trace_id = request.resource_spans[0].scope_spans[0].spans[0].trace_id
        store.take(decode_spans(request, 1))
        store.take(decode_logs(logs("in it", trace_id=trace_id), 1))
        page = store.query.traces(about_now(), TraceFilter(), "", 50)
        assert {row["spans"] for row in page.rows} == {3}
        assert trace_id.hex() in [row["trace_id"] for row in page.rows]
        found = store.query.trace(trace_id.hex())
        assert found is not None
        assert [span["name"] for span in found["spans"]].count("GET /orders/{id}") == 1
        assert len(found["spans"]) == 3
        assert [record["body"] for record in found["logs"]] == ["in it"]
        assert store.query.trace("0" * 31 + "1") is None
        assert store.query.trace("no id") is None

    def test_a_trace_in_two_batches_is_one(self, store: Store) -> None:
        """Children that arrive before their root are summed up with it."""
        whole = traces(1)
        child = ExportTraceServiceRequest.FromString(whole.SerializeToString())
        del child.resource_spans[0].scope_spans[0].spans[0]
        del whole.resource_spans[0].scope_spans[0].spans[1:]
        store.take(decode_spans(child, 1))
        store.take(decode_spans(whole, 1))
        (row,) = store.query.traces(about_now(), TraceFilter(), "", 50).rows
        assert (row["spans"], row["name"]) == (3, "GET /orders/{id}")

    def test_a_request_that_no_route_matched_is_known_by_its_path(self, store: Store) -> None:
        """Bounded; whatever else is told as a path is shown as it is."""
        for path in ("/nowhere", "/" + "long" * 100, 7, None):
            request = traces(1)
            root = request.resource_spans[0].scope_spans[0].spans[0]
            del root.attributes[1:3]
            root.name = "GET"
            if path is not None:
                root.attributes.append(pair("url.path", path))
            store.take(decode_spans(request, 1))
        store.take(decode_spans(traces(1), 1))
        rows = store.query.traces(about_now(), TraceFilter(), "", 50).rows
        told = {(row["name"], row["path"]) for row in rows}
        without = {("GET", path) for path in ("/nowhere", "/" + "long" * 49 + "lon", "7", None)}
        assert told == {*without, ("GET /orders/{id}", None)}

    def test_red_counts_server_spans(self, store: Store) -> None:
        """Rate, errors and duration come from the rollups, with quantiles within 10%."""
        store.take(decode_spans(traces(100), 1))
        store.take(decode_spans(failure(), 1))
        (row,) = store.query.services(about_now())
        assert (row["service"], row["requests"], row["errors"]) == ("shop", 101, 1)
        # Durations are 1 to 10 ms, ten of each.
        assert row["p50_ms"] == pytest.approx(5, rel=0.15)
        assert row["p99_ms"] == pytest.approx(10, rel=0.15)
        (endpoint,) = store.query.endpoints(about_now(), "shop")
        assert (endpoint["method"], endpoint["route"]) == ("GET", "/orders/{id}")
        assert store.query.endpoints(about_now(), "other") == []
        assert sum(point["requests"] for point in store.query.series(about_now(), "shop")) == 101

    def test_a_rate_is_of_the_time_that_is_known(self, store: Store) -> None:
        """What was before the store's first span is no lull; what was after it is one."""
        second_ns = 10**9
        # Within one minute, of which sums are kept.
        now_ns = time.time_ns() // (60 * second_ns) * 60 * second_ns - 10 * second_ns
        store.take(decode_spans(traces(60, start_ns=now_ns - 30 * second_ns), 1))
        for since_s, known_s in ((900, 30), (20, 20)):
            within = Range(now_ns - since_s * second_ns, now_ns)
            (row,) = store.query.services(within)
            assert row["rate"] == pytest.approx(60 / known_s)
            for call in store.query.service_map(within):
                assert call["rate"] == pytest.approx(60 / known_s)

    def test_a_quantile_is_enclosed_by_what_so_few_requests_can_tell(self, store: Store) -> None:
        """By whole buckets, as PromQL's histograms are; of twenty requests p95 has no bound."""
        store.take(decode_spans(traces(100), 1))  # 1 to 10 ms, ten of each
        store.take(decode_spans(traces(20, service="few"), 1))
        shop, few = store.query.services(about_now())
        # Ranks 39.4 to 60.6: 4 to 7 ms. Ranks 90.4 to 99.6: 10 ms.
        assert shop["p50_between_ms"] == pytest.approx([2 ** (47 / 4) / 1000, 2 ** (52 / 4) / 1000])
        assert shop["p95_between_ms"] == pytest.approx([2 ** (53 / 4) / 1000, 2 ** (54 / 4) / 1000])
        assert few["p95_between_ms"][1] is None
        assert few["p50_between_ms"][0] < 4 < 7 < few["p50_between_ms"][1]
        below = [(bound, 10.0 * bound) for bound in range(1, 11)]
        assert between(below, 0.5) == (3, 7)
        assert between([*below[:-1], (math.inf, 100.0)], 0.95) == (9, None)
        assert "p95_between_ms" not in store.query.series(about_now(), "shop")[0]

    def test_compaction_changes_no_answer(self, store: Store) -> None:
        """Partial sums become one row, and RED stays what it was."""
        for _ in range(5):
            store.take(decode_spans(traces(10), 1))
        before = [row["requests"] for row in store.query.services(about_now())]
        cursor = store.connection.cursor()
        count = "SELECT count(*) FROM red_minute"
        rows_before = cursor.execute(count).fetchall()
        retention.compact(cursor, "red_minute", 0, time.time_ns() // 60_000_000_000 + 1)
        assert cursor.execute(count).fetchall() < rows_before
        assert [row["requests"] for row in store.query.services(about_now())] == before

    def test_errors_are_grouped_by_type_and_stack(self, store: Store) -> None:
        """Line numbers, folders and messages make no new group; another service does."""
        store.take(decode_spans(failure(line=1, folder="/a", message="one"), 1))
        store.take(decode_spans(failure(line=7, folder="/b/c", message="two"), 1))
        store.take(decode_spans(failure(service="till"), 1))
        groups = store.query.errors(about_now())
        assert [(group["service"], group["count"]) for group in groups] == [
            ("shop", 2),
            ("till", 1),
        ]
        assert len(groups[0]["trace_ids"]) == 2

    def test_one_exception_counts_once_whoever_tells_it(self, store: Store) -> None:
        """A span and a log record in it, with other frames of libraries around the app's."""
        around = '  File "/x/lib/python3.11/site-packages/web/{0}.py", line 9, in call\n'
        for frames in (around.format("one"), around.format("two")):
            request = failure()
            span = request.resource_spans[0].scope_spans[0].spans[0]
            attributes = span.events[0].attributes
            own = attributes[2].value.string_value
            attributes[2].value.string_value = frames + own
            record = logs("failed", trace_id=span.trace_id)
            told = record.resource_logs[0].scope_logs[0].log_records[0]
            told.span_id = span.span_id
            told.attributes.extend(attributes)
            told.attributes[2].value.string_value = around.format("server") + frames + own
            store.take(decode_spans(request, 1))
            store.take(decode_logs(record, 1))
        (group,) = store.query.errors(about_now())
        assert (group["count"], len(group["trace_ids"])) == (2, 2)
        assert sum(count for _start, count in group["trend"]) == 2

    def test_an_exception_that_a_span_tells_again_counts_again(self, store: Store) -> None:
        """As of a loop that tries and fails: the same stack, twice in one span."""
        request = failure()
        events = request.resource_spans[0].scope_spans[0].spans[0].events
        events.append(events[0])
        store.take(decode_spans(request, 1))
        assert [group["count"] for group in store.query.errors(about_now())] == [2]

    def test_exceptions_without_a_trace_have_their_own_times(self, store: Store) -> None:
        """As of a job that fails each hour, with the same words."""
        of_span = failure().resource_spans[0].scope_spans[0].spans[0].events[0].attributes
        now_ns = time.time_ns()
        for at_ns in (now_ns - 120 * 10**9, now_ns):
            record = logs("failed")
            told = record.resource_logs[0].scope_logs[0].log_records[0]
            told.time_unix_nano = at_ns
            told.attributes.extend(of_span)
            store.take(decode_logs(record, 1))
        (group,) = store.query.errors(about_now())
        assert (group["count"], group["trace_ids"]) == (2, [])
        assert [count for _start, count in group["trend"]] == [1, 1]

    def test_pages_give_every_trace_once(self, store: Store) -> None:
        """A cursor goes on where the page ended, also among spans of one nanosecond."""
        store.take(decode_spans(traces(25, start_ns=time.time_ns()), 1))
        seen, cursor = [], ""
        while True:
            page = store.query.traces(about_now(), TraceFilter(), cursor, 10)
            seen += [row["trace_id"] for row in page.rows]
            cursor = page.next
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == 25
        with pytest.raises(ValueError, match="cursor"):
            store.query.traces(about_now(), TraceFilter(), "1; DROP TABLE spans", 10)

    @pytest.mark.parametrize(
        ("wanted", "count"),
        [
            (TraceFilter(service="shop"), 11),
            (TraceFilter(service="other"), 0),
            (TraceFilter(route="/orders/{id}"), 11),
            (TraceFilter(only_errors=True), 1),
            (TraceFilter(least_ms=9.5), 1),
            (TraceFilter(most_ms=1.5), 2),
            (TraceFilter(http_status=404), 0),
            (TraceFilter(text="/orders/7"), 1),
            (TraceFilter(attributes={"url.path": "/orders/3"}), 1),
            (TraceFilter(attributes={'"]; DROP': "x"}), 0),
        ],
    )
    def test_traces_are_filtered(self, store: Store, wanted: TraceFilter, count: int) -> None:
        """Each filter keeps the traces that fit and no other."""
        store.take(decode_spans(traces(10), 1))
        store.take(decode_spans(failure(), 1))
        assert len(store.query.traces(about_now(), wanted, "", 50).rows) == count

    def test_logs_are_filtered(self, store: Store) -> None:
        """By text, severity and service."""
        store.take(decode_logs(logs("Hello there"), 1))
        found = store.query.logs(about_now(), LogFilter(text="hello", least_severity=9), "", 5)
        assert [row["body"] for row in found.rows] == ["Hello there"]
        assert store.query.logs(about_now(), LogFilter(least_severity=10), "", 5).rows == []

    def test_metric_points_keep_buckets_and_exemplars(self, store: Store) -> None:
        """A histogram's point is stored whole, with the trace of its exemplar."""
        store.take(decode_metrics(metrics(2.5), 1))
        assert [row["name"] for row in store.query.metric_names(about_now())] == [
            "http.server.request.duration",
            "queue.size",
        ]
        (gauge,) = store.query.metric(about_now(), "queue.size")
        assert (gauge["value"], gauge["attributes"]) == (2.5, {"queue": "orders"})
        (point,) = store.query.metric(about_now(), "http.server.request.duration")
        assert point["detail"] == {"bounds": [0.1], "buckets": [1, 2]}
        assert point["exemplars"][0]["trace_id"] == bytes(range(16)).hex()

    def test_the_map_has_who_calls_whom(self, store: Store) -> None:
        """Client spans make edges."""
        store.take(decode_spans(traces(4), 1))
        edges = {
            (row["service"], row["peer"], row["calls"])
            for row in store.query.service_map(about_now())
        }
        assert edges == {("shop", "redis", 4), ("shop", "stock", 4)}

    def test_a_call_is_of_what_is_called(self, store: Store) -> None:
        """An AWS service by its name whatever its address, in both forms of the conventions."""
        at = {"server.address": "127.0.0.1"}
        aws = at | {"rpc.system": "aws-api"}
        calls: list[tuple[dict[str, str], str]] = [
            (aws | {"rpc.service": "DynamoDB", "db.system": "dynamodb"}, "DynamoDB"),
            (aws | {"rpc.service": "SQS", "messaging.system": "aws_sqs"}, "SQS"),
            (at | {"rpc.system.name": "aws-api", "rpc.method": "S3/ListBuckets"}, "S3"),
            (aws | {"rpc.service": "KMS", "peer.service": "keys"}, "keys"),
            (aws, "127.0.0.1"),
            (at | {"rpc.system": "grpc", "rpc.service": "shop.Orders"}, "127.0.0.1"),
            (at | {"db.system.name": "postgresql"}, "postgresql"),
        ]
        request = traces(1)
        spans = request.resource_spans[0].scope_spans[0].spans
        del spans[1:]
        for number, (attributes, _) in enumerate(calls):
            span = spans.add()
            span.CopyFrom(spans[0])
            span.span_id, span.kind = (number + 1).to_bytes(8, "big"), 3
            del span.attributes[:]
            span.attributes.extend(pair(*one) for one in attributes.items())
        store.take(decode_spans(request, 1))
        found = {row["peer"]: row["calls"] for row in store.query.service_map(about_now())}
        assert found == Counter(peer for _, peer in calls)

    def test_a_call_is_of_the_service_that_answers(self, store: Store) -> None:
        """Whatever the address; at another port of it, where nothing of ours answers, it is not."""
        request = traces(1, service="front")
        spans = request.resource_spans[0].scope_spans[0].spans
        del spans[1:]
        back = request.resource_spans.add()
        back.resource.attributes.append(pair("service.name", "back"))
        served = back.scope_spans.add().spans
        for number, (port, is_answered) in enumerate(
            [(1, True), (1, True), (1, False), (2, False)]
        ):
            call = spans.add()
            call.CopyFrom(spans[0])
            call.span_id, call.kind = (number + 1).to_bytes(8, "big"), 3
            call.parent_span_id, call.status.code = spans[0].span_id, 1 if is_answered else 2
            del call.attributes[:]
            call.attributes.extend([pair("server.address", "::1"), pair("server.port", port)])
            if is_answered:
                answer = served.add()
                answer.CopyFrom(spans[0])
                answer.span_id, answer.parent_span_id = (
                    (number + 9).to_bytes(8, "big"),
                    call.span_id,
                )
        store.take(decode_spans(request, 1))
        found = {
            (row["service"], row["peer"]): (row["calls"], row["errors"])
            for row in store.query.service_map(about_now())
        }
        assert found == {("front", "back"): (3, 1), ("front", "::1"): (1, 1)}


@pytest.mark.usefixtures("either_decoder")
class TestHostileInput:
    def test_secrets_are_masked_in_every_field(self, store: Store) -> None:
        """Names, attributes, events, links, statuses, bodies, labels, resources, scopes."""
        text = f" {SECRETS}"
        store.take(decode_spans(traces(1, text=text), 1))
        store.take(decode_spans(failure(message=SECRETS), 1))
        store.take(decode_logs(logs(text=text), 1))
        store.take(decode_metrics(metrics(text=text), 1))
        stored = everything(store)
        assert "[masked:email]" in stored
        for secret in ("ann@example.com", "abcdefghijklmnop", "hunter2"):
            assert secret not in stored

    def test_a_secret_under_its_key_is_masked(self, store: Store) -> None:
        """Also where the value alone tells nothing."""
        request = traces(1)
        request.resource_spans[0].scope_spans[0].spans[0].attributes.append(
            pair("db.password", "correct horse")
        )
        store.take(decode_spans(request, 1))
        assert "correct horse" not in everything(store)

    def test_text_comes_back_as_it_was(self, store: Store) -> None:
        """Markup, SQL, NUL and direction marks are text like any other."""
        store.take(decode_spans(traces(1, text=XSS), 1))
        store.take(decode_logs(logs(text=XSS), 1))
        (row,) = store.query.traces(about_now(), TraceFilter(), "", 5).rows
        assert row["name"] == "GET /orders/{id}" + XSS
        (record,) = store.query.logs(about_now(), LogFilter(), "", 5).rows
        assert record["attributes"] == {"what": XSS}

    def test_odd_values_lose_no_batch(self, store: Store) -> None:
        """Times beyond 2^63, an end before its start, NaN, bytes, unknown enums."""
        request = traces(3)
        spans = request.resource_spans[0].scope_spans[0].spans
        spans[0].start_time_unix_nano = 2**64 - 1
        spans[0].kind = 99
        spans[3].end_time_unix_nano = 0
        spans[3].status.code = 77
        spans[6].attributes.extend([pair("nan", float("nan")), pair("raw", b"\xff\x00")])
        store.take(decode_spans(request, 1))
        rows = store.connection.cursor().execute("SELECT attributes FROM spans").fetchall()
        assert len(rows) == 9
        assert all(json.loads(row[0]) for row in rows)

    def test_spans_without_ids_are_refused(self) -> None:
        """They are counted, and the others are taken."""
        request = traces(2)
        spans = request.resource_spans[0].scope_spans[0].spans
        spans[0].trace_id = b""
        spans[1].span_id = b"\0" * 8
        batch, refused, why = decode_spans(request, 1)
        assert (len(batch.rows["spans"]), refused) == (4, 2)
        assert "trace id" in why


@pytest.mark.usefixtures("either_decoder")
class TestWriter:
    def test_a_full_queue_refuses(self, open_at: Callable[..., Store]) -> None:
        """Bounded in bytes; one batch is always taken by an empty queue."""
        store = open_at(queue_limit_bytes=100)
        big = decode_spans(traces(1), 1000)[0]
        with store.writer._condition:  # what waits is not written meanwhile
            assert store.writer.offer(big)
            assert store.writer.is_full
            assert not store.writer.offer(decode_spans(traces(1), 1000)[0])
        assert store.writer.counts["refused"] == 1

    def test_close_writes_what_waits(self, open_at: Callable[..., Store]) -> None:
        """And the next process finds it."""
        first = open_at()
        assert first.writer.offer(decode_spans(traces(7), 1)[0])
        first.close()
        second = open_at()
        assert len(second.query.traces(about_now(), TraceFilter(), "", 50).rows) == 7


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """Others can read what is made, and the test may change that."""
    before = os.umask(0o022)
    yield
    os.umask(before)


class TestFile:
    @pytest.mark.parametrize("content", [b"this is no database" * 500, b"\0" * 20_000])
    def test_a_broken_file_is_moved_aside(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
    ) -> None:
        """With a sentence; its bytes are kept, and a new store is begun."""
        path = tmp_path / "store.duckdb"
        path.write_bytes(content)
        open_store(path).close()
        (aside,) = tmp_path.glob("store.duckdb.broken-*")
        assert aside.read_bytes() == content
        assert str(aside) in capsys.readouterr().err

    def test_a_file_with_damage_within_is_moved_aside(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One that begins as a database does; no other process has it open."""
        path = tmp_path / "store.duckdb"
        open_store(path).close()
        content = path.read_bytes()
        path.write_bytes(content[:12_288] + b"\xff" * (len(content) - 12_288))
        open_store(path).close()
        assert list(tmp_path.glob("store.duckdb.broken-*"))
        assert "block" in capsys.readouterr().err

    def test_a_folder_is_refused_and_left_as_it_is(self, tmp_path: Path) -> None:
        """It is the user's: neither its mode nor its name changes."""
        path = tmp_path / "mine"
        path.mkdir()
        path.chmod(0o755)
        with pytest.raises(StoreNotOwnError, match=r"is no file.*CLARITY_STORE"):
            open_store(path)
        assert path.stat().st_mode & 0o777 == 0o755
        assert list(tmp_path.iterdir()) == [path]

    def test_what_the_system_refuses_moves_no_file(self, tmp_path: Path) -> None:
        """Without a free descriptor, room or rights a store is as good as it was."""
        resource = pytest.importorskip("resource")
        path = tmp_path / "store.duckdb"
        open_store(path).close()
        free = os.dup(0)
        os.close(free)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            with pytest.raises(OSError, match=r"The store .* cannot be opened .*Too many open"):
                open_store(path)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert not list(tmp_path.glob("*.broken-*"))
        open_store(path).close()

    def test_the_file_is_the_owners_alone(self, store: Store) -> None:
        """Nobody else on the machine reads it."""
        assert store.path.stat().st_mode & 0o077 == 0

    @pytest.mark.usefixtures("usual_umask")
    def test_the_files_log_is_the_owners_alone(self, tmp_path: Path) -> None:
        """What is written first lies there, and each checkpoint begins another."""
        own_files_alone()
        path = tmp_path / "store.duckdb"
        open_store(path).close()
        with open_store(path) as connection:
            for number in range(3):
                connection.execute("INSERT INTO resources VALUES (?, 'shop', '{}')", [number])
                assert (tmp_path / "store.duckdb.wal").stat().st_mode & 0o077 == 0
                connection.execute("CHECKPOINT")
                assert not (tmp_path / "store.duckdb.wal").exists()

    @pytest.mark.usefixtures("usual_umask")
    def test_opening_a_store_changes_no_umask(self, tmp_path: Path) -> None:
        """A new store's log is closed to others all the same: it holds the tables."""
        with open_store(tmp_path / "store.duckdb"):
            assert (tmp_path / "store.duckdb.wal").stat().st_mode & 0o077 == 0
        (tmp_path / "mine").touch()
        assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o644

    def test_a_file_that_was_open_to_others_is_closed(self, tmp_path: Path) -> None:
        """One that was made by hand, or copied, is read by others no longer."""
        path = tmp_path / "store.duckdb"
        open_store(path).close()
        path.chmod(0o644)
        open_store(path).close()
        assert path.stat().st_mode & 0o077 == 0

    def test_a_file_of_somebody_else_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who has put it there could read what comes in."""
        path = tmp_path / "store.duckdb"
        open_store(path).close()
        nobody = path.stat().st_uid + 1
        monkeypatch.setattr(os, "geteuid", lambda: nobody)
        with pytest.raises(StoreNotOwnError, match="another user"):
            open_store(path)


class TestRetention:
    def test_what_is_too_old_goes(self, store: Store) -> None:
        """From all tables."""
        old_ns = time.time_ns() - 10 * 86_400 * 10**9
        store.take(decode_spans(traces(5, start_ns=old_ns), 1))
        store.take(decode_spans(traces(2), 1))
        cursor = store.connection.cursor()
        assert retention.enforce(cursor, retention.Limits(age_days=7), time.time_ns())
        for table, count in (("spans", 6), ("traces", 2)):
            assert cursor.execute(f"SELECT count(*) FROM {table}").fetchall() == [(count,)]

    def test_beyond_the_size_the_oldest_goes(self, tmp_path: Path) -> None:
        """Until the data fits, and the newest stays."""
        now_ns = time.time_ns()
        hour_ns = 3600 * 10**9
        # Without a writer: what it does now and then would hold blocks that are to be freed.
        cursor = open_store(tmp_path / "store.duckdb")
        # Blocks are freed by row groups of 122,880 rows: fewer rows would prove nothing.
        generate(cursor, 1_000_000, now_ns - hour_ns, now_ns)
        limit = retention.used_bytes(cursor) // 2
        assert retention.enforce(cursor, retention.Limits(size_bytes=limit), now_ns)
        assert retention.used_bytes(cursor) <= limit
        oldest, newest = cursor.execute(
            "SELECT min(start_ns), max(start_ns) FROM spans"
        ).fetchall()[0]
        assert oldest > now_ns - hour_ns
        assert newest > now_ns - hour_ns // 60
        cursor.close()


def test_a_store_in_use_is_left_alone(store: Store, tmp_path: Path) -> None:
    """Another process is told so, and the file stays where it is."""
    program = """
import pathlib, sys
from clarity_otel.store.file import StoreInUseError, open_store
try:
    open_store(pathlib.Path(sys.argv[1]))
except StoreInUseError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, store.path], capture_output=True, text=True, timeout=60
    )
    assert "open in another process" in done.stdout, done.stderr
    assert not list(tmp_path.glob("*.broken-*"))


def test_a_file_of_before_paths_takes_them(tmp_path: Path) -> None:
    """Its traces have none, and what comes has them."""
    path = tmp_path / "store.duckdb"
    with open_store(path) as connection:
        connection.execute("ALTER TABLE traces DROP COLUMN root_path")
    with open_store(path) as connection:
        columns = connection.execute("SELECT * FROM traces").description
        assert columns[-1][0] == "root_path"
