"""The native module's specification: what it takes, gives and raises.

Everything here is called with the GIL held and never raises into the app: an
internal failure goes to the error handler and the call answers as if there were
nothing to trace. No function is safe to call from a signal handler.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, ClassVar, Literal, Self, TypeVar, overload

_F = TypeVar("_F", bound=Callable[..., Any])
_V = TypeVar("_V")

class Span:
    """The API's Span; also shows what the SDK's ReadableSpan shows.

    Times are nanoseconds since the epoch. After `end()` nothing changes it any more
    and each attempt is a warning. In a forked child the parent's spans end silently.
    """

    def end(self, end_time: int | None = None) -> None: ...
    def get_span_context(self) -> Any: ...
    def set_attribute(self, key: str, value: Any) -> None: ...
    def set_attributes(self, attributes: Mapping[str, Any]) -> None: ...
    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None: ...
    def add_link(self, context: Any, attributes: Mapping[str, Any] | None = None) -> None: ...
    def update_name(self, name: str) -> None: ...
    def is_recording(self) -> bool: ...
    def set_status(self, status: Any, description: str | None = None) -> None: ...
    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exception: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def context(self) -> Any: ...
    @property
    def parent(self) -> Any: ...
    @property
    def kind(self) -> Any: ...
    @property
    def kind_value(self) -> int: ...
    @property
    def start_time(self) -> int: ...
    @property
    def end_time(self) -> int | None: ...
    @property
    def scope_id(self) -> int: ...
    @property
    def status(self) -> Any: ...
    @property
    def status_parts(self) -> tuple[int, str | None]: ...
    @property
    def attributes(self) -> dict[str, Any]: ...
    @property
    def events(self) -> Any: ...
    @property
    def links(self) -> Any: ...
    @property
    def event_parts(self) -> list[tuple[str, int, dict[str, Any], int]]: ...
    @property
    def link_parts(self) -> list[tuple[int, int, int, str, dict[str, Any], int]]: ...
    @property
    def dropped_attributes(self) -> int: ...
    @property
    def dropped_events(self) -> int: ...
    @property
    def dropped_links(self) -> int: ...
    @property
    def resource(self) -> Any: ...
    @property
    def instrumentation_scope(self) -> Any: ...
    @property
    def correlation_id(self) -> str: ...
    def to_json(self, indent: int | None = 4) -> str: ...

class SpanBlock:
    """`with tracer.start_as_current_span(...)`, or the decorator of that name."""

    def __enter__(self) -> Span: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool: ...
    def __call__(self, function: _F) -> _F: ...
    def again(self) -> SpanBlock: ...

class Tracer:
    """The API's Tracer for the instrumentation scope `scope_id`."""

    def __init__(self, scope_id: int) -> None: ...
    def start_span(
        self,
        name: str,
        context: Any = None,
        kind: Any = None,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Any] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span: ...
    def start_as_current_span(
        self,
        name: str,
        context: Any = None,
        kind: Any = None,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Any] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> SpanBlock: ...

class ServerRequest:
    """One ASGI request in the works: stands in for `send` until `finish` or `fail`."""

    def __call__(self, message: Any) -> Any: ...
    def finish(self) -> None: ...
    def fail(self, exception: BaseException) -> None: ...

    # Whether messages from the client are to be shown to `received`.
    counts_messages: ClassVar[bool]

    @property
    def span(self) -> Span: ...

class CountedRequest(ServerRequest):
    """A WebSocket, or a request whose body's size no Content-Length tells."""

    def received(self, message: Any) -> None:
        """Count a message that came from the WebSocket's client, or a part of the body."""

class ByteSearch:
    """`search` of an expression that is a class of bytes, by a table."""

    def __new__(cls, wanted: bytes, original: object) -> ByteSearch: ...
    def search(self, string: object, *more: object) -> Any: ...

def idle_function(original: object, state: dict[str, Any], name: str, answer: object) -> Any:
    """Return a function that answers `answer` while `state[name]` is None, else `original`'s."""

class AwaitedNone:
    """Awaited, it is None at once, any number of times."""

    def __await__(self) -> Generator[Any]: ...

class AwsOperation:
    """One operation of one AWS client: what all its calls have in common."""

    def __init__(
        self,
        name: str,
        scope_id: int,
        attributes: dict[str, Any],
        parameters: frozenset[str] | None = None,
        results: frozenset[str] | None = None,
    ) -> None: ...
    def remember(self, table: str, attributes: dict[str, Any]) -> None: ...
    def enter(self, params: Any) -> Span | Literal[False] | None:
        """Open a call's span; None: nothing to trace; False: the extension has to look."""

    def exit(self, span: Span, result: Any) -> bool:
        """End the span; False, the span still open: the extension has to look."""

    def fail(self, span: Span, exception: BaseException) -> None:
        """Note an error's response, end the span, and count the call."""

    def measure(self, span: Span, result: Any, exception: BaseException | None = None) -> None:
        """Count a call whose span ends elsewhere, before or after."""

def aws_note_response(span: Span, result: Any) -> None: ...
def aws_fail(span: Span, exception: BaseException) -> None: ...
def server_enter(scope: Any, send: Any) -> ServerRequest | Literal[False] | None:
    """Open the server span of an ASGI request; None when there is nothing to trace.

    False, with `endpoints` configured: `clarity_otel.endpoints.front` has to look, once.
    """

def server_routing(scope: Any) -> None:
    """Show the scope that a router is about to match; a copy of the request's is kept."""

def client_enter(
    scope_id: int,
    name: str,
    kind: int = 3,
    attributes: Mapping[str, Any] | None = None,
    suppress_http: bool = False,
) -> Span | None:
    """Open a span and make it current. `kind` is OTLP's number (3 is client)."""

def client_exit(span: Span, exception: BaseException | None = None) -> None:
    """Make the former context current and end the span."""

def client_detach(span: Span) -> None:
    """Make the former context current; the span goes on."""

class RedisCall:
    """A command under way that has no span of its own yet: a word to `redis_exit`."""

def redis_enter(client: Any, args: tuple[Any, ...]) -> RedisCall | Span | None: ...
def redis_pipeline_enter(client: Any, commands: list[tuple[Any, ...]]) -> Span | None: ...
def redis_exit(
    call: RedisCall | Span,
    args: tuple[Any, ...],
    result: Any,
    exception: BaseException | None = None,
) -> None:
    """End a command and count it, with the hits and misses that the reply tells."""

def redis_pipeline_exit(
    span: Span,
    commands: list[tuple[Any, ...]],
    results: Any,
    exception: BaseException | None = None,
) -> None:
    """End a pipeline's span and count it; `results` are those of its commands."""

def httpx_enter(request: Any) -> Span | None: ...
def httpx_exit(span: Span, response: Any, exception: BaseException | None = None) -> None: ...
def correlation_id() -> str | None: ...
def set_correlation_id(value: str) -> bool: ...

class W3CPropagator:
    """The API's TextMapPropagator in front of the stock ones for W3C headers.

    A native span and a plain dict are served natively, all else by `stock`, whose
    rules, results and errors these are. Thread-safe.
    """

    def __new__(
        cls,
        stock: Any,
        default_getter: Any,
        default_setter: Any,
        remote_span: type,
        baggage_key: str,
        reads_baggage: bool,
        begins_with_current: bool,
    ) -> Self: ...
    def inject(self, carrier: Any, context: Any = None, setter: Any = ...) -> None: ...
    def extract(self, carrier: Any, context: Any = None, getter: Any = ...) -> Any: ...
    @property
    def fields(self) -> set[str]: ...

def configure_logs(
    service: str,
    record_class: type,
    plain_len: int,
    of_record: Callable[[Any], Any],
    plain: Callable[[Any], Any],
    not_extra: frozenset[str],
) -> None:
    """Set the formatter of log lines up, once a process: see `clarity_otel.logs.output`."""

def log_ids() -> tuple[str, str, str] | None:
    """Trace, span and correlation id of the current span; None outside of one."""

def span_log_ids(span: Span) -> tuple[str, str, str]: ...
def note_log_ids(record: Any) -> bool:
    """Write the ids on a LogRecord without; whether it has ids now."""

def log_line(record: Any) -> str | None:
    """One line of JSON for a LogRecord; None after an internal error."""

def log_event(event: Any) -> str | None:
    """The same for a `clarity_otel.logs.event.Event`."""

def on_first_request(callback: Callable[[], None]) -> None:
    """Call `callback` once in each process that serves requests, with its first one."""

def context_get_current() -> Any: ...
def context_get_value(key: str, context: Any = None) -> Any: ...
def context_attach(context: Any) -> Token[Any]: ...
def context_detach(token: Token[Any]) -> None: ...
def context_variable() -> ContextVar[Any]: ...
def configure(config: dict[str, Any]) -> None:
    """Set the engine up; a second call replaces all but the pipeline.

    Keys (all optional): sampler (always_on, always_off, traceidratio), sampling_rate,
    parent_based, attribute_count_limit, event_count_limit, link_count_limit,
    event_attribute_count_limit, link_attribute_count_limit, attribute_length_limit,
    span_attribute_length_limit, export, correlation_header, correlation_hosts,
    propagation_hosts, keep_errors, keep_slower_than_s, tracecontext, baggage, foreign_propagators,
    excluded_urls, captured_headers, endpoints, known_methods, server_scope, redis_scope,
    httpx_scope, spool_folder (where all signals' batches go that the target does not take),
    spool_limit_bytes, and those of `configure_signal` for the spans.
    """

def configure_signal(signal: str, config: dict[str, Any]) -> None:
    """Set the pipeline and the exporter of "logs" or "metrics" up; before `configure`.

    Keys (all optional): queue_limit_bytes, queue_limit_items, batch_limit_bytes,
    batch_limit_items, schedule_delay_ms, export_timeout_ms, resource (bytes), exporter
    (dict, see settings.otlp). Raises ValueError with a sentence for a bad exporter.
    """

def exporter_target(
    signal: str, exporter: dict[str, Any], environ: dict[str, str]
) -> dict[str, Any]:
    """Return where the exporter of `configure_signal` would connect, and what it would send.

    tls, host, port, authority, path, headers (dict), proxy (None, or host, port and the value
    of Proxy-Authorization), by `environ` in place of the process's. Holds secrets. Raises
    ValueError with a sentence for what `configure_signal` refuses. Changes and sends nothing.
    """

def set_log_bodies(are_sent: bool) -> None:
    """Send log records with their bodies, or leave those of records below ERROR out."""

def set_log_limits(count: int, length: int | None) -> None: ...
def configure_log_records(
    record_class: type,
    null_handler: type,
    new_keys: list[str],
    not_extra: frozenset[str],
    exception_texts: Callable[[Any, Any], tuple[str | None, str | None, str | None] | None],
) -> None: ...
def emit_log(logger: Any, record: Any) -> bool:
    """Export a `logging.LogRecord`; False when it is not sent. Never raises an Exception."""

def emit_api_log(
    scope_id: int,
    timestamp: int | None,
    observed: int | None,
    severity_number: int,
    severity_text: str | None,
    body: Any,
    attributes: dict[str, Any] | None,
    event_name: str | None,
    span: tuple[int, int, int] | None,
    exception: tuple[str | None, str | None, str | None] | None,
) -> bool: ...
def emit_metrics(resource: bytes, scopes: list[Any]) -> int:
    """Hand metrics to the pipeline; return how many data points it took.

    `resource` is the body of a Resource; `scopes` are those of metrics/export/points.py.
    They become requests of at most batch_limit_bytes each. What is refused is counted.
    """

def encode_metrics(resource: bytes, scopes: list[Any], limit_bytes: int) -> list[tuple[bytes, int]]:
    """Return the requests that `emit_metrics` would make, each with its data points' number."""

def on_first_span(callback: Callable[[], object]) -> None:
    """Call `callback()` in the main thread soon after the first span of this process."""

def trim_memory() -> None:
    """Give memory that nobody uses back to the system, and pages that only the start needed.

    Not while the process may be forking: see `clarity_otel.forks`.
    """

def bind_api(objects: dict[str, Any]) -> None: ...
def register_scope(
    name: str, version: str = "", schema_url: str = "", attributes: dict[str, Any] | None = None
) -> int: ...
def time_next_span(passed: int) -> None:
    """Have the calls on one span timed: of the one that begins after `passed` others."""

def timed_span() -> int | None:
    """Return what the calls on the last span that was timed took, in nanoseconds; once."""

def encode_resource(attributes: dict[str, Any]) -> bytes: ...
def drain(resource: bytes | None = None, signal: str = "traces") -> bytes | None:
    """Take what waits of a signal as one export request, counted as exported; None when empty."""

def stats() -> dict[str, int]:
    """Return counters by name, those of signals other than spans as `logs.made`.

    made + recovered = exported + the dropped ones by reason + spooled + waiting + in_flight,
    where spooled is what went to disk and recovered what came from there, of whichever
    process. `unconfirmed` is what was in requests that were cut before an answer came: the
    target may get it twice. `spooled_bytes`, what all processes have on disk, is there with a
    spool only.
    """

def export_health() -> dict[str, dict[str, Any]]:
    """Return how the export of each signal with an exporter is doing, by the signal's name.

    target (no credentials, no query), last_success_s and last_error_s (since the epoch, or
    None), last_error (a sentence without secrets, or None), consecutive_failures (attempts
    since the last success), queue_limit_bytes.
    """

# An exemplar: the bucket's index, the value, nanoseconds since the epoch, trace and span id.
MetricExemplar = tuple[int, float, int, bytes, bytes]
# Family (OpenTelemetry's name); labels in the family's order, "" for one that is absent;
# "number" or "histogram"; value (of a histogram the sum); counts by bucket, one more than
# bounds, not cumulative; sum; count; min; max; at most one exemplar a bucket; and, where
# exponential histograms are asked for, scale, zero count, offset and positive counts.
MetricPoint = tuple[
    str,
    tuple[str, ...],
    Literal["number", "histogram"],
    float,
    list[int] | None,
    float,
    int,
    float,
    float,
    list[MetricExemplar],
    tuple[int, int, int, list[int]] | None,
]

def configure_metrics(
    sets: Sequence[tuple[list[str], int]],
    families: Sequence[tuple[str, bool, list[int], list[float]]],
    exponential: bool = False,
    exemplars: str = "trace_based",
) -> None:
    """Count these families from now on, from zero.

    `sets` are labels' values: those that are allowed, or none and the most different ones.
    A family is its name, whether it is a histogram, the set of each label, and its buckets'
    inclusive upper bounds. Labels that are written together (the route, method and status
    of a request) have one set in all families. Raises ValueError for a family that is not
    counted natively.
    """

def switch_metrics(on: bool) -> None:
    """Stop counting, or go on."""

def metric_points(
    family: str | None = None, start: int = 0, most: int | None = None
) -> list[MetricPoint]:
    """Return every series, of one family or of all, as counted since the process began.

    In a forked child: since the fork. Some 5 us a series, with the GIL held: `start` and
    `most` are for reading a family in parts. A series keeps its number.
    """

def metric_overflows() -> list[tuple[str, list[int]]]:
    """Return for each family and label how many measurements carry `__other__`."""

def count_retries(client: Literal["http", "aws", "redis"], times: int) -> None:
    """Count attempts after the first."""

def force_flush(timeout_s: float, signal: str | None = None) -> bool: ...
def shutdown(timeout_s: float, signal: str | None = None) -> bool:
    """Send what waits and stop for good, one signal or all; True when nothing was lost."""

def after_fork_in_child(resource: bytes) -> None: ...
def repeat_sigterm(kills_after_s: float) -> None:
    """Send SIGTERM again until its handler in Python has said `sigterm_is_handled`.

    Where it has not after `kills_after_s` (0.1 to 3600), the signal's default action follows.
    Call it after `signal.signal`, which undoes it, and again in a forked child. Linux;
    elsewhere it does nothing.
    """

def sigterm_is_handled() -> None: ...
def xray_header() -> str | None: ...
def set_has_processors(on: bool) -> None: ...
def set_diagnostics_level(level: str) -> None:
    """Say those of the exporter's sentences that are of that level or above."""

def set_error_handler(handler: Callable[[str, BaseException], None]) -> None: ...

class Rows:
    """Rows of one of the store's tables; reads like a list of tuples in the table's order.

    Trace ids are hex. `extend` adds another's rows without a copy. DuckDB scans the columns
    where they lie. Thread-safe.
    """

    @property
    def columns(self) -> list[str]: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Any, ...]]: ...
    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...
    def __copy__(self) -> Rows: ...
    def extend(self, other: Rows) -> None: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

def decode_traces(payload: bytes) -> tuple[dict[str, Rows], int]:
    """Rows by table of an OTLP ExportTraceServiceRequest, masked, and the refused spans.

    ValueError, with a reason, where the payload is none. The GIL is free meanwhile.
    """

def decode_logs(payload: bytes) -> tuple[dict[str, Rows], int]:
    """As `decode_traces`, of an ExportLogsServiceRequest."""

def mask_text(text: object) -> str:
    """Mask free text; the same object where nothing was found. Linear in the text."""

def mask_value(key: str | bytes | None, value: _V) -> _V:
    """Mask a value that stands under `key`, with all that is in it.

    Type and shape are kept: dict, list, tuple, set, str, bytes. A number under a
    secret's key becomes text; None, True and False stay. What is 16 deep or beyond
    10,000 values is cut and says so. The same object where nothing was found.
    """

def mask_has_rule(key: str) -> bool:
    """Whether a rule holds for what stands under `key`, whatever its value must be."""

def mask_counts() -> dict[str, int]:
    """Values masked since the process began, by rule; failures as `failed`."""

def mask_configure(
    *,
    enabled: bool = True,
    on: Sequence[str] = (),
    off: Sequence[str] = (),
    patterns: Sequence[tuple[str, str]] = (),
    keys: Sequence[str] = (),
    allow: Sequence[str] = (),
    hash_key: bytes | None = None,
    limit: int = 65536,
    broken: bool = False,
) -> list[str]:
    """Replace the masker; return a sentence for each part that was refused.

    `limit` is in characters, 0 for none. `broken`, for tests: each look fails. Counts
    go on.
    """
