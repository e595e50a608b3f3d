"""What is searched is found, whatever it looks like, and for a while at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clarity_otel.store import retention
from clarity_otel.store.answers import search
from clarity_otel.store.answers.conditions import conditions_of
from clarity_otel.store.decode import decode_logs, decode_spans
from clarity_otel.store.decode.values import as_json
from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.query import LogFilter, Page, Range, TooLongError, TraceFilter
from clarity_otel.store.sql import sql
from tests.store.conftest import Store
from tests.store.generate import generate
from tests.store.messages import logs, pair, traces

MINUTE_NS = 60 * 10**9


def around(now_ns: int, before_s: int = 3600) -> Range:
    """That long back, a minute ahead."""
    return Range(now_ns - before_s * 10**9, now_ns + MINUTE_NS)


def with_attributes(
    attributes: dict[str, Any], *, start_ns: int | None = None
) -> ExportTraceServiceRequest:
    """One trace whose root has these attributes."""
    request = traces(1, start_ns=start_ns)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.extend(pair(name, value) for name, value in attributes.items())
    return request


class TestAttributes:
    @pytest.mark.parametrize(
        ("attributes", "name", "value"),
        [
            ({"a": "plain"}, "a", "plain"),
            ({"a": 'has "quotes"'}, "a", 'has "quotes"'),
            ({"a": "ends in a comma,", "b": "x"}, "a", "ends in a comma,"),
            ({"a": "ends in a comma,", "b": "x"}, "b", "x"),
            ({"a,": "x", "b": "y"}, "a,", "x"),
            ({"a,": "x", "b": "y"}, "b", "y"),
            ({",a": "x", "b": ",y"}, "b", ",y"),
            ({"a": '{"x":1}'}, "a", '{"x":1}'),
            ({"a": "{x}"}, "a", "{x}"),
            ({"a": "x}"}, "a", "x}"),
            ({"{a": "x"}, "{a", "x"),
            ({"a": "back\\slash"}, "a", "back\\slash"),
            ({"a": "line\nline"}, "a", "line\nline"),
            ({"a": "\u202e\x00\u00a0 é"}, "a", "\u202e\x00\u00a0 é"),
            ({"a": ""}, "a", ""),
            ({"a": 7}, "a", "7"),
            ({"a": -7}, "a", "-7"),
            ({"a": True}, "a", "true"),
            ({"a": 1.5}, "a", "1.5"),
            ({"a": 2.0}, "a", "2"),
            ({"a": 2.0}, "a", "2.0"),
            ({"a": "1.5"}, "a", "1.5"),
            ({"a": "nan"}, "a", "nan"),
            ({'a"b\\c': "x"}, 'a"b\\c', "x"),
            ({"a": "x" * 5000}, "a", "x" * 5000),
        ],
        ids=str,
    )
    def test_a_value_is_found(
        self, store: Store, attributes: dict[str, Any], name: str, value: str
    ) -> None:
        """And none of another value."""
        store.take(decode_spans(with_attributes(attributes), 1))
        store.take(decode_spans(traces(2), 1))
        within = around(time.time_ns())
        found = store.query.traces(within, TraceFilter(attributes={name: value}), "", 50)
        assert len(found.rows) == 1
        other = TraceFilter(attributes={name: value + "x"})
        assert store.query.traces(within, other, "", 50) == Page([])

    # Each example has a name of its own, so that all share one store.
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=4))
    def test_any_text_is_found(self, values: list[str]) -> None:
        """As the only attribute or among others: the index leaves nothing out."""
        conditions = [
            conditions_of(TraceFilter(attributes={f"k{at}": value}))
            for at, value in enumerate(values)
        ]
        with duckdb.connect() as connection:
            connection.execute(sql("spans"))
            connection.execute(sql("minute_tokens"))
            connection.execute(sql("minute_texts"))
            attributes = as_json({f"k{at}": value for at, value in enumerate(values)})
            connection.execute(
                "CREATE TABLE new_spans AS SELECT ? AS attributes, 0::BIGINT AS start_ns, "
                "'n' AS name, 's' AS service, '' AS route, 200 AS http_status, 0 AS status, "
                "1 AS duration_ns",
                [attributes],
            )
            connection.execute(sql("add_minute_texts"))
            connection.execute(sql("add_minute_tokens"))
            query = DuckDbQuery(connection)
            for one in conditions:
                assert one.minutes(query._ask, Range(0, MINUTE_NS)) in (None, [0])


# What JSON escapes, what divides its members, what LIKE and patterns read in another way.
TEXTS = st.text(st.sampled_from(list('",:{}[]\\%_.* aAßİé🙂\n\t\x00')), max_size=6)


@st.composite
def spans_and_text(draw: st.DrawFn) -> tuple[list[tuple[str, str]], str]:
    """Names and attributes of spans, and a text that is often in one of them."""
    spans = [
        (draw(TEXTS), as_json(draw(st.dictionaries(TEXTS, TEXTS, max_size=3))))
        for _ in range(draw(st.integers(1, 6)))
    ]
    stored = draw(st.sampled_from([text for span in spans for text in span]))
    first, last = sorted(draw(st.tuples(*[st.integers(0, len(stored))] * 2)))
    part = stored[first:last]
    return spans, draw(st.sampled_from([part, part.upper(), draw(TEXTS)]))


class TestTexts:
    @pytest.fixture(scope="class")
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The tables that a search reads, in memory."""
        with duckdb.connect() as connection:
            for table in ("spans", "traces", "minute_texts", "minute_tokens"):
                connection.execute(sql(table))
            yield connection

    @settings(max_examples=25, deadline=None)
    @given(drawn=spans_and_text())
    def test_a_text_is_found_where_reading_all_spans_finds_it(
        self, connection: duckdb.DuckDBPyConnection, drawn: tuple[list[tuple[str, str]], str]
    ) -> None:
        """Before the index's minutes are compacted and after: the same traces, no other."""
        spans, text = drawn
        for table in ("spans", "traces", "minute_texts", "minute_tokens"):
            connection.execute(f"DELETE FROM {table}")
        # Two batches, a minute for every other span; the newest part is read without the index.
        for batch in (spans[::2], spans[1::2]):
            connection.execute(
                "CREATE OR REPLACE TEMP TABLE new_spans AS SELECT uuid() AS trace_id, "
                "1::UBIGINT AS span_id, 0::UBIGINT AS parent_id, "
                "(nr * 120000000000)::BIGINT AS start_ns, 1::BIGINT AS duration_ns, "
                "'s' AS service, '' AS version, name, 2::UTINYINT AS kind, 0::UTINYINT AS status, "
                "'' AS status_message, '' AS method, '' AS route, 200::USMALLINT AS http_status, "
                "'' AS peer, '' AS scope, 1::UBIGINT AS resource_id, attributes, '' AS events, "
                "'' AS links FROM (SELECT unnest($names::VARCHAR[]) AS name, "
                "unnest($attributes::VARCHAR[]) AS attributes, "
                "generate_subscripts($names::VARCHAR[], 1) AS nr)",
                {"names": [one[0] for one in batch], "attributes": [one[1] for one in batch]},
            )
            connection.execute("INSERT INTO spans BY NAME SELECT * FROM new_spans")
            for rollup in ("add_traces", "add_minute_texts", "add_minute_tokens"):
                connection.execute(sql(rollup))
        ask = DuckDbQuery(connection)
        within = Range(0, 60 * MINUTE_NS)
        everywhere = (
            "SELECT trace_id FROM spans "
            "WHERE contains(lower(name), lower($1)) OR contains(lower(attributes), lower($1)) "
            "OR contains(lower(attributes), lower($2))"
        )
        both = [text, as_json(text)[1:-1]]
        wanted = {one.hex for (one,) in connection.execute(everywhere, both).fetchall()}
        if not text:
            wanted = {
                one.hex for (one,) in connection.execute("SELECT trace_id FROM spans").fetchall()
            }
        for _ in range(2):
            page = ask.traces(within, TraceFilter(text=text), "", 50)
            assert {row["trace_id"] for row in page.rows} == wanted
            retention.compact(connection, "minute_texts", 0, 1 << 40)

    @pytest.mark.parametrize(
        "text",
        ['say "Hello"', "C:\\Temp", "first\nsecond\tthird", '"', "\\", '","', "100%_*", "\x1f"],
    )
    def test_what_json_escapes_is_found(self, store: Store, text: str) -> None:
        """In attributes of spans and of log records, and in bodies that are no text."""
        now_ns = time.time_ns()
        request = with_attributes({"a": f"1 {text} 2", "b": "x"})
        for span in request.resource_spans[0].scope_spans[0].spans:
            span.start_time_unix_nano = now_ns - 30 * MINUTE_NS
        other = with_attributes({"a": "100 percent of nothing"})
        record, of_body = logs("attribute"), logs("")
        records = [one.resource_logs[0].scope_logs[0].log_records[0] for one in (record, of_body)]
        records[0].attributes.append(pair("what", f"1 {text} 2"))
        records[1].body.kvlist_value.values.append(pair("what", f"1 {text} 2"))
        for decoded in (decode_spans(request, 1), decode_spans(other, 1)):
            store.take(decoded)
        for decoded in (decode_logs(record, 1), decode_logs(of_body, 1)):
            store.take(decoded)
        within = around(now_ns)
        wanted = request.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
        for asked in (f"1 {text} 2", f"1 {text} 2".upper()):
            page = store.query.traces(within, TraceFilter(text=asked), "", 50)
            assert [row["trace_id"] for row in page.rows] == [wanted]
            assert len(store.query.logs(within, LogFilter(text=asked), "", 50).rows) == 2
            conditions = conditions_of(TraceFilter(text=asked))
            minutes = conditions.minutes(store.query._ask, within)
            assert minutes == [now_ns // MINUTE_NS - 30]
        asked = f"1 {text}2"
        assert store.query.traces(within, TraceFilter(text=asked), "", 50) == Page([])

    def test_minutes_without_the_text_are_not_read(self, store: Store) -> None:
        """A rare text leads to its minute alone, also one that crosses a boundary of members."""
        now_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
        generate(store.connection, 5_000, now_ns - 60 * MINUTE_NS, now_ns)
        start_ns = now_ns - 30 * MINUTE_NS
        request = with_attributes({"a": "needle", "b": "x"}, start_ns=start_ns)
        store.take(decode_spans(request, 1))
        within = Range(now_ns - 60 * MINUTE_NS, now_ns)
        for text in ("needle", "Needle", '"needle"', '"needle","b', 'needle",'):
            conditions = conditions_of(TraceFilter(text=text))
            minutes = conditions.minutes(store.query._ask, within)
            assert minutes == [now_ns // MINUTE_NS - 30]
            both = conditions_of(TraceFilter(text=text, service="none"))
            assert both.minutes(store.query._ask, within) == []

    def test_texts_of_a_minute_that_is_over_are_kept_once(self, store: Store) -> None:
        """In rows of some kilobytes, whatever came; a minute with very many is left as it is."""
        minute = time.time_ns() // MINUTE_NS
        attributes = {"order": "x" * 9000, "other": "y"}
        for _ in range(3):
            request = with_attributes(attributes, start_ns=minute * MINUTE_NS)
            store.take(decode_spans(request, 1))
        cursor = store.connection.cursor()
        sizes = "SELECT sum(strlen(texts)), max(strlen(texts)) FROM minute_texts"
        before, _ = cursor.execute(sizes).fetchall()[0]
        retention.compact(cursor, "minute_texts", 0, minute + 1)
        after, longest = cursor.execute(sizes).fetchall()[0]
        assert after < before / 2
        assert longest < 9000 + 2 * 1024


class TestLongTraces:
    @pytest.mark.parametrize("text", ["needle", "GET /orders"])
    def test_a_trace_of_hours_is_whole_by_any_of_its_spans(self, store: Store, text: str) -> None:
        """Its spans came in batches, the root at its end: all count, whichever was found."""
        start_ns = time.time_ns() - 5 * 3600 * 10**9
        request = traces(1, start_ns=start_ns)
        spans = request.resource_spans[0].scope_spans[0].spans
        spans[0].end_time_unix_nano = start_ns + 3 * 3600 * 10**9
        for span, minutes in ((spans[1], 20), (spans[2], 175)):
            span.start_time_unix_nano = start_ns + minutes * MINUTE_NS
            span.end_time_unix_nano = span.start_time_unix_nano + 1
        spans[2].attributes.append(pair("what", "needle"))
        for number in (1, 2, 0):
            batch = ExportTraceServiceRequest()
            batch.CopyFrom(request)
            del batch.resource_spans[0].scope_spans[0].spans[:]
            batch.resource_spans[0].scope_spans[0].spans.append(spans[number])
            store.take(decode_spans(batch, 1))
        page = store.query.traces(around(time.time_ns(), 6 * 3600), TraceFilter(text=text), "", 50)
        (row,) = page.rows
        assert (row["trace_id"], row["spans"]) == (spans[0].trace_id.hex(), 3)
        assert (row["name"], row["duration_ms"]) == ("GET /orders/{id}", 3 * 3600 * 1000)


class TestNarrowing:
    def test_all_that_is_wanted_narrows_the_minutes(self, store: Store) -> None:
        """Service, route, status, errors, durations and attributes, each and together."""
        now_ns = time.time_ns()
        begun = now_ns - 3600 * 10**9
        generate(store.connection, 20_000, begun, now_ns)
        within = Range(begun, now_ns)
        answers: dict[str, tuple[int, int]] = {}
        for name, wanted in {
            "service": TraceFilter(service="stock"),
            "none": TraceFilter(service="none"),
            "route": TraceFilter(route="/orders3/{id}"),
            "status": TraceFilter(http_status=500),
            "errors": TraceFilter(only_errors=True),
            "slow": TraceFilter(least_ms=100),
            "fast": TraceFilter(most_ms=0.3),
            "between": TraceFilter(least_ms=3, most_ms=3.1),
            "attribute": TraceFilter(attributes={"url.path": "/orders0/1000"}),
            "both": TraceFilter(http_status=500, route="/orders1/{id}", least_ms=2),
        }.items():
            conditions = conditions_of(wanted)
            statement = f"SELECT count(*) AS n FROM spans WHERE true {conditions.sql}"
            count = store.query._ask(statement, conditions.values)[0]["n"]
            found, cursor = 0, ""
            while True:
                page = store.query.traces(within, wanted, cursor, 500)
                found += len({row["trace_id"] for row in page.rows})
                cursor = page.next
                if not cursor:
                    break
            # Spans of one trace are one row of a page.
            answers[name] = (found, count)
            assert found <= count
            assert (found == 0) == (count == 0)
        for name in ("route", "status", "errors", "both"):
            assert answers[name][0] == answers[name][1]

    def test_tokens_of_a_minute_that_is_over_are_kept_once(self, store: Store) -> None:
        """And still lead to all that they led to."""
        minute = time.time_ns() // MINUTE_NS
        for _ in range(3):
            request = with_attributes({"order": "17"}, start_ns=minute * MINUTE_NS)
            store.take(decode_spans(request, 1))
        cursor = store.connection.cursor()
        repeated = "SELECT count(*) - count(DISTINCT (minute, token)) FROM minute_tokens"
        before = cursor.execute(repeated).fetchall()[0][0]
        retention.compact(cursor, "minute_tokens", 0, minute + 1)
        assert before > cursor.execute(repeated).fetchall()[0][0] == 0
        wanted = TraceFilter(attributes={"order": "17"})
        assert len(store.query.traces(around(time.time_ns()), wanted, "", 50).rows) == 3


class TestIndex:
    @pytest.mark.parametrize(
        "before",
        [
            "DROP TABLE index_version; DROP TABLE minute_tokens",
            "UPDATE index_version SET token = 1; UPDATE minute_tokens SET token = 1",
            "DELETE FROM index_version; DELETE FROM minute_tokens",
            "UPDATE index_version SET token = hash('minute_tokens 1'); DROP TABLE minute_texts",
        ],
    )
    def test_an_index_that_would_find_nothing_is_written_anew(
        self, open_at: Callable[..., Store], before: str
    ) -> None:
        """That of a file of before, of another DuckDB, or one that was not finished."""
        first = open_at("one.duckdb")
        now_ns = time.time_ns()
        for at_ns in (1, now_ns - 4000 * 10**9, now_ns, 2**63 - 1):
            request = with_attributes({"order": "17"})
            for span in request.resource_spans[0].scope_spans[0].spans:
                span.start_time_unix_nano = at_ns
            first.take(decode_spans(request, 1))
        first.connection.cursor().execute(before)
        first.close()
        second = open_at("one.duckdb")
        for wanted in (TraceFilter(attributes={"order": "17"}), TraceFilter(text='order":"17')):
            found = second.query.traces(Range(0, now_ns + MINUTE_NS), wanted, "", 50)
            assert len(found.rows) == 3
        tokens = "SELECT count(*) FROM minute_tokens"
        count = second.connection.cursor().execute(tokens).fetchall()
        second.close()
        third = open_at("one.duckdb")
        assert third.connection.cursor().execute(tokens).fetchall() == count


class TestBounds:
    def test_a_long_search_ends_early_and_goes_on(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By `next`, until all was looked at: nothing twice, nothing left out."""
        now_ns = time.time_ns()
        begun = now_ns - 3600 * 10**9
        generate(store.connection, 5_000, begun, now_ns)
        within = Range(begun, now_ns)
        monkeypatch.setattr(search, "SEARCH_LIMIT_S", 0)
        monkeypatch.setattr(search, "_QUICK_S", 0)
        for wanted in (TraceFilter(text="GET"), TraceFilter(service="shop")):
            seen: list[str] = []
            cursor, pages, reached = "", 0, [within.end_ns + 1]
            while True:
                page = store.query.traces(within, wanted, cursor, 500)
                seen += [row["trace_id"] for row in page.rows]
                pages, cursor = pages + 1, page.next
                if not cursor:
                    break
                if page.reached_ns:
                    assert page.reached_ns < reached[-1]
                    reached.append(page.reached_ns)
            assert pages > 10
            assert len(set(seen)) == 1000

    def test_logs_go_on_in_the_same_way(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An empty page with a `next` is not the end."""
        store.take(decode_logs(logs("old"), 1))
        within = around(time.time_ns() + 7200 * 10**9, 3 * 3600)
        monkeypatch.setattr(search, "SEARCH_LIMIT_S", 0)
        page = store.query.logs(within, LogFilter(text="old"), "", 50)
        assert page.rows == []
        assert page.reached_ns
        while not page.rows:
            page = store.query.logs(within, LogFilter(text="old"), page.next, 50)
        assert [row["body"] for row in page.rows] == ["old"]

    def test_a_trace_has_its_logs_however_long_they_are_looked_for(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a machine that is busy, too: its search goes on where it ended early."""
        request = traces(1)
        trace_id = request.resource_spans[0].scope_spans[0].spans[0].trace_id
        store.take(decode_spans(request, 1))
        store.take(decode_logs(logs("in it", trace_id=trace_id), 1))
        monkeypatch.setattr(search, "SEARCH_LIMIT_S", 0)
        found = store.query.trace(trace_id.hex())
        assert found is not None
        assert [record["body"] for record in found["logs"]] == ["in it"]

    @pytest.mark.parametrize("text", ["order 17", "ORDER 17", "Order"])
    def test_logs_are_found_in_body_and_attributes_whatever_the_case(
        self, store: Store, text: str
    ) -> None:
        """As the live tail finds them."""
        store.take(decode_logs(logs("nothing here"), 1))
        record = logs("body")
        for_body = logs("Order 17")
        of_resource = record.resource_logs[0].scope_logs[0].log_records[0]
        of_resource.attributes.append(pair("what", "Order 17"))
        store.take(decode_logs(record, 1))
        store.take(decode_logs(for_body, 1))
        page = store.query.logs(around(time.time_ns()), LogFilter(text=text), "", 50)
        assert sorted(row["body"] for row in page.rows) == ["Order 17", "body"]

    def test_a_statement_has_an_end(self, open_at: Callable[..., Store]) -> None:
        """As an error that says what to do; the next question is answered."""
        store = open_at()
        query = DuckDbQuery(store.connection, limit_s=0.05)
        with pytest.raises(TooLongError, match="shorter"):
            query._ask("SELECT sum(a.i * b.i) FROM range(1000000) a(i), range(1000000) b(i)", {})
        query._ask._limit_s = 60
        assert query.services(around(time.time_ns())) == []
