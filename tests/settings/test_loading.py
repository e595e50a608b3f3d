"""Reading settings: what counts, what a wrong value does, where a value came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarity_otel.settings import load
from clarity_otel.settings.loading import DEFAULT, ENVIRONMENT, OPTION, PYTHON


def test_defaults_are_those_of_the_documentation() -> None:
    """With nothing set, everything is traced and sent to the local Collector over HTTP."""
    settings = load({})
    assert settings.engine == "native"
    assert settings.exporters == ("otlp",)
    assert settings.sampling_ratio == 1.0
    assert settings.propagators == ("tracecontext", "baggage")
    assert settings.bsp_schedule_delay_ms == 1000
    assert settings.queue_limit_bytes == 16 * 1024 * 1024
    assert settings.batch_limit_bytes == 128 * 1024
    assert settings.correlation_header == "X-Correlation-ID"
    assert not settings.is_disabled
    assert settings.warnings == ()
    assert settings.notes == ()


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_empty_variable_counts_as_unset(empty: str) -> None:
    """Specification, Parsing empty value."""
    settings = load({"OTEL_BSP_SCHEDULE_DELAY": empty, "OTEL_PROPAGATORS": empty})
    assert settings.bsp_schedule_delay_ms == 1000
    assert settings.propagators == ("tracecontext", "baggage")
    assert settings.sources["OTEL_PROPAGATORS"] == DEFAULT


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("OTEL_SDK_DISABLED", "TRUE", "sdk_disabled", True),
        ("CLARITY_FLUSH_ON_SIGTERM", "False", "flush_on_sigterm", False),
        ("OTEL_BSP_SCHEDULE_DELAY", " 250 ", "bsp_schedule_delay_ms", 250),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", "bsp_schedule_delay_ms", 0),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "5000", "bsp_max_queue_size", 5000),
        ("CLARITY_ENGINE", "SDK", "engine", "sdk"),
        ("CLARITY_KEEP_SLOWER_THAN_S", "0.5", "keep_slower_than_s", 0.5),
        ("OTEL_PROPAGATORS", "b3, tracecontext ,b3", "propagators", ("b3", "tracecontext")),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b=x%20y", "resource_attributes", {"a": "1", "b": "x y"}),
        ("CLARITY_CORRELATION_HEADER", "X-Trace", "correlation_header", "X-Trace"),
        ("OTEL_PYTHON_EXCLUDED_URLS", "health, ^/x$", "excluded_urls", ("health", "^/x$")),
    ],
)
def test_values_are_typed(name: str, text: str, field: str, value: object) -> None:
    """A variable's text becomes a value of the setting's type."""
    settings = load({name: text})
    assert getattr(settings, field) == value
    assert settings[name] == value
    assert settings.sources[name] == ENVIRONMENT
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OTEL_SDK_DISABLED", "1"),
        ("CLARITY_FLUSH_ON_SIGTERM", "no"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1.5"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1_000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
        ("OTEL_BSP_SCHEDULE_DELAY", "\u0665"),
        ("OTEL_BSP_SCHEDULE_DELAY", "9" * 30),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("CLARITY_QUEUE_LIMIT_BYTES", "16MiB"),
        ("CLARITY_KEEP_SLOWER_THAN_S", "nan"),
        ("CLARITY_KEEP_SLOWER_THAN_S", "inf"),
        ("CLARITY_ENGINE", "turbo"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,=b"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "br"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("CLARITY_CORRELATION_HEADER", "X Y"),
        ("CLARITY_CORRELATION_HEADER", "X\r\nY"),
        ("SMTP_PORT", "70000"),
    ],
)
def test_wrong_value_is_named_and_the_default_used(name: str, text: str) -> None:
    """The app runs: one sentence names the variable, the default is used."""
    settings = load({name: text})
    assert settings[name] == load({})[name]
    (warning,) = settings.warnings
    assert warning.startswith(name)
    assert warning.endswith("is used.")


def test_secrets_are_never_in_a_warning() -> None:
    """A variable with credentials is named without its value."""
    settings = load(
        {
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "hunter2",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://me:hunter2@host",
            "JAEGER_ENDPOINT": "ftp://me:hunter2@host",
        }
    )
    assert len(settings.warnings) == 4
    assert "hunter2" not in " ".join(settings.warnings)


@pytest.mark.parametrize(
    ("sampler", "argument", "ratio", "warned"),
    [
        ("always_on", None, 1.0, False),
        ("parentbased_always_off", None, 0.0, False),
        ("traceidratio", "0.25", 0.25, False),
        ("parentbased_traceidratio", None, 1.0, False),
        ("PARENTBASED_TRACEIDRATIO", "0", 0.0, False),
        ("parentbased_traceidratio", "2", 1.0, True),
        ("parentbased_traceidratio", "half", 1.0, True),
        ("parentbased_always_on", "0.1", 1.0, True),
        (None, "0.1", 1.0, True),
    ],
)
def test_sampler_argument(
    sampler: str | None, argument: str | None, ratio: float, warned: bool
) -> None:
    """Specification, OTEL_TRACES_SAMPLER_ARG: a ratio for the ratio samplers, else not used."""
    environ = {"OTEL_TRACES_SAMPLER": sampler or "", "OTEL_TRACES_SAMPLER_ARG": argument or ""}
    settings = load(environ)
    assert settings.sampling_ratio == ratio
    assert bool(settings.warnings) == warned


@pytest.mark.parametrize(
    ("exporter", "console", "expected", "warnings"),
    [
        ("otlp", "", ("otlp",), 0),
        ("console", "", ("console",), 0),
        ("otlp,console", "true", ("otlp", "console"), 0),
        ("none", "", (), 0),
        ("none", "true", ("console",), 0),
        ("OTLP", "", ("otlp",), 0),
        ("logging", "", ("otlp",), 1),
        ("console,zipkin", "", ("console",), 1),
    ],
)
def test_exporters(exporter: str, console: str, expected: tuple[str, ...], warnings: int) -> None:
    """OTEL_TRACES_EXPORTER is a list; OTEL_TRACE_CONSOLE adds to it; unknown ones are named."""
    settings = load({"OTEL_TRACES_EXPORTER": exporter, "OTEL_TRACE_CONSOLE": console})
    assert settings.exporters == expected
    assert len(settings.warnings) == warnings


@pytest.mark.parametrize(
    "name",
    ["OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE", "OTEL_PYTHON_TRACER_CONFIGURATOR"],
)
def test_what_only_the_sdk_can_do_goes_to_the_sdk_engine(name: str) -> None:
    """The engine is chosen for the user, and one sentence says so."""
    settings = load({name: "something"})
    assert settings.engine == "sdk"
    (note,) = settings.notes
    assert "sdk engine" in note
    assert load({name: "something", "CLARITY_ENGINE": "sdk"}).notes == ()


def test_span_limits_fall_back_to_the_attribute_limit() -> None:
    """Specification, Span Limits: a limit of its own wins over the general one."""
    assert load({}).span_limits() == {
        "attribute_count": 128,
        "event_count": 128,
        "link_count": 128,
        "event_attribute_count": 128,
        "link_attribute_count": 128,
        "attribute_value_length": None,
    }
    limits = load(
        {
            "OTEL_ATTRIBUTE_COUNT_LIMIT": "7",
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "0",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9",
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3",
        }
    ).span_limits()
    assert limits["attribute_count"] == limits["event_attribute_count"] == 7
    assert limits["link_attribute_count"] == 0
    assert limits["attribute_value_length"] == 3


def test_excluded_urls_of_a_library_replace_the_general_ones() -> None:
    """OTEL_PYTHON_HTTPX_EXCLUDED_URLS counts for httpx alone, instead of the general list."""
    settings = load({"OTEL_PYTHON_EXCLUDED_URLS": "a", "OTEL_PYTHON_HTTPX_EXCLUDED_URLS": "b,c"})
    assert settings.excluded_urls_for("httpx") == ("b", "c")
    assert settings.excluded_urls_for("fastapi") == ("a",)
    assert settings.excluded_urls_for("requests") == ("a",)


@pytest.mark.parametrize("disabled", ["redis, HTTPX", "*"])
def test_instrumentations_are_disabled_by_name(disabled: str) -> None:
    """Names count in any case, and * names all."""
    settings = load({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled})
    assert settings.is_instrumentation_disabled("redis")
    assert settings.is_instrumentation_disabled("httpx")
    assert settings.is_instrumentation_disabled("fastapi") == (disabled == "*")


def test_batch_is_never_larger_than_the_queue() -> None:
    """Specification, Batch Span Processor: such a batch size is wrong."""
    settings = load({"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "11"})
    assert settings.bsp_max_export_batch_size is None
    assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=11" in settings.warnings[0]


@pytest.mark.parametrize(
    ("timeout", "bound_ms"), [("", 5000), ("200", 200), ("60000", 5000), ("0", 5000)]
)
def test_shutdown_is_bounded(timeout: str, bound_ms: int) -> None:
    """The end of a process never waits longer than the export timeout, nor than 5 s."""
    assert load({"OTEL_BSP_EXPORT_TIMEOUT": timeout}).shutdown_timeout_ms == bound_ms


def test_option_is_named_as_the_source() -> None:
    """What the launcher's options set is told from what the environment held."""
    settings = load(
        {
            "OTEL_SERVICE_NAME": "a",
            "CLARITY_ENGINE": "sdk",
            "CLARITY_LAUNCH_OPTIONS": "CLARITY_ENGINE",
        }
    )
    assert settings.sources["CLARITY_ENGINE"] == OPTION
    assert settings.sources["OTEL_SERVICE_NAME"] == ENVIRONMENT


def test_value_given_in_python_wins() -> None:
    """setup_observability's values come before the environment's."""
    settings = load(
        {"OTEL_SERVICE_NAME": "a", "OTEL_TRACES_SAMPLER": "always_off"},
        {"service_name": "b", "trace_sampling_rate": 0.1, "excluded_urls": ["health"]},
    )
    assert settings.service_name == "b"
    assert settings.sampling_ratio == 0.1
    assert settings.traces_sampler == "parentbased_traceidratio"
    assert settings.excluded_urls == ("health",)
    assert settings.sources["OTEL_SERVICE_NAME"] == PYTHON


@pytest.mark.parametrize(
    ("overrides", "kind"),
    [
        ({"trace_sampling_rate": 1.5}, ValueError),
        ({"trace_sampling_rate": None}, TypeError),
        ({"trace_sampling_rate": True}, TypeError),
        ({"bsp_schedule_delay_ms": "soon"}, ValueError),
        ({"bsp_schedule_delay_ms": 1.5}, TypeError),
        ({"engine": "turbo"}, ValueError),
        ({"service_name": 3}, TypeError),
        ({"no_such_setting": 1}, TypeError),
        ({"queue_limit_bytes": 0}, ValueError),
    ],
)
def test_wrong_value_in_python_raises_with_the_name(
    overrides: dict[str, object], kind: type[Exception]
) -> None:
    """A mistake in the app's own code is its author's to see at once."""
    (name,) = overrides
    with pytest.raises(kind, match=name):
        load({}, overrides)


def test_settings_cannot_be_changed() -> None:
    """Settings are shared between threads: they are what they were when loaded."""
    settings = load({})
    with pytest.raises(AttributeError, match="cannot be changed"):
        settings.engine = "sdk"
    settings.otlp_exporter()["headers"]["x"] = "y"
    assert settings.otlp_exporter()["headers"] == {}


def test_certificate_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """A missing file is named at the start, not by the first failing export."""
    present = tmp_path / "ca.pem"
    present.write_text("-")
    settings = load(
        {
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(present),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(tmp_path / "missing.pem"),
        }
    )
    assert settings.otlp_exporter()["ca_file"] == str(present)
    assert settings.otlp_exporter()["client_key"] is None
    assert "OTEL_EXPORTER_OTLP_CLIENT_KEY" in settings.warnings[0]


def test_variable_that_is_not_supported_is_named() -> None:
    """Setting what we do not support is answered, not ignored."""
    (warning,) = load({"OTEL_EXPORTER_ZIPKIN_ENDPOINT": "http://zipkin:9411"}).warnings
    assert "OTEL_EXPORTER_ZIPKIN_ENDPOINT is not supported" in warning


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ("otlp",)),
        ("otlp", ("otlp",)),
        ("none", ()),
        ("prometheus", ()),
        ("prometheus,otlp", ("otlp",)),
        ("console,otlp", ("console", "otlp")),
    ],
)
def test_where_metrics_go(given: str, expected: tuple[str, ...]) -> None:
    """`prometheus` is /metrics, which is there anyway: nothing is exported."""
    settings = load({"OTEL_METRICS_EXPORTER": given})
    assert settings.metric_exporters == expected
    assert settings.warnings == ()


def test_metrics_that_are_off_are_not_exported() -> None:
    """Whatever the exporter is."""
    settings = load({"OTEL_METRICS_EXPORTER": "otlp", "CLARITY_METRICS_ENABLED": "false"})
    assert settings.metric_exporters == ()


def test_prometheus_is_an_exporter_of_metrics_alone() -> None:
    """For spans it is a name that nobody has installed."""
    settings = load({"OTEL_TRACES_EXPORTER": "prometheus"})
    assert "OTEL_TRACES_EXPORTER names prometheus" in settings.warnings[0]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "99"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "gamma"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "linear"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "sometimes"),
        ("OTEL_METRICS_EXPORTER", "carrier_pigeon"),
    ],
)
def test_a_wrong_setting_of_metrics_is_one_sentence(name: str, given: str) -> None:
    """It names the variable, and the default is used."""
    settings, default = load({name: given}), load({})
    (sentence,) = settings.warnings
    assert name in sentence
    if name != "OTEL_METRICS_EXPORTER":
        assert settings[name] == default[name]
    assert settings.metric_exporters == default.metric_exporters


def test_what_follows_from_the_settings_of_metrics() -> None:
    """Preference and aggregation in any case; overrides of one signal."""
    settings = load(
        {
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Delta",
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": (
                "BASE2_EXPONENTIAL_BUCKET_HISTOGRAM"
            ),
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://metrics:4318/own/path",
            "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "7",
        }
    )
    assert (settings.metrics_temporality, settings.metrics_exponential) == ("delta", True)
    config = settings.otlp_exporter("metrics")
    assert config["endpoint"] == "http://metrics:4318/own/path"
    assert (config["gzip"], config["timeout_ms"]) == (True, 7)
    assert settings.otlp_exporter("traces")["timeout_ms"] == 10000
