"""The extension and its twin make the same rows of a payload, or both refuse it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._internal import _encode_value
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from clarity_otel.store import decode
from clarity_otel.store.columns import TABLES
from clarity_otel.store.decode.payload import NATIVE
from clarity_otel.store.decode.stacks import normalised
from tests.store.messages import failure, logs, pair, traces

pytestmark = pytest.mark.skipif(not NATIVE, reason="the extension is missing")

REQUESTS: dict[str, Any] = {
    "traces": (ExportTraceServiceRequest, decode.decode_spans),
    "logs": (ExportLogsServiceRequest, decode.decode_logs),
}
Outcome = tuple[dict[str, list[tuple[Any, ...]]], int] | None


def native(signal: str, payload: bytes) -> Outcome:
    """Return the extension's rows and refusals; None where it refuses the payload."""
    try:
        rows, refused = NATIVE[signal](payload)
    except ValueError:
        return None
    return {name: list(of_table) for name, of_table in rows.items() if of_table}, refused


def twin(signal: str, payload: bytes) -> Outcome:
    """Return the twin's."""
    request, decoder = REQUESTS[signal]
    try:
        message = request.FromString(payload)
    except Exception:
        return None
    batch, refused, _ = decoder(message, 1)
    return {name: rows for name, rows in batch.rows.items() if rows}, refused


def agree(signal: str, payload: bytes) -> bool:
    """Assert that both say the same; return whether it was taken."""
    by_native = native(signal, payload)
    assert by_native == twin(signal, payload), payload.hex()
    return by_native is not None


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "ann@example.com",
            "Bearer abcdefghijklmnop123456",
            "password=hunter2",
            "4111 1111 1111 1111",
            '\x00\u2028\x7f"\\\n\r\t\x1f',
            "name",
            "aws-api",
            "S3/ListBuckets",
            "password",
            "value",
            "a" * 300,
        ]
    ),
)
scalars = st.one_of(
    texts.map(lambda it: AnyValue(string_value=it)),
    st.booleans().map(lambda it: AnyValue(bool_value=it)),
    st.integers(-(2**63), 2**63 - 1).map(lambda it: AnyValue(int_value=it)),
    st.sampled_from([200, 4111111111111111, 70000, -1]).map(lambda it: AnyValue(int_value=it)),
    st.floats().map(lambda it: AnyValue(double_value=it)),
    st.binary(max_size=9).map(lambda it: AnyValue(bytes_value=it)),
    st.just(AnyValue()),
)
keys = st.one_of(
    texts,
    st.sampled_from(
        [
            "http.request.method",
            "http.method",
            "http.route",
            "http.response.status_code",
            "http.status_code",
            "peer.service",
            "server.address",
            "db.system.name",
            "messaging.system",
            "rpc.system",
            "rpc.system.name",
            "rpc.service",
            "rpc.method",
            "authorization",
            "db.password",
            "user.secret",
            "exception.type",
            "exception.message",
            "exception.stacktrace",
            "service.name",
            "service.version",
        ]
    ),
)


def _list_of(values: list[AnyValue]) -> AnyValue:
    made = AnyValue()
    made.array_value.SetInParent()
    made.array_value.values.extend(values)
    return made


def _map_of(pairs: list[KeyValue]) -> AnyValue:
    made = AnyValue()
    made.kvlist_value.SetInParent()
    made.kvlist_value.values.extend(pairs)
    return made


def _pairs(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[list[KeyValue]]:
    made = st.builds(lambda key, value: KeyValue(key=key, value=value), keys, values)
    return st.lists(made, max_size=4)


values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(_list_of), _pairs(inner).map(_map_of)),
    max_leaves=8,
)
attributes = _pairs(values)
times = st.sampled_from([0, 1, 10**18, 2**63 - 1, 2**63, 2**64 - 1])
enums = st.sampled_from([0, 1, 2, 3, 5, 6, 24, 25, 2**31 - 1, -1])
trace_ids = st.sampled_from([b"", b"short", b"\0" * 16, bytes(range(16)), b"\xff" * 16])
span_ids = st.sampled_from([b"", b"\0" * 8, b"\xff" * 8, bytes(range(8)), b"x" * 9])


@st.composite
def trace_requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    """Any request, odd ones more often than not."""
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        of_resource = request.resource_spans.add()
        of_resource.resource.attributes.extend(draw(attributes))
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = draw(texts)
        for _ in range(draw(st.integers(0, 3))):
            span = of_scope.spans.add(
                trace_id=draw(trace_ids),
                span_id=draw(span_ids),
                parent_span_id=draw(span_ids),
                name=draw(texts),
                kind=draw(enums),
                start_time_unix_nano=draw(times),
                end_time_unix_nano=draw(times),
            )
            span.attributes.extend(draw(attributes))
            span.status.code = draw(enums)
            span.status.message = draw(texts)
            for _ in range(draw(st.integers(0, 2))):
                name = draw(st.one_of(st.just("exception"), texts))
                event = span.events.add(name=name, time_unix_nano=draw(times))
                event.attributes.extend(draw(attributes))
                link = span.links.add(trace_id=draw(trace_ids), span_id=draw(span_ids))
                link.attributes.extend(draw(attributes))
    return request


@st.composite
def log_requests(draw: st.DrawFn) -> ExportLogsServiceRequest:
    """Any request."""
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    of_resource.resource.attributes.extend(draw(attributes))
    of_scope = of_resource.scope_logs.add()
    of_scope.scope.name = draw(texts)
    for _ in range(draw(st.integers(0, 3))):
        record = of_scope.log_records.add(
            time_unix_nano=draw(times),
            observed_time_unix_nano=draw(times),
            severity_number=draw(enums),
            severity_text=draw(texts),
            trace_id=draw(trace_ids),
            span_id=draw(span_ids),
        )
        record.attributes.extend(draw(attributes))
        record.body.CopyFrom(draw(values))
    return request


class TestSameRows:
    @given(trace_requests())
    @settings(max_examples=300, deadline=None)
    def test_of_any_spans(self, request: ExportTraceServiceRequest) -> None:
        """Masked alike, with the same columns, groups and resources."""
        assert agree("traces", request.SerializeToString())

    @given(log_requests())
    @settings(max_examples=200, deadline=None)
    def test_of_any_log_records(self, request: ExportLogsServiceRequest) -> None:
        """With bodies of every kind."""
        assert agree("logs", request.SerializeToString())

    def test_of_what_a_neighbour_tells(self) -> None:
        """Pairs, options, names with their passwords, and what lies below a secret."""
        request = logs()
        record = request.resource_logs[0].scope_logs[0].log_records[0]
        for key, value in {
            "headers": [["cookie", "a=b12345"], [b"authorization", b"Bearer b12345"]],
            "argv": ["app", "--password", "b12345", "-v"],
            "auth": ["ann", "b12345"],
            "scopes": {"auth": ["read", "write"]},
            "credentials": {"user": "ann", "x": "b12345", "y": {"z": b"b12345"}, "n": 12345},
            "form": [{"name": "password", "value": "b12345"}],
        }.items():
            record.attributes.append(KeyValue(key=key, value=_encode_value(value)))
        payload = request.SerializeToString()
        assert agree("logs", payload)
        assert "b12345" not in repr(native("logs", payload))
        assert "write" in repr(native("logs", payload))

    @given(st.floats())
    def test_of_any_number(self, number: float) -> None:
        """Floats are written as Python writes them."""
        request = traces(1)
        span = request.resource_spans[0].scope_spans[0].spans[0]
        span.attributes.extend([pair("n", number), pair("db.password", number)])
        assert agree("traces", request.SerializeToString())

    @given(
        st.lists(
            st.one_of(
                st.text(max_size=30),
                st.builds(
                    '{}File "{}", line {}, in {}'.format,
                    st.sampled_from(["", "  ", "\t", "x", "\xa0"]),
                    st.text(max_size=12),
                    st.sampled_from(["1", "", "12x", "\u0663"]),
                    st.text(max_size=8),
                ),
                st.text("0x1aF at\t", max_size=30).map("at ".__add__),
            ),
            max_size=60,
        ),
        st.sampled_from(["\n", "\r\n", "\r", "\u2028", "\x0b"]),
    )
    @settings(max_examples=300, deadline=None)
    def test_of_any_stack(self, lines: list[str], end: str) -> None:
        """Errors get the same group, whatever the stack looks like."""
        request = failure()
        event = request.resource_spans[0].scope_spans[0].spans[0].events[0]
        event.attributes[2].value.string_value = end.join(lines)
        assert agree("traces", request.SerializeToString())

    def test_of_values_beyond_all_bounds(self) -> None:
        """More values than are looked at, and nested deeper than is shown."""
        request = traces(1)
        span = request.resource_spans[0].scope_spans[0].spans[0]
        many = [AnyValue(string_value=f"ann{number}@example.com") for number in range(12_000)]
        span.attributes.append(KeyValue(key="many", value=_list_of(many)))
        wide = [pair(f"k{number % 7000}", number) for number in range(11_000)]
        span.attributes.append(KeyValue(key="wide", value=_map_of(wide)))
        deep = AnyValue(string_value="bottom")
        for level in range(30):
            deep = _list_of([deep]) if level % 2 else _map_of([KeyValue(key="k", value=deep)])
        span.attributes.append(KeyValue(key="deep", value=deep))
        span.attributes.extend([pair("after", "ann@example.com")])
        assert agree("traces", request.SerializeToString())

    @pytest.mark.parametrize("levels", [*range(40, 54), 200])
    def test_of_messages_nested_to_the_parsers_bound(self, levels: int) -> None:
        """The bound is the official parser's, to the level."""
        deep = AnyValue(string_value="bottom").SerializeToString()
        for _ in range(levels):
            deep = _field(5, _field(1, deep))
        span = traces(1).resource_spans[0].scope_spans[0].spans[0].SerializeToString()
        span += _field(9, _field(1, b"deep") + _field(2, deep))
        agree("traces", _field(1, _field(2, _field(2, span))))


def _field(number: int, body: bytes) -> bytes:
    """Return a field of bytes."""
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class TestHostilePayloads:
    def test_parts_that_come_twice_are_one(self) -> None:
        """A message's second occurrence adds to the first, in any order (protobuf)."""
        resource = _field(1, _field(1, pair("service.name", "one").SerializeToString()))
        again = _field(1, _field(1, pair("service.version", "2").SerializeToString()))
        span = traces(1).resource_spans[0].scope_spans[0].spans[0]
        twice = pair("a", "text").SerializeToString()
        twice += _field(2, _list_of([AnyValue(int_value=1)]).SerializeToString())
        twice += _field(2, _list_of([AnyValue(int_value=2)]).SerializeToString())
        encoded = span.SerializeToString() + _field(9, twice) + _field(9, twice)
        encoded += _field(15, _field(2, b"first")) + _field(15, b"\x18\x02")
        scope = _field(1, _field(1, b"scope one")) + _field(2, encoded)
        scope += _field(1, _field(1, b"scope two"))
        payload = _field(1, _field(2, scope) + resource + again)
        assert agree("traces", payload)
        rows, _ = NATIVE["traces"](payload)
        row = dict(zip(TABLES["spans"], rows["spans"][0], strict=True))
        assert (row["service"], row["version"], row["scope"]) == ("one", "2", "scope two")
        assert '"a":[1,2]' in row["attributes"]
        assert (row["status"], row["status_message"]) == (2, "first")

    @pytest.mark.parametrize("signal", list(REQUESTS))
    def test_a_request_cut_anywhere(self, signal: str) -> None:
        """Every prefix of a real request is read or refused by both."""
        payload = _examples(signal)[0]
        for end in range(min(len(payload), 1500)):
            agree(signal, payload[:end])

    @pytest.mark.parametrize("signal", list(REQUESTS))
    def test_a_request_with_bytes_changed(self, signal: str) -> None:
        """Real requests, mutated thousands of times: never a panic, never another row."""
        chance = random.Random(20261128)
        taken = 0
        for number in range(6000):
            examples = _examples(signal)
            payload = _mutated(chance, bytearray(examples[number % len(examples)]))
            taken += agree(signal, payload)
        # Else the mutations would be too wild to reach anything.
        assert taken > 300

    @given(st.binary(max_size=200))
    @settings(max_examples=500, deadline=None)
    def test_any_bytes(self, payload: bytes) -> None:
        """Also those that were never a request."""
        for signal in REQUESTS:
            agree(signal, payload)

    def test_more_values_than_memory_should_hold(self) -> None:
        """Two bytes on the wire are many in memory: such a request is refused."""
        empty = b"\x4a\x00" * (1 << 21)
        span = traces(1).resource_spans[0].scope_spans[0].spans[0].SerializeToString()
        payload = _field(1, _field(2, _field(2, span + empty)))
        with pytest.raises(ValueError, match="two million"):
            NATIVE["traces"](payload)


_KEPT: dict[str, list[bytes]] = {}


def _examples(signal: str) -> list[bytes]:
    """Return real requests with all fields that there are."""
    if signal not in _KEPT:
        secret = " ann@example.com password=hunter2"
        odd = failure(message=secret)
        span = odd.resource_spans[0].scope_spans[0].spans[0]
        span.trace_state = "a=b"
        span.flags = 1
        span.attributes.append(KeyValue(key="list", value=_list_of([AnyValue(int_value=1)])))
        span.attributes.append(KeyValue(key="map", value=_map_of([pair("db.password", "x")])))
        span.attributes.extend([pair("raw", b"\xff\x00"), pair("n", 1.5)])
        odd.resource_spans[0].schema_url = "https://example.com"
        odd.resource_spans[0].resource.entity_refs.add(type="service", id_keys=["service.name"])
        record = logs("body", trace_id=bytes(range(16)), text=secret)
        one = record.resource_logs[0].scope_logs[0].log_records[0]
        one.event_name = "event"
        one.attributes.extend([pair("exception.type", "E"), pair("n", 4111111111111111)])
        _KEPT["traces"] = [
            odd.SerializeToString(),
            traces(2, text=secret).SerializeToString(),
            traces(2).SerializeToString(),
        ]
        _KEPT["logs"] = [record.SerializeToString(), logs("plain").SerializeToString()]
    return _KEPT[signal]


def _mutated(chance: random.Random, payload: bytearray) -> bytes:
    """Return a payload with one to three changes."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(payload))
        match chance.randrange(6):
            case 0:
                payload[at] ^= 1 << chance.randrange(8)
            case 1:
                payload[at] = chance.choice([0, 1, 0x0B, 0x0C, 0x7F, 0x80, 0xFF])
            case 2:
                del payload[at : at + chance.randint(1, 4)]
            case 3:
                payload[at:at] = chance.randbytes(chance.randint(1, 4))
            case 4:
                end = at + chance.randint(1, 40)
                payload[at:at] = payload[at:end]
            case _:
                # A number, one off: lengths, tags and enums are such bytes.
                payload[at] = (payload[at] + chance.choice([-1, 1])) % 256
        if not payload:
            break
    return bytes(payload)


class TestRows:
    """What the writer and the live feed take them for: a list of tuples."""

    def rows(self, count: int) -> Any:
        return NATIVE["traces"](traces(count).SerializeToString())[0]["spans"]

    def test_they_read_like_a_list(self) -> None:
        """Length, index, slices, iteration, equality."""
        rows = self.rows(2)
        listed = list(rows)
        assert (len(rows), len(listed)) == (6, 6)
        assert (rows[0], rows[-1]) == (listed[0], listed[5])
        assert rows[-2:] == listed[-2:]
        assert rows[::-2] == listed[::-2]
        assert rows[9:] == []
        assert rows == listed
        with pytest.raises(IndexError):
            rows[6]

    def test_another_tables_rows_cannot_be_added(self) -> None:
        """A mistake of ours would be found there, not in DuckDB."""
        tables = NATIVE["traces"](traces(1).SerializeToString())[0]
        with pytest.raises(TypeError, match="another table"):
            tables["spans"].extend(tables["resources"])

    def test_their_columns_are_the_stores(self) -> None:
        """Names and order of each table are written twice."""
        for signal, example in (("traces", traces(1)), ("logs", logs())):
            tables = NATIVE[signal](example.SerializeToString())[0]
            for name, rows in tables.items():
                assert rows.columns == list(TABLES[name])

    def test_adding_to_others_changes_none(self) -> None:
        """Rows stay what they were while they are added elsewhere."""
        rows, more = self.rows(1), self.rows(1)
        before = list(rows)
        more.extend(rows)
        more.extend(rows)
        assert list(rows) == before
        assert len(more) == 9


def test_stacks_of_other_languages_lose_their_numbers() -> None:
    """Places and addresses differ from build to build."""
    assert (
        normalised("at shop.pay (pay.js:7:1)\nat 0x7fff main") == "at shop.pay (pay.js::)\nat  main"
    )
