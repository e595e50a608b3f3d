"""The settings of a process, as the program reads them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from clarity_otel.settings import otlp


class Settings:
    """All settings of a process: typed, immutable, safe to share between threads.

    Every row of the table is an attribute by its `field`, and an item by the
    variable's name. Times and sizes carry their unit in the name. The attributes
    declared here are those that the program uses.
    """

    service_name: str | None
    resource_attributes: Mapping[str, str]
    deployment_environment: str | None
    engine: str
    disabled: bool
    sdk_disabled: bool
    diagnostics_level: str
    propagators: tuple[str, ...]
    config_file: str | None
    endpoints: str
    token: str | None
    stream_clients: int
    store: str | None
    store_limit: int
    store_days: int
    alertmanager_url: str | None
    alertmanager_headers: Mapping[str, str]
    prometheus_url: str | None
    prometheus_headers: Mapping[str, str]
    jaeger_url: str | None
    jaeger_headers: Mapping[str, str]
    loki_url: str | None
    loki_headers: Mapping[str, str]
    slack_webhook_url: str | None
    slack_channel: str | None
    pagerduty_integration_key: str | None
    smtp_host: str | None
    smtp_port: int
    smtp_require_tls: bool
    smtp_username: str | None
    smtp_password: str | None
    smtp_from: str | None
    smtp_to: tuple[str, ...]
    dashboard_url: str
    guard: float
    guard_window_s: float
    raise_internal_errors: bool
    disabled_commands: tuple[str, ...]
    flush_on_sigterm: bool

    traces_sampler: str
    traces_sampler_arg: str | None
    keep_errors: bool
    keep_slower_than_s: float | None

    traces_exporter: tuple[str, ...]
    trace_console: bool

    bsp_schedule_delay_ms: int
    bsp_export_timeout_ms: int
    bsp_max_queue_size: int | None
    bsp_max_export_batch_size: int | None
    blrp_schedule_delay_ms: int
    blrp_export_timeout_ms: int
    blrp_max_queue_size: int | None
    blrp_max_export_batch_size: int | None
    queue_limit_bytes: int
    batch_limit_bytes: int
    spool_dir: str | None
    spool_limit: int

    disabled_instrumentations: tuple[str, ...]
    excluded_urls: tuple[str, ...]
    instrumentation_http_capture_headers_server_request: tuple[str, ...]
    instrumentation_http_capture_headers_server_response: tuple[str, ...]
    instrumentation_http_capture_headers_client_request: tuple[str, ...]
    instrumentation_http_capture_headers_client_response: tuple[str, ...]
    instrumentation_http_capture_headers_sanitize_fields: tuple[str, ...]
    instrumentation_http_known_methods: tuple[str, ...] | None
    semconv_stability_opt_in: tuple[str, ...]

    masking: bool
    mask_rules_on: tuple[str, ...]
    mask_rules_off: tuple[str, ...]
    mask_patterns: str | None
    mask_keys: tuple[str, ...]
    mask_allow: tuple[str, ...]
    mask_file: str | None
    mask_hash_key: str | None
    mask_limit: int

    correlation_header: str
    correlation_hosts: tuple[str, ...]
    propagation_hosts: tuple[str, ...]

    logs: str
    json_logs: bool
    log_level: str | None
    log_rate_limit: tuple[int, float] | None

    metrics_enabled: bool
    metrics_port: int | None
    metrics_host: str
    metrics_label_limit: int
    system_metrics_interval_s: float
    metric_export_interval_ms: int
    metric_export_timeout_ms: int

    # Not rows of the table: what follows from several of them.
    is_disabled: bool
    """Whether CLARITY_DISABLED or OTEL_SDK_DISABLED is true."""
    sampling_ratio: float
    """The ratio of new traces that are kept, 0 to 1, whatever the sampler is called."""
    exporters: tuple[str, ...]
    """Names of the span exporters, the console included where OTEL_TRACE_CONSOLE asks for it."""
    log_exporters: tuple[str, ...]
    """Names of the log records' exporters."""
    metric_exporters: tuple[str, ...]
    """Names of the metrics' exporters; none where metrics are off."""
    metrics_temporality: str
    """cumulative, delta or lowmemory."""
    metrics_exponential: bool
    """Whether histograms are exported in the exponential form, where it is known."""
    shutdown_timeout_ms: int
    """The longest that the end of the process waits for spans."""

    warnings: tuple[str, ...]
    """One sentence for each value that could not be used; it names the variable."""
    notes: tuple[str, ...]
    """One sentence for each decision that may surprise, such as an engine chosen for the user."""
    sources: Mapping[str, str]
    """Where each variable's value came from, by the variable's name."""

    _values: Mapping[str, object]
    _exporter_configs: Mapping[str, otlp.ExporterConfig]

    def __init__(self, attributes: Mapping[str, object]) -> None:
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings cannot be changed; {name} is set when they are loaded")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"settings cannot be changed; {name} is set when they are loaded")

    def __getitem__(self, variable: str) -> object:
        return self._values[variable]

    def otlp_exporter(self, signal: str = "traces") -> otlp.ExporterConfig:
        """Return a new dict with the OTLP exporter's configuration for a signal.

        Its `endpoint` is a complete URL, with the path for HTTP and without one for
        gRPC; `timeout_ms` is at least 1. Built from the specification, "OpenTelemetry
        Protocol Exporter".
        """
        config = self._exporter_configs[signal]
        return {**config, "headers": dict(config["headers"])}

    def without_config_file(self) -> Settings:
        """Return these settings for a process that could not use OTEL_CONFIG_FILE."""
        return Settings({**self.__dict__, "config_file": None})

    def span_limits(self) -> dict[str, int | None]:
        """Return the limits of a span (specification, Span Limits); None means no limit."""
        count = self["OTEL_ATTRIBUTE_COUNT_LIMIT"]
        length = self["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"]
        limits = {
            "attribute_count": self["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"],
            "event_count": self["OTEL_SPAN_EVENT_COUNT_LIMIT"],
            "link_count": self["OTEL_SPAN_LINK_COUNT_LIMIT"],
            "event_attribute_count": self["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"],
            "link_attribute_count": self["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"],
        }
        for name, value in limits.items():
            limits[name] = count if value is None else value
        limits["attribute_value_length"] = (
            self["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"] if length is None else length
        )
        return limits  # type: ignore[return-value]

    def log_limits(self) -> tuple[int | None, int | None]:
        """Return (attributes, characters of one) of a log record at most; None: no limit."""
        count = self["OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT"]
        length = self["OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT"]
        return (
            self["OTEL_ATTRIBUTE_COUNT_LIMIT"] if count is None else count,
            self["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"] if length is None else length,
        )  # type: ignore[return-value]

    def excluded_urls_for(self, library: str) -> tuple[str, ...]:
        """Return the regular expressions of URLs that `library` (fastapi, httpx…) leaves out."""
        own = self._values.get(f"OTEL_PYTHON_{library.upper()}_EXCLUDED_URLS")
        return self.excluded_urls if own is None else own  # type: ignore[return-value]

    def have_own_excluded_urls(self, *libraries: str) -> bool:
        """Whether one of these has a list of its own."""
        return len({self.excluded_urls_for(library) for library in libraries}) > 1

    def is_instrumentation_disabled(self, name: str) -> bool:
        """Whether OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names this library, or all with *."""
        disabled = self.disabled_instrumentations
        return name in disabled or "*" in disabled
