"""The SDK's TracerProvider, set up from our settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from clarity_otel import diagnostics, resource
from clarity_otel.engine import exporters
from clarity_otel.engine.sdk.correlation_id import CorrelationProcessor
from clarity_otel.engine.sdk.counting import CountedExporter, Counters
from clarity_otel.engine.sdk.ends import Ends
from clarity_otel.engine.sdk.own_exporter import OwnExporter
from clarity_otel.masking import mask_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.sampling import Sampler

    from clarity_otel.settings import Settings

# The specification's defaults, where no variable is set: the native engine counts
# bytes instead, so that the settings have none.
_QUEUE_LIMIT, _BATCH_LIMIT = 2048, 512


# Why OTEL_CONFIG_FILE is not used, for `clarity doctor`; empty where it is, or is not set.
file_failure = ""


class ClarityTracerProvider(TracerProvider):
    """The SDK's provider; its name tells ours from one that the app sets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ends = Ends()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Hand all spans to `span_processor` too, whose end may take long."""
        super().add_span_processor(span_processor)
        self.ends.add(span_processor)

    def shutdown(self) -> None:
        """Shut the processors down, once."""
        if self.ends.take():
            super().shutdown()


def make(settings: Settings, counters: Counters) -> tuple[Any, Ends]:
    """Set the global tracer provider; return it, and what its end waits for."""
    provider = _from_file(settings) if settings.config_file else None
    if provider is None:
        provider = _from_settings(settings, counters)
        trace.set_tracer_provider(provider)
        ends = provider.ends
    else:
        ends = Ends()
        if hasattr(provider, "shutdown"):
            ends.add(provider)
    if isinstance(provider, TracerProvider):
        for own in (CorrelationProcessor(), counters):
            # The end of ours takes no time.
            TracerProvider.add_span_processor(provider, own)
    return provider, ends


def _from_file(settings: Settings) -> Any:
    """Let the SDK read OTEL_CONFIG_FILE; None, with a sentence, when it cannot."""
    global file_failure
    import os

    from opentelemetry.sdk._configuration import _OTelSDKConfigurator

    os.environ["OTEL_CONFIG_FILE"] = str(settings.config_file)
    try:
        _OTelSDKConfigurator().configure()  # type: ignore[no-untyped-call, unused-ignore]
    except Exception as failure:
        file_failure = f"{type(failure).__name__}: {failure}"
        diagnostics.error(
            f"OTEL_CONFIG_FILE={settings.config_file} is not used, the other variables are: "
            f"{file_failure}"
        )
        return None
    return trace.get_tracer_provider()


def _from_settings(settings: Settings, counters: Counters) -> ClarityTracerProvider:
    provider = ClarityTracerProvider(
        sampler=_sampler(settings),
        resource=_resource(settings),
        # Ours has a bound, the SDK's own may wait 30 s.
        shutdown_on_exit=False,
        id_generator=_id_generator(settings),
        span_limits=_limits(settings),
        _tracer_configurator=_tracer_configurator(settings),
    )
    if "otlp" in settings.exporters:
        try:
            own: Any = OwnExporter(_otlp_maker(settings))
            exporter = CountedExporter(own, counters)
            timeout_s = settings.shutdown_timeout_ms / 1000
            limits = batch_limits(settings, "bsp")
            provider.add_span_processor(exporters.batches(exporter, timeout_s, **limits))
        except Exception as failure:
            diagnostics.error(f"spans are not exported: {type(failure).__name__}: {failure}")
    exporters.add(provider, settings)
    return provider


def batch_limits(settings: Settings, prefix: str) -> dict[str, float]:
    """Return the limits of the SDK's batch processor by the settings `bsp_…` or `blrp_…`."""

    def given(name: str) -> Any:
        return getattr(settings, f"{prefix}_{name}")

    queue = given("max_queue_size") or _QUEUE_LIMIT
    batch = given("max_export_batch_size") or min(_BATCH_LIMIT, queue)
    return {
        "max_queue_size": max(queue, batch),
        "schedule_delay_millis": given("schedule_delay_ms") or 1,
        "max_export_batch_size": batch,
        "export_timeout_millis": given("export_timeout_ms"),
    }


def exporter_options(settings: Settings, signal: str) -> tuple[bool, dict[str, Any]]:
    """Return whether a signal goes over gRPC, and what its stock exporter is made with."""
    config = settings.otlp_exporter(signal)
    timeout_s = config["timeout_ms"] / 1000
    if config["protocol"] == "grpc":
        from grpc import (  # type: ignore[import-untyped, unused-ignore]
            Compression,
            ssl_channel_credentials,
        )

        credentials = None
        if not config["insecure"]:
            credentials = ssl_channel_credentials(
                _read(config["ca_file"]), _read(config["client_key"]), _read(config["client_cert"])
            )
        return True, {
            "endpoint": config["endpoint"],
            "insecure": config["insecure"],
            "credentials": credentials,
            "headers": tuple((name.lower(), value) for name, value in config["headers"].items()),
            "timeout": timeout_s,
            "compression": Compression.Gzip if config["gzip"] else Compression.NoCompression,
        }
    from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression

    return False, {
        "endpoint": config["endpoint"],
        "certificate_file": config["ca_file"],
        "client_key_file": config["client_key"],
        "client_certificate_file": config["client_cert"],
        "headers": config["headers"],
        "timeout": timeout_s,
        "compression": HttpCompression.Gzip if config["gzip"] else HttpCompression.NoCompression,
    }


def _otlp_maker(settings: Settings) -> Callable[[], SpanExporter]:
    # Keys are read once: a worker may not be allowed to.
    is_grpc, options = exporter_options(settings, "traces")
    if is_grpc:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
            OTLPSpanExporter as GrpcExporter,
        )

        return partial(GrpcExporter, **options)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
        OTLPSpanExporter as HttpExporter,
    )

    return partial(HttpExporter, **options)


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib for one read of a file
        return file.read()


def _resource(settings: Settings) -> Resource:
    attributes = {
        name: value
        for name, value in resource.attributes(settings).items()
        # The SDK says its own; with the fallback the settings still name the native engine.
        if not name.startswith("telemetry.sdk.")
    }
    own = mask_value(None, attributes)
    made = Resource.create(own)
    # The SDK has read the variables again, by itself: what the settings have refused of them,
    # or was given otherwise in Python, is not said.
    again = OTELResourceDetector().detect().attributes
    kept = {
        name: value
        for name, value in made.attributes.items()
        if name in own or name in settings.resource_attributes or again.get(name) != value
    }
    return Resource(kept, made.schema_url)


def after_fork(provider: Any, settings: Settings) -> None:
    """Give a forked child the identity of its own: pid and instance id."""
    current = dict(provider.resource.attributes)
    provider._update_resource(Resource(resource.after_fork(current, settings)))


def _sampler(settings: Settings) -> Sampler:
    from opentelemetry.sdk.trace import sampling

    name = settings.traces_sampler
    roots: dict[str, Sampler] = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(settings.sampling_ratio),
    }
    root = roots.get(name.removeprefix("parentbased_"))
    if root is None:
        factory = _installed("opentelemetry_traces_sampler", name, "OTEL_TRACES_SAMPLER")
        made = factory(settings.traces_sampler_arg) if factory else None
        return made if isinstance(made, sampling.Sampler) else sampling.DEFAULT_ON
    return sampling.ParentBased(root) if name.startswith("parentbased_") else root


def _limits(settings: Settings) -> SpanLimits:
    def limit(value: int | None) -> int:
        return SpanLimits.UNSET if value is None else value

    limits = settings.span_limits()
    length = settings["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"]
    return SpanLimits(
        max_span_attributes=limit(limits["attribute_count"]),
        max_events=limit(limits["event_count"]),
        max_links=limit(limits["link_count"]),
        max_event_attributes=limit(limits["event_attribute_count"]),
        max_link_attributes=limit(limits["link_attribute_count"]),
        max_attribute_length=limit(length if isinstance(length, int) else None),
        max_span_attribute_length=limit(limits["attribute_value_length"]),
    )


def _id_generator(settings: Settings) -> Any:
    name = settings["OTEL_PYTHON_ID_GENERATOR"]
    if name == "random":
        return None
    factory = _installed("opentelemetry_id_generator", str(name), "OTEL_PYTHON_ID_GENERATOR")
    return factory() if factory else None


def _tracer_configurator(settings: Settings) -> Any:
    name = settings["OTEL_PYTHON_TRACER_CONFIGURATOR"]
    if not name:
        return None
    group = "_opentelemetry_tracer_configurator"
    return _installed(group, str(name), "OTEL_PYTHON_TRACER_CONFIGURATOR")


def _installed(group: str, name: str, variable: str) -> Any:
    """Load an installed part by its entry point; None, with a sentence, when it cannot be."""
    from importlib.metadata import entry_points

    try:
        return next(iter(entry_points(group=group, name=name))).load()
    except Exception as failure:
        diagnostics.error(
            f"{variable}={name} cannot be used ({type(failure).__name__}: {failure}); "
            "the default is used."
        )
        return None
