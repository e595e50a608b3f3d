"""Log records on the sdk engine: the SDK's LoggerProvider behind the hook on `logging`."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, LogRecordProcessor
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from clarity_otel import diagnostics
from clarity_otel.engine import log_exporters
from clarity_otel.engine.sdk import provider as spans
from clarity_otel.engine.sdk.ends import Ends
from clarity_otel.engine.sdk.masking import masked_scope
from clarity_otel.engine.sdk.own_exporter import OwnExporter
from clarity_otel.guard import never_break_the_app
from clarity_otel.logs import otlp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger, LogRecord

    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

    from clarity_otel.engine.sdk.counting import Tally
    from clarity_otel.settings import Settings


class ClarityLoggerProvider(LoggerProvider):
    """The SDK's provider, which ends once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ends = Ends()

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Hand all records to it too; its end may take long."""
        super().add_log_record_processor(log_record_processor)
        self.ends.add(log_record_processor)

    def shutdown(self) -> None:
        """Shut the processors down, once."""
        if self.ends.take():
            super().shutdown()


def make(settings: Settings, tally: Tally) -> ClarityLoggerProvider:
    """Set the global logger provider and return it; the hook on `logging` is not set yet."""
    provider = ClarityLoggerProvider(
        resource=spans._resource(settings),
        # Ours has a bound.
        shutdown_on_exit=False,
        **_limits(settings),
    )
    # The end of ours takes no time.
    LoggerProvider.add_log_record_processor(provider, _Masking())
    if "otlp" in settings.log_exporters:
        try:
            own: Any = OwnExporter(_otlp_maker(settings))
            exporter = _Counted(own, tally)
            LoggerProvider.add_log_record_processor(provider, _Counting(tally))
            timeout_s = settings.shutdown_timeout_ms / 1000
            limits = spans.batch_limits(settings, "blrp")
            provider.add_log_record_processor(log_exporters.batches(exporter, timeout_s, **limits))
        except Exception as failure:
            diagnostics.error(f"log records are not exported: {type(failure).__name__}: {failure}")
    log_exporters.add(provider, settings)
    set_logger_provider(provider)
    return provider


def _limits(settings: Settings) -> dict[str, Any]:
    # An SDK before 1.45 takes none here, and reads the variables by itself.
    unset = getattr(LogRecordLimits, "UNSET", None)
    if unset is None:
        return {}
    count, length = settings.log_limits()
    limits = LogRecordLimits(
        max_log_record_attributes=unset if count is None else count,
        max_log_record_attribute_length=unset if length is None else length,
    )
    return {"log_record_limits": limits}


def hook(provider: LoggerProvider) -> None:
    """Hand the records of `logging`, which is imported, to the provider."""
    busy = threading.local()

    def emit(logger: Logger, record: LogRecord) -> None:
        # An attribute's `__str__` may log, and so may the SDK.
        if getattr(busy, "is_set", False):
            return
        busy.is_set = True
        try:
            with never_break_the_app("logs.emit"):
                if not (
                    otlp.is_of_an_exporter(record)
                    or otlp.is_suppressed()
                    or otlp.is_silenced(logger)
                ):
                    provider.get_logger(record.name).emit(otlp.api_record(record))
        finally:
            busy.is_set = False

    otlp.hook(emit)


def after_fork(provider: Any, settings: Settings, child: Any) -> None:
    """Give a forked child's log records the resource of its own."""
    provider._resource = child
    for logger in list(provider._logger_cache.values()):
        logger._set_resource(child)


def _otlp_maker(settings: Settings) -> Callable[[], LogRecordExporter]:
    is_grpc, options = spans.exporter_options(settings, "logs")
    if is_grpc:
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import (
            OTLPLogExporter as GrpcExporter,
        )

        return partial(GrpcExporter, **options)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import (
        OTLPLogExporter as HttpExporter,
    )

    return partial(HttpExporter, **options)


class _Masking(LogRecordProcessor):
    """Masks what comes by the API; what comes from `logging` is masked already."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        from clarity_otel.masking import mask_text, mask_value

        log_record.instrumentation_scope = masked_scope(log_record.instrumentation_scope)
        record = log_record.log_record
        record.body = mask_value(None, record.body)
        attributes = record.attributes
        for key, value in list((attributes or {}).items()):
            masked = mask_value(key, value)
            if masked is not value:
                attributes[key] = masked  # type: ignore[index]
        for name in ("severity_text", "event_name"):
            text = getattr(record, name)
            if isinstance(text, str):
                setattr(record, name, mask_text(text))

    def shutdown(self) -> None:
        """Nothing to do."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class _Counting(LogRecordProcessor):
    """Counts records that are to be exported."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self._tally.made(1)

    def shutdown(self) -> None:
        """Nothing to do."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class _Counted(LogRecordExporter):
    """An exporter that tells the tally how each batch went."""

    def __init__(self, exporter: LogRecordExporter, tally: Tally) -> None:
        self._exporter = exporter
        self._tally = tally

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export a batch; what the exporter raises counts as a failure and is raised."""
        result = LogRecordExportResult.FAILURE
        try:
            result = self._exporter.export(batch)
        finally:
            if result is LogRecordExportResult.SUCCESS:
                self._tally.exported(len(batch))
            else:
                self._tally.failed(len(batch))
        return result

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call, unused-ignore]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)
