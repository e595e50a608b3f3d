"""Logs in a way that its argument names, once for each line it prints on stdout."""

# ruff: noqa: D103 - the names say it

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import queue
import sys

FORMAT = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}},
    "root": {"handlers": ["out"], "level": "INFO"},
    "loggers": {"app": {"handlers": ["out"], "propagate": False}},
}


def said(name: str, message: str) -> None:
    """Log once, and say so."""
    logging.getLogger(name).warning(message)
    print(message)


def plain() -> None:
    said("app", "without any configuration")


def basic_config() -> None:
    logging.basicConfig(level=logging.INFO)
    said("app", "basicConfig")
    logging.basicConfig(level=logging.INFO, force=True)
    said("app", "basicConfig again")


def dict_config() -> None:
    said("app", "before dictConfig")
    logging.config.dictConfig(FORMAT)
    said("app", "after dictConfig")
    logging.config.dictConfig({**FORMAT, "disable_existing_loggers": True})
    said("other", "another logger")


def handlers() -> None:
    """Handlers on the logger, its parent and the root: one record each all the same."""
    for name in ("", "app", "app.orders"):
        logging.getLogger(name).addHandler(logging.StreamHandler())
    said("app.orders", "three handlers")
    logging.getLogger("app").propagate = False
    said("app.orders", "two handlers")


def queued() -> None:
    """A queue's listener hands on to handlers, not to loggers."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, logging.StreamHandler())
    logging.getLogger().addHandler(logging.handlers.QueueHandler(records))
    listener.start()
    said("app", "through a queue")
    listener.stop()


def levels() -> None:
    """What its logger, or a filter of it, does not let pass is no record."""
    logging.getLogger("app").info("below the level")
    logging.getLogger("strict").addFilter(lambda record: False)
    logging.getLogger("strict").error("filtered")
    silent = logging.getLogger("silent")
    silent.propagate = False
    silent.error("cut off")
    said("app", "passes")


def flood() -> None:
    """Far more than the buffer holds."""
    log = logging.getLogger("app")
    logging.getLogger().addHandler(logging.NullHandler())
    for number in range(20_000):
        log.warning("flood %d %s", number, "x" * 100)


def api() -> None:
    """The Logs API, and `logging` beside it."""
    from opentelemetry import trace
    from opentelemetry._logs import LogRecord, SeverityNumber, get_logger

    logger = get_logger("library", "1.2", schema_url="https://schema", attributes={"a": 1})
    assert logger.enabled()
    with trace.get_tracer("t").start_as_current_span("request"):
        logger.emit(
            timestamp=5,
            severity_number=SeverityNumber.ERROR2,
            severity_text="bad",
            body={"password": "hunter2hunter2", "n": 1},
            attributes={"mail": "ann@example.com", "n": 2},
            event_name="order.failed",
            exception=ValueError("token=abcdef0123456789abcdef"),
        )
        logger.emit(LogRecord(body="whole", severity_number=SeverityNumber.INFO))
        logging.getLogger("app").error("standard")


def processor() -> None:
    """A processor written in Python is told of records of both kinds."""
    from opentelemetry._logs import get_logger, get_logger_provider
    from opentelemetry.sdk._logs import LogRecordProcessor

    class Processor(LogRecordProcessor):
        def on_emit(self, log_record):  # type: ignore[no-untyped-def]
            record = log_record.log_record
            print(f"told {log_record.instrumentation_scope.name}: {record.body}")

        def shutdown(self) -> None:
            print("told the end")

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return True

    get_logger_provider().add_log_record_processor(Processor())  # type: ignore[attr-defined]
    get_logger("library").emit(body="password=hunter2hunter2")
    logging.getLogger("app").error("mail to %s", "ann@example.com")


def broken_masker() -> None:
    """Every text holds the secret, and the masker raises for each."""
    from clarity_otel import _native

    logging.getLogger("app").error("warm")
    _native.mask_configure(broken=True)
    try:
        raise ValueError("hunter2hunter2")
    except ValueError:
        extra = {"n": 5, "text": "hunter2hunter2", "nested": {"a": ["hunter2hunter2", 7]}}
        logging.getLogger("app").exception("by hunter2hunter2", extra=extra)
        logging.getLogger("app").error({"event": "hunter2hunter2"})
    from opentelemetry._logs import get_logger

    get_logger("library").emit(body="hunter2hunter2", attributes={"k": "hunter2hunter2"})


if __name__ == "__main__":
    globals()[sys.argv[1]]()
