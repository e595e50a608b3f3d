"""The Logs API's LoggerProvider on the native engine."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs
from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber

from clarity_otel import _native
from clarity_otel.engine import bounded, processors
from clarity_otel.engine.native.provider import masked_attributes
from clarity_otel.guard import never_break_the_app
from clarity_otel.masking import mask_text

if TYPE_CHECKING:
    from logging import Logger as StandardLogger
    from logging import LogRecord as StandardRecord

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import Attributes


class ClarityLoggerProvider(_logs.LoggerProvider):
    """Gives out loggers whose records go to the native pipeline; thread-safe, survives forks."""

    def __init__(
        self, resource_attributes: Mapping[str, Any], shutdown_timeout_s: float, *, is_sent: bool
    ) -> None:
        self._shutdown_timeout_s = shutdown_timeout_s
        self._is_sent = is_sent
        self._resource_attributes = resource_attributes
        self._resource: Resource | None = None
        self._lock = threading.Lock()
        self._is_shut_down = False
        self.processors: tuple[LogRecordProcessor, ...] = ()

    @property
    def resource(self) -> Resource:
        """The SDK's resource object; imports the SDK with the first call."""
        if self._resource is None:
            from opentelemetry.sdk.resources import Resource

            self._resource = Resource(dict(self._resource_attributes))
        return self._resource

    def forget_resource(self) -> None:
        """Make the resource anew when it is asked for: in a forked child."""
        self._resource = None

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> _logs.Logger:
        """Return the logger of an instrumentation scope; after `shutdown` one that does nothing."""
        if self._is_shut_down:
            return NoOpLogger(name, version, schema_url, attributes)
        if attributes:
            attributes = masked_attributes(attributes)
        given: Any = (name, version, schema_url)
        name, version, schema_url = (mask_text(text) if text else text for text in given)
        return ClarityLogger(self, name, version, schema_url, attributes)

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Hand all records to it too, those of `logging` included, in the order of adding.

        It is given the SDK's ReadWriteLogRecord, masked. What it raises is kept from the
        app. What it changes does not reach the native exporter.
        """
        from clarity_otel.logs import otlp

        with self._lock:
            if not self.processors:
                otlp.listen(self._on_record)
            self.processors += (log_record_processor,)
        bounded.get_ready()

    def _on_record(self, logger: StandardLogger, record: StandardRecord) -> None:
        from clarity_otel.logs import otlp

        if otlp.is_of_an_exporter(record) or otlp.is_suppressed() or otlp.is_silenced(logger):
            return
        if self.processors:
            name = mask_text(record.name)
            self.process(otlp.api_record(record), name, None, None, None)

    def process(
        self,
        record: LogRecord,
        name: str,
        version: str | None,
        schema_url: str | None,
        attributes: Attributes,
    ) -> None:
        """Hand a masked record to the processors."""
        from opentelemetry.sdk._logs import ReadWriteLogRecord
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        scope = InstrumentationScope(name, version, schema_url, attributes)
        for processor in self.processors:
            with never_break_the_app("a log record processor"):
                processor.on_emit(ReadWriteLogRecord(record, self.resource, scope))

    def emit(self, logger: ClarityLogger, record: LogRecord | None, fields: dict[str, Any]) -> None:
        """Export a record of the API, given whole or by its fields."""
        if self._is_shut_down:
            return
        if record is not None:
            fields = {name: getattr(record, name, None) for name in _FIELDS}
            span: tuple[int, int, int] | None = (
                record.trace_id or 0,
                record.span_id or 0,
                int(record.trace_flags or 0),
            )
        else:
            span = _span_of(fields.get("context"))
        if self._is_sent:
            from clarity_otel.logs import exceptions

            attributes = fields["attributes"]
            _native.emit_api_log(
                logger.scope_id,
                fields["timestamp"],
                fields["observed_timestamp"],
                _number(fields["severity_number"]),
                fields["severity_text"],
                fields["body"],
                dict(attributes) if isinstance(attributes, Mapping) else None,
                fields["event_name"],
                span,
                exceptions.parts(fields["exception"]),
            )
        if self.processors:
            self._process_api(logger, record, fields)

    def _process_api(
        self, logger: ClarityLogger, record: LogRecord | None, fields: dict[str, Any]
    ) -> None:
        from clarity_otel.masking import mask_value

        made = LogRecord(
            **{name: fields[name] for name in _FIELDS if name not in ("body", "attributes")},
            context=fields.get("context") if record is None else record.context,
            body=mask_value(None, fields["body"]),
            attributes={
                key: mask_value(key, value) for key, value in (fields["attributes"] or {}).items()
            },
        )
        if record is not None:
            made.trace_id, made.span_id = record.trace_id, record.span_id
            made.trace_flags = record.trace_flags
        self.process(made, *logger.scope)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send all records; False when the time passed first or a processor failed."""
        deadline = monotonic() + timeout_millis / 1000
        flushed = _native.force_flush(timeout_millis / 1000, "logs")
        return processors.flush(self.processors, deadline - monotonic()) and flushed

    def shutdown(self, within_s: float | None = None) -> None:
        """Send what waits of the log records, within the bound or `within_s`, and take no more.

        A second call does nothing. It takes no lock: a signal's handler may call it.
        """
        bound_s = self._shutdown_timeout_s if within_s is None else within_s
        deadline = monotonic() + bound_s
        share = processors.BEFORE_THEM if self.processors else 1.0
        processors.shut_down(self.close(bound_s * share), deadline - monotonic())

    def close(self, within_s: float) -> tuple[LogRecordProcessor, ...]:
        """Send what waits natively, and take no more; return who is still to be shut down."""
        self._is_shut_down = True
        ended, self.processors = self.processors, ()
        _native.shutdown(within_s, "logs")
        return ended


_FIELDS = (
    *("timestamp", "observed_timestamp", "severity_number", "severity_text"),
    *("body", "attributes", "event_name", "exception"),
)


class ClarityLogger(_logs.Logger):
    """The API's logger of one instrumentation scope."""

    def __init__(
        self,
        provider: ClarityLoggerProvider,
        name: str,
        version: str | None,
        schema_url: str | None,
        attributes: Attributes,
    ) -> None:
        super().__init__(name, version, schema_url, attributes)
        self._provider = provider
        self.scope = (name, version, schema_url, attributes)
        self.scope_id = _native.register_scope(
            _text(name),
            _text(version),
            _text(schema_url),
            dict(attributes) if isinstance(attributes, Mapping) and attributes else None,
        )

    def emit(
        self,
        record: LogRecord | None = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: Any = None,
        attributes: Attributes = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Export a record, or one of these fields. Never raises into the app."""
        with never_break_the_app("a logger's emit"):
            self._provider.emit(
                self,
                record,
                {
                    "timestamp": timestamp,
                    "observed_timestamp": observed_timestamp,
                    "context": context,
                    "severity_number": severity_number,
                    "severity_text": severity_text,
                    "body": body,
                    "attributes": attributes,
                    "event_name": event_name,
                    "exception": exception,
                },
            )

    def enabled(
        self,
        *,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        """Whether a record would be taken."""
        return not self._provider._is_shut_down


def _number(severity: SeverityNumber | int | None) -> int:
    number = getattr(severity, "value", severity)
    return number if isinstance(number, int) and 0 <= number <= 24 else 0


def _span_of(context: Context | None) -> tuple[int, int, int] | None:
    """Return the ids of an explicit context's span; None: the current one counts."""
    if context is None:
        return None
    from opentelemetry.trace import get_current_span

    span_context = get_current_span(context).get_span_context()
    return span_context.trace_id, span_context.span_id, int(span_context.trace_flags)


def _text(value: object) -> str:
    # Lone surrogates cannot go into protobuf's strings.
    return str(value or "").encode("utf-8", "replace").decode()


def install(provider: ClarityLoggerProvider) -> None:
    """Make it the global provider, unless the app has set one."""
    if _logs._internal._LOGGER_PROVIDER is None:
        _logs.set_logger_provider(provider)
