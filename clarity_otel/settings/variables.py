"""Every environment variable, once, as data: one row of the table is one line.

A row says what the variable is called, what it may hold, its default, what it does
in one sentence, and how far it is supported. The rest of the program, the
documentation (`docs/settings.md`) and `clarity config` are all made from it.
"""

# ruff: noqa: E501, SIM905 - a row is one line, so that the table reads as one.

from __future__ import annotations

from clarity_otel.settings.kinds import (
    BOOLEAN,
    BYTES,
    COUNT,
    HEADER_NAME,
    HEADERS,
    LIST,
    MILLISECONDS,
    NAMES,
    PAIRS,
    PERCENT,
    PORT,
    POSITIVE_COUNT,
    RATE,
    SECONDS,
    STRING,
    Kind,
    enum,
)

# How far a variable is supported. The words appear in the documentation.
HONOURED = "honoured"
PASSED_ON = "passed on"  # read by an OpenTelemetry package of its own, not by us
NOT_SUPPORTED = "not supported"
INTERNAL = "internal"  # set by our own programs for their children

# What a setting may need to have an effect: see `effect`. The words appear in the documentation.
NATIVE = "the native engine"
METRICS = "metrics"

SIGNALS = ("traces", "metrics", "logs")
# Lists of hosts, as `correlation.hosts` compares them.
HOST_LISTS = ("CLARITY_CORRELATION_HOSTS", "CLARITY_PROPAGATION_HOSTS")
# Lists of regular expressions.
PATTERN_LISTS = (
    "OTEL_PYTHON_EXCLUDED_URLS",
    "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS",
    "OTEL_PYTHON_STARLETTE_EXCLUDED_URLS",
    "OTEL_PYTHON_ASGI_EXCLUDED_URLS",
    "OTEL_PYTHON_HTTPX_EXCLUDED_URLS",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS",
)
STANDARD_SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)

# Python programs that are tools, not services. As children of the service they
# stay untouched; launched by clarity-instrument itself they are instrumented.
# Compared without a version at the end: pip3.12 is pip.
DISABLED_COMMANDS = tuple(
    "pip pipx uv poetry pdm hatch conda __pip-runner__ _in_process build setup twine wheel "
    "virtualenv venv ensurepip compileall py_compile cython cythonize maturin ruff black isort "
    "flake8 pylint mypy dmypy pyright pre-commit pre_commit tox nox sphinx-build mkdocs "
    "pip-compile coverage clarity clarity-instrument".split()
)


class Variable:
    """One row of the table.

    `field` is the attribute of `Settings` and the keyword of `setup_observability`:
    the variable's name in lower case without its prefix, with the unit at the end.
    `default` is the value when the variable is unset or empty; None means that
    nothing is set. `note` says why a variable is not supported, or who reads it;
    `needs` names what it has no effect without.
    """

    __slots__ = (
        *("default", "doc", "field", "group", "kind", "name", "needs", "note", "secret", "status"),
    )

    def __init__(
        self,
        name: str,
        kind: Kind,
        default: object,
        doc: str,
        *,
        status: str = HONOURED,
        note: str = "",
        field: str = "",
        secret: bool = False,
    ) -> None:
        self.group = ""
        self.name = name
        self.kind = kind
        self.default = default
        self.doc = doc
        self.status = status
        self.note = note
        self.needs: tuple[str, ...] = ()
        self.secret = secret
        self.field = field or _field(name, kind)

    @property
    def support(self) -> str:
        """How far it counts, and why not further."""
        why = self.note or (f"needs {' and '.join(self.needs)}" if self.needs else "")
        return f"{self.status}: {why}" if why else self.status


def _field(name: str, kind: Kind) -> str:
    for prefix in ("OTEL_EXPORTER_", "OTEL_PYTHON_", "OTEL_", "CLARITY_"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    return name.lower() + ("_ms" if kind is MILLISECONDS else "")


def _group(group: str, *rows: Variable) -> tuple[Variable, ...]:
    for row in rows:
        row.group = group
    return rows


def _passed_on(reader: str, *rows: Variable) -> tuple[Variable, ...]:
    for row in rows:
        row.status, row.note = PASSED_ON, f"read by {reader}"
    return rows


def _read_by(reader: str, *rows: Variable) -> tuple[Variable, ...]:
    for row in rows:
        row.note = f"read by {reader}"
    return rows


def _needs(what: tuple[str, ...], *rows: Variable) -> tuple[Variable, ...]:
    for row in rows:
        row.needs = what
    return rows


def _not_supported(note: str, *rows: Variable) -> tuple[Variable, ...]:
    for row in rows:
        row.status, row.note = NOT_SUPPORTED, note
    return rows


# fmt: off
def _otlp(signal: str) -> tuple[Variable, ...]:
    """The options of the OTLP exporter, for all signals (`signal` empty) or for one."""
    prefix = f"OTEL_EXPORTER_OTLP_{signal.upper()}_" if signal else "OTEL_EXPORTER_OTLP_"
    whose = f"for {signal}" if signal else "for all signals"
    path = "used as it is" if signal else "/v1/traces and the like are added for HTTP; unset, http://localhost:4318, or 4317 for gRPC"
    return (
        Variable(f"{prefix}ENDPOINT", STRING, None, f"The address {whose} (port 4317 means gRPC); {path}."),
        Variable(f"{prefix}PROTOCOL", enum("grpc", "http/protobuf"), None, f"The protocol {whose}; http/json is not supported."),
        Variable(f"{prefix}HEADERS", HEADERS, None if signal else {}, f"Headers to send {whose}, as name=value pairs, percent-encoded.", secret=True),
        Variable(f"{prefix}COMPRESSION", enum("none", "gzip"), None if signal else "none", f"The compression {whose}."),
        Variable(f"{prefix}TIMEOUT", MILLISECONDS, None if signal else 10000, f"The longest wait for one answer {whose}; 0 means no limit."),
        Variable(f"{prefix}CERTIFICATE", STRING, None, f"A file with the certificate authority {whose} (PEM)."),
        Variable(f"{prefix}CLIENT_CERTIFICATE", STRING, None, f"A file with the client's certificate {whose} (PEM)."),
        Variable(f"{prefix}CLIENT_KEY", STRING, None, f"A file with the client's private key {whose} (PEM)."),
        Variable(f"{prefix}INSECURE", BOOLEAN, None if signal else False, f"Whether gRPC {whose} goes unencrypted where the address has no scheme."),
    )


_ZIPKIN = "Zipkin accepts OTLP; for its old format install opentelemetry-exporter-zipkin, which reads this itself"
_PROMETHEUS = "Prometheus scrapes the service itself"
_STOCK = "the stock SDK, on the sdk engine"
_CONTRIB = "the other libraries' instrumentations"
_IN_PYTHON = "the code is Python, so the sdk engine is used"

VARIABLES: tuple[Variable, ...] = (
    *_group(
        "General",
        Variable("OTEL_SERVICE_NAME", STRING, None, "The service's name; unset, the name of the app's package or module."),
        Variable("OTEL_RESOURCE_ATTRIBUTES", PAIRS, {}, "Attributes of everything that is sent, as key=value pairs, percent-encoded."),
        Variable("CLARITY_DEPLOYMENT_ENVIRONMENT", STRING, None, "The deployment's name, such as production; sent as deployment.environment.name."),
        Variable("CLARITY_ENGINE", enum("native", "sdk"), "native", "native is the Rust engine, sdk the stock OpenTelemetry SDK."),
        Variable("CLARITY_DISABLED", BOOLEAN, False, "true leaves the process exactly as it would be without Clarity OTel."),
        Variable("OTEL_SDK_DISABLED", BOOLEAN, False, "true does the same, by the standard's name."),
        Variable("OTEL_LOG_LEVEL", enum("none", "error", "warn", "info", "debug"), "info", "How much Clarity OTel says about itself on stderr; debug adds tracebacks.", field="diagnostics_level"),
        Variable("OTEL_PROPAGATORS", NAMES, ("tracecontext", "baggage"), "The formats in which context is read from and written to requests."),
        Variable("OTEL_CONFIG_FILE", STRING, None, "A declarative configuration file; the SDK reads it, so the sdk engine is used."),
        Variable("OTEL_EXPERIMENTAL_CONFIG_FILE", STRING, None, "The older name of OTEL_CONFIG_FILE."),
        *_not_supported(
            "entities are still in development; use OTEL_RESOURCE_ATTRIBUTES",
            Variable("OTEL_ENTITIES", STRING, None, "Entities of the resource."),
        ),
        Variable("CLARITY_DISABLED_COMMANDS", LIST, DISABLED_COMMANDS, "Python programs that are not instrumented when the service starts them."),
        Variable("CLARITY_FLUSH_ON_SIGTERM", BOOLEAN, True, "Whether waiting spans are sent when SIGTERM ends the process."),
        *_needs(
            (NATIVE, METRICS),
            Variable("CLARITY_GUARD", PERCENT, 5.0, "The most that telemetry may cost, in percent of the process's CPU time; above it parts are left out, and come back. 0 or off: it costs what it costs. See docs/reliability.md."),
            Variable("CLARITY_GUARD_WINDOW_S", SECONDS, 30, "The time over which that cost is taken, and for which it has to be above CLARITY_GUARD, or below half of it."),
        ),
        Variable("CLARITY_RAISE_INTERNAL_ERRORS", BOOLEAN, False, "true lets an internal error of Clarity OTel reach the app; for tests only."),
    ),
    *_group(
        "Sampling",
        Variable("OTEL_TRACES_SAMPLER", STRING, "parentbased_always_on", "Which traces are kept: a standard sampler, or an installed one (then the sdk engine is used)."),
        Variable("OTEL_TRACES_SAMPLER_ARG", STRING, None, "The sampler's argument; for the ratio samplers a number from 0 to 1."),
        *_needs(
            (NATIVE,),
            Variable("CLARITY_KEEP_ERRORS", BOOLEAN, True, "With a sampling ratio below 1, keep the spans of a request that ends in an error."),
            Variable("CLARITY_KEEP_SLOWER_THAN_S", SECONDS, None, "With a sampling ratio below 1, keep the spans of a request that takes longer than this many seconds."),
        ),
    ),
    *_group(
        "Exporters",
        Variable("OTEL_TRACES_EXPORTER", NAMES, ("otlp",), "Where spans go: otlp, console, none, a list, or the name of any installed exporter."),
        Variable("OTEL_TRACE_CONSOLE", BOOLEAN, False, "true also draws each trace as a tree on the console."),
        Variable("JAEGER_ENDPOINT", STRING, None, "A Jaeger's address, used where no OTLP endpoint is set; its old port 14268 becomes the same host's OTLP port 4318."),
        *_otlp(""),
        *_otlp("traces"),
        Variable("OTEL_METRICS_EXPORTER", NAMES, ("otlp",), "Where metrics go, beside /metrics: otlp, console, none, a list, or the name of any installed exporter; prometheus means /metrics alone."),
        *_otlp("metrics"),
        Variable("OTEL_LOGS_EXPORTER", NAMES, ("otlp",), "Where log records go, beside the app's own handlers: otlp, console, none, a list, or the name of any installed exporter."),
        *_otlp("logs"),
        *_not_supported(
            _ZIPKIN,
            Variable("OTEL_EXPORTER_ZIPKIN_ENDPOINT", STRING, "http://localhost:9411/api/v2/spans", "A Zipkin's address."),
            Variable("OTEL_EXPORTER_ZIPKIN_TIMEOUT", MILLISECONDS, 10000, "The longest wait for Zipkin's answer."),
            Variable("OTEL_EXPORTER_ZIPKIN_PROTOCOL", STRING, None, "The format for Zipkin."),
        ),
        *_not_supported(
            _PROMETHEUS,
            Variable("OTEL_EXPORTER_PROMETHEUS_HOST", STRING, "localhost", "The address of a second server, for metrics."),
            Variable("OTEL_EXPORTER_PROMETHEUS_PORT", PORT, 9464, "The port of a second server, for metrics."),
        ),
    ),
    *_group(
        "Batches and queue",
        Variable("OTEL_BSP_SCHEDULE_DELAY", MILLISECONDS, 1000, "The longest time a finished span waits for its batch (the standard's default is 5000)."),
        Variable("OTEL_BSP_EXPORT_TIMEOUT", MILLISECONDS, 30000, "The longest time for a batch, retries included; 0 means no limit. With a spool it goes to disk after a second. The end of the process waits at most this long, and at most 5000."),
        Variable("OTEL_BSP_MAX_QUEUE_SIZE", POSITIVE_COUNT, None, "The most spans that wait; unset, only CLARITY_QUEUE_LIMIT_BYTES counts (the standard's default is 2048)."),
        Variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", POSITIVE_COUNT, None, "The most spans in a batch; unset, only CLARITY_BATCH_LIMIT_BYTES counts (the standard's default is 512)."),
        *_needs(
            (NATIVE,),
            Variable("CLARITY_QUEUE_LIMIT_BYTES", BYTES, 16 * 1024 * 1024, "The most bytes of encoded spans that wait, and as many of log records and of metrics; beyond it the newest are dropped and counted."),
            Variable("CLARITY_BATCH_LIMIT_BYTES", BYTES, 128 * 1024, "The bytes at which a batch is sent without waiting longer; a span takes about half of what it has on the wire."),
            Variable("CLARITY_SPOOL_DIR", STRING, None, "The folder in which each service keeps what its target does not take; unset, clarity-otel/spool in the user's state folder. See docs/reliability.md."),
            Variable("CLARITY_SPOOL_LIMIT", COUNT, 256 * 1024 * 1024, "The most bytes that a service keeps there, all its processes together; beyond it the oldest goes. 0 keeps nothing on disk."),
        ),
        Variable("OTEL_BLRP_SCHEDULE_DELAY", MILLISECONDS, 1000, "The longest time a log record waits for its batch."),
        Variable("OTEL_BLRP_EXPORT_TIMEOUT", MILLISECONDS, 30000, "The longest time for a batch of log records, retries included; 0 means no limit. With a spool it goes to disk after a second."),
        Variable("OTEL_BLRP_MAX_QUEUE_SIZE", POSITIVE_COUNT, None, "The most log records that wait; unset, only CLARITY_QUEUE_LIMIT_BYTES counts (the standard's default is 2048)."),
        Variable("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", POSITIVE_COUNT, None, "The most log records in a batch; unset, only CLARITY_BATCH_LIMIT_BYTES counts (the standard's default is 512)."),
    ),
    *_group(
        "Limits",
        Variable("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", COUNT, None, "The most characters of a text attribute; the rest is cut off."),
        Variable("OTEL_ATTRIBUTE_COUNT_LIMIT", COUNT, 128, "The most attributes of a span, event or link, where no other limit is set."),
        Variable("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", COUNT, None, "The same as OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, for spans alone."),
        Variable("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", COUNT, None, "The most attributes of a span; unset, OTEL_ATTRIBUTE_COUNT_LIMIT."),
        Variable("OTEL_SPAN_EVENT_COUNT_LIMIT", COUNT, 128, "The most events of a span."),
        Variable("OTEL_SPAN_LINK_COUNT_LIMIT", COUNT, 128, "The most links of a span."),
        Variable("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", COUNT, None, "The most attributes of an event; unset, OTEL_ATTRIBUTE_COUNT_LIMIT."),
        Variable("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", COUNT, None, "The most attributes of a link; unset, OTEL_ATTRIBUTE_COUNT_LIMIT."),
        Variable("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", COUNT, None, "The most characters of a log record's text attribute; unset, OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT."),
        Variable("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", COUNT, None, "The most attributes of a log record; unset, OTEL_ATTRIBUTE_COUNT_LIMIT."),
    ),
    *_group(
        "Instrumentation",
        Variable("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", NAMES, (), "Libraries that are not instrumented, by name; * switches all off."),
        Variable("OTEL_PYTHON_EXCLUDED_URLS", LIST, (), "Regular expressions; a request whose URL matches one is not traced, nor what it calls."),
        Variable("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", LIST, None, "The same for FastAPI alone, instead of OTEL_PYTHON_EXCLUDED_URLS."),
        Variable("OTEL_PYTHON_STARLETTE_EXCLUDED_URLS", LIST, None, "The same for Starlette alone."),
        Variable("OTEL_PYTHON_ASGI_EXCLUDED_URLS", LIST, None, "The same for other ASGI apps alone."),
        Variable("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", LIST, None, "The same for requests made with httpx alone."),
        Variable("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", LIST, (), "Headers of served requests that become attributes, by name or regular expression."),
        Variable("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE", LIST, (), "Headers of the responses to them that become attributes."),
        Variable("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", LIST, (), "Headers of made requests that become attributes."),
        Variable("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE", LIST, (), "Headers of the responses to them that become attributes."),
        Variable("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS", LIST, (), "Captured headers whose value is replaced by [REDACTED]."),
        Variable("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", LIST, None, "HTTP methods that keep their name; all others are called _OTHER."),
        Variable("OTEL_SEMCONV_STABILITY_OPT_IN", LIST, ("http", "database"), "What other instrumentations are asked for; Clarity OTel's own emit stable names only."),
        *_passed_on(
            _CONTRIB,
            Variable("OTEL_PYTHON_<LIBRARY>_EXCLUDED_URLS", LIST, None, "The same as OTEL_PYTHON_EXCLUDED_URLS for any other HTTP library."),
            Variable("OTEL_PYTHON_<LIBRARY>_TRACED_REQUEST_ATTRS", LIST, None, "Attributes of the request object that become span attributes."),
            Variable("OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS", BOOLEAN, False, "true keeps every HTTP method's name."),
            Variable("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", BOOLEAN, False, "true records what is said to and by language models."),
            Variable("OTEL_PYTHON_DJANGO_INSTRUMENT", BOOLEAN, True, "false leaves Django alone."),
            Variable("OTEL_PYTHON_LOG_CORRELATION", BOOLEAN, False, "true adds trace ids to the standard logging module's records."),
            Variable("OTEL_PYTHON_LOG_FORMAT", STRING, None, "The format of log lines with trace ids."),
            Variable("OTEL_PYTHON_LOG_LEVEL", STRING, None, "The level of log lines with trace ids.", field="python_log_level"),
        ),
        *_passed_on(
            _STOCK,
            Variable("OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", BOOLEAN, False, "true hands the standard logging module's records to the SDK."),
            Variable("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", BOOLEAN, False, "true makes the SDK count its own work."),
            Variable("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", LIST, None, "Resource detectors that are run."),
        ),
        *_passed_on(
            "opentelemetry-instrument",
            Variable("OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH", STRING, None, "patch_all patches gevent first."),
        ),
    ),
    *_group(
        "Correlation id and propagation",
        Variable("CLARITY_CORRELATION_HEADER", HEADER_NAME, "X-Correlation-ID", "The header that carries the correlation id, in and out."),
        Variable("CLARITY_CORRELATION_HOSTS", NAMES, ("*",), "Hosts that are sent the correlation id, by name or address without a port; *.example.com stands for all below it."),
        Variable("CLARITY_PROPAGATION_HOSTS", NAMES, ("*",), "Hosts that are sent the trace (traceparent, tracestate, baggage and what other propagators write), by name or address without a port; *.example.com stands for all below it. Requests to others go without."),
    ),
    *_group(
        "Metrics",
        Variable("CLARITY_METRICS_ENABLED", BOOLEAN, True, "false keeps and exports no metrics: get_metrics() gives an object that does nothing."),
        *_needs(
            (METRICS,),
            Variable("CLARITY_METRICS_PORT", PORT, None, "A port that serves /metrics beside the app, by the same rules of access."),
            Variable("CLARITY_METRICS_HOST", STRING, "127.0.0.1", "The address that CLARITY_METRICS_PORT listens on; callers from elsewhere are asked for CLARITY_TOKEN."),
            Variable("CLARITY_METRICS_LABEL_LIMIT", POSITIVE_COUNT, 200, "The most different values of a label in a process; the rest becomes __other__."),
            Variable("CLARITY_SYSTEM_METRICS_INTERVAL_S", SECONDS, 60, "The time between two samples of machine, process and container, 0.1 at least."),
        ),
        Variable("OTEL_METRICS_EXEMPLAR_FILTER", enum("trace_based", "always_on", "always_off"), "trace_based", "Which measurements of the OpenTelemetry API may become exemplars."),
        Variable("OTEL_METRIC_EXPORT_INTERVAL", MILLISECONDS, 60000, "The time between two exports of metrics, 100 at least."),
        Variable("OTEL_METRIC_EXPORT_TIMEOUT", MILLISECONDS, 30000, "The longest time for one export of metrics, retries included; 0 means no limit. With a spool it goes to disk after a second."),
        Variable("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", enum("cumulative", "delta", "lowmemory"), "cumulative", "Whether exported sums count from the start or from the last export."),
        Variable("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", enum("explicit_bucket_histogram", "base2_exponential_bucket_histogram"), "explicit_bucket_histogram", "The form in which histograms are exported; /metrics has explicit buckets."),
    ),
    *_group(
        "OpenTelemetry for Python",
        Variable("OTEL_PYTHON_ID_GENERATOR", STRING, "random", f"The generator of ids; with another one than random {_IN_PYTHON}."),
        Variable("OTEL_PYTHON_TRACER_CONFIGURATOR", STRING, None, f"A function that configures tracers; {_IN_PYTHON}."),
        *_passed_on(
            "opentelemetry-instrument",
            Variable("OTEL_PYTHON_DISTRO", STRING, None, "The distro; clarity-instrument sets it to clarity."),
            Variable("OTEL_PYTHON_CONFIGURATOR", STRING, None, "The configurator; clarity-instrument sets it to clarity."),
        ),
        *_passed_on(
            "the OpenTelemetry API",
            Variable("OTEL_PYTHON_CONTEXT", STRING, None, "The implementation of the context; the native engine brings its own."),
            Variable("OTEL_PYTHON_TRACER_PROVIDER", STRING, None, "A tracer provider to load; the engine sets its own first."),
            Variable("OTEL_PYTHON_METER_PROVIDER", STRING, None, "A meter provider to load."),
            Variable("OTEL_PYTHON_LOGGER_PROVIDER", STRING, None, "A logger provider to load."),
        ),
        *_passed_on(
            _STOCK,
            Variable("OTEL_PYTHON_METER_CONFIGURATOR", STRING, None, "A function that configures meters."),
            Variable("OTEL_PYTHON_LOGGER_CONFIGURATOR", STRING, None, "A function that configures loggers."),
            Variable("OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES", STRING, None, "gRPC codes on which to try again."),
            *(
                Variable(f"OTEL_PYTHON_EXPORTER_OTLP_{transport}_{signal}CREDENTIAL_PROVIDER", STRING, None, "A function that supplies credentials to the exporter.")
                for transport in ("GRPC", "HTTP")
                for signal in ("", "TRACES_", "METRICS_", "LOGS_")
            ),
        ),
    ),
    *_group(
        "Logs",
        Variable("CLARITY_LOGS", enum("on", "off"), "on", "off leaves the app's logging alone, except for the ids on its records."),
        Variable("JSON_LOGS", BOOLEAN, True, "Whether the console's log lines are JSON; false writes text for people, coloured on a terminal."),
        Variable("LOG_LEVEL", enum("debug", "info", "warning", "error", "critical"), None, "The root logger's level, whatever the app sets; unset, the app's own levels stand."),
        Variable("CLARITY_LOG_RATE_LIMIT", RATE, None, "The most lines of one message template in a period, such as 100/s or 1000/m; errors are exempt."),
    ),
    *_group(
        "Masking",
        Variable("CLARITY_MASKING", BOOLEAN, True, "Whether credentials and personal data are masked in all that leaves the process; see docs/masking.md."),
        Variable("CLARITY_MASK_RULES_ON", NAMES, (), "Masking rules to switch on beyond the default ones, such as ip."),
        Variable("CLARITY_MASK_RULES_OFF", NAMES, (), "Masking rules to switch off, such as phone."),
        Variable("CLARITY_MASK_PATTERNS", STRING, None, "Patterns of your own as name=regular expression, one a line or separated by ;; (two semicolons)."),
        Variable("CLARITY_MASK_KEYS", LIST, (), "Keys of your own: what stands under them is masked whole."),
        Variable("CLARITY_MASK_ALLOW", LIST, (), "Values that stay as they are, such as noreply@example.com."),
        Variable("CLARITY_MASK_FILE", STRING, None, "A TOML file with more of the same: keys, allow, and a table of patterns by name."),
        Variable("CLARITY_MASK_HASH_KEY", STRING, None, "With a key, each masked value also shows a keyed hash, so that equal values can be joined.", secret=True),
        Variable("CLARITY_MASK_LIMIT", COUNT, 65536, "The most characters of one text that are looked at; what is longer is cut, and says so. 0 means no limit."),
    ),
    *_group(
        "Endpoints",
        Variable("CLARITY_ENDPOINTS", enum("on", "token", "off"), "on", "Who is answered at /api/v1/observability in the service: on, direct callers from this machine and who shows the token; token, only the latter; off, nobody."),
        Variable("CLARITY_TOKEN", STRING, None, "What the endpoints ask of callers from elsewhere, as Authorization: Bearer; unset, they are answered by the app.", secret=True),
        Variable("CLARITY_STREAM_CLIENTS", POSITIVE_COUNT, 20, "The most clients of the stream at a time, in each process."),
    ),
    *_group(
        "Dashboard",
        Variable("CLARITY_STORE", STRING, None, "The file that `clarity dashboard` keeps what it receives in; unset, clarity-otel/store.duckdb in the user's cache folder."),
        Variable("CLARITY_STORE_LIMIT", BYTES, 2 * 1024**3, "The bytes of data that the dashboard's file holds; beyond it the oldest is deleted."),
        Variable("CLARITY_STORE_DAYS", POSITIVE_COUNT, 7, "The days that the dashboard keeps what it has received."),
        Variable("CLARITY_ALERTMANAGER_URL", STRING, None, "Alertmanager's address, whose alerts the dashboard shows."),
        Variable("CLARITY_ALERTMANAGER_HEADERS", HEADERS, {}, "Headers to send to CLARITY_ALERTMANAGER_URL, as name=value pairs, percent-encoded.", secret=True),
        Variable("CLARITY_PROMETHEUS_URL", STRING, None, "The address of Prometheus: `clarity dashboard` then reads rates, durations and metrics from it, and receives and keeps nothing."),
        Variable("CLARITY_PROMETHEUS_HEADERS", HEADERS, {}, "Headers to send to CLARITY_PROMETHEUS_URL, as name=value pairs, percent-encoded.", secret=True),
        Variable("CLARITY_JAEGER_URL", STRING, None, "The address of Jaeger's query API: `clarity dashboard` then reads traces from it, and receives and keeps nothing."),
        Variable("CLARITY_JAEGER_HEADERS", HEADERS, {}, "Headers to send to CLARITY_JAEGER_URL, as name=value pairs, percent-encoded.", secret=True),
        Variable("CLARITY_LOKI_URL", STRING, None, "The address of Loki: `clarity dashboard` then reads logs from it, and receives and keeps nothing."),
        Variable("CLARITY_LOKI_HEADERS", HEADERS, {}, "Headers to send to CLARITY_LOKI_URL, as name=value pairs, percent-encoded.", secret=True),
    ),
    *_group(
        "Alerts",
        *_read_by(
            "`clarity stack`",
            Variable("SLACK_WEBHOOK_URL", STRING, None, "The Slack address that alerts are sent to.", secret=True),
            Variable("SLACK_CHANNEL", STRING, None, "The Slack channel of alerts; unset, the one that the address belongs to."),
            Variable("PAGERDUTY_INTEGRATION_KEY", STRING, None, "The PagerDuty key (Events API v2) of critical alerts.", secret=True),
            Variable("SMTP_HOST", STRING, None, "The mail server of alerts."),
            Variable("SMTP_PORT", PORT, 587, "The mail server's port."),
            Variable("SMTP_REQUIRE_TLS", BOOLEAN, True, "Whether mails are sent encrypted or not at all; false for a relay on the same machine."),
            Variable("SMTP_USERNAME", STRING, None, "The user at the mail server."),
            Variable("SMTP_PASSWORD", STRING, None, "The password at the mail server.", secret=True),
            Variable("SMTP_FROM", STRING, None, "The sender of alert mails."),
            Variable("SMTP_TO", LIST, (), "The receivers of alert mails."),
            Variable("CLARITY_DASHBOARD_URL", STRING, "http://127.0.0.1:3001", "The address of the dashboard that alerts link to."),
        ),
        *_passed_on(
            "docker-compose.observability.yml",
            Variable("GRAFANA_ADMIN_PASSWORD", STRING, None, "The password of Grafana's user admin; there is no default.", secret=True),
        ),
    ),
    *_group(
        "Internal",
        Variable("CLARITY_STACK_USER", STRING, None, "The user of Compose's Alertmanager, who can read its secrets; written by `clarity stack render`.", status=INTERNAL),
        Variable("CLARITY_STACK_ALERTMANAGER", STRING, None, "Its rendered folder, for Compose.", status=INTERNAL),
        Variable("CLARITY_STACK_ALERTMANAGER_DATA", STRING, None, "The folder of its data, for Compose.", status=INTERNAL),
        Variable("CLARITY_STACK_COLLECTOR", STRING, None, "The Collector's rendered folder, for Compose.", status=INTERNAL),
        Variable("CLARITY_LAUNCH_PID", COUNT, None, "The process that clarity-instrument became; it is instrumented whatever it runs.", status=INTERNAL),
        Variable("CLARITY_LAUNCH_OPTIONS", LIST, (), "The variables that options of clarity-instrument have set.", status=INTERNAL),
        Variable("CLARITY_LAUNCH_SAID", BOOLEAN, False, "Whether a process has said the warnings, so that its workers need not.", status=INTERNAL),
        Variable("CLARITY_LAUNCH_METRICS_FOLDER", STRING, None, "What the processes of a service call the folder of their metrics.", status=INTERNAL),
        Variable("CLARITY_LAUNCH_SERVICE_NAME", STRING, None, "The service's name as the command tells it, for workers that do not see the command.", status=INTERNAL),
    ),
)
# fmt: on

BY_NAME: dict[str, Variable] = {variable.name: variable for variable in VARIABLES}
BY_FIELD: dict[str, Variable] = {variable.field: variable for variable in VARIABLES}

# Kubernetes has no standard variables: the manifest's downward API names them.
# The names without a prefix count only inside a cluster (KUBERNETES_SERVICE_HOST).
KUBERNETES: dict[str, tuple[str, ...]] = {
    "k8s.pod.name": ("K8S_POD_NAME", "POD_NAME"),
    "k8s.pod.uid": ("K8S_POD_UID", "POD_UID"),
    "k8s.namespace.name": ("K8S_NAMESPACE_NAME", "K8S_NAMESPACE", "POD_NAMESPACE", "NAMESPACE"),
    "k8s.node.name": ("K8S_NODE_NAME", "NODE_NAME"),
    "k8s.deployment.name": ("K8S_DEPLOYMENT_NAME", "DEPLOYMENT_NAME"),
    "k8s.container.name": ("K8S_CONTAINER_NAME", "CONTAINER_NAME"),
    "k8s.cluster.name": ("K8S_CLUSTER_NAME", "CLUSTER_NAME"),
}
