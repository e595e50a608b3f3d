"""Logs by loguru or structlog in a way that its argument names; prints each call's message."""

# ruff: noqa: D103 - the names say it

from __future__ import annotations

import logging
import sys
from typing import Any

from opentelemetry import trace

SECRET = "hunter2hunter2"


def loguru_alone() -> None:
    from loguru import logger

    logger.level("NOTICE", no=23)
    with trace.get_tracer("t").start_as_current_span("request"):
        logger.bind(order=7, password=SECRET, name="ann").info("placed {}", 1)
    logger.remove()
    logger.add(sys.stderr, level="TRACE")
    logger.trace("traced")
    logger.success("done")
    logger.log("NOTICE", "noticed")
    logger.log(33, "by number")
    for message in ("placed 1", "traced", "done", "noticed", "by number"):
        print(message)


def loguru_levels() -> None:
    """A message that no sink takes is no record."""
    from loguru import logger

    logger.remove()
    logger.info("nobody")
    logger.add(sys.stderr, level="WARNING")
    logger.add(sys.stderr, level="INFO", filter=lambda record: "yes" in record["message"])
    logger.info("below and filtered")
    logger.info("yes")
    print("yes")
    logger.disable("__main__")
    logger.error("disabled")


def loguru_sinks() -> None:
    """Four sinks (one is loguru's own), one of them behind a queue, one a handler of logging's."""
    from loguru import logger

    logger.add(lambda message: None)
    logger.add(sys.stderr, enqueue=True)
    logger.add(logging.StreamHandler())
    logger.warning("four sinks")
    print("four sinks")
    logger.complete()


def loguru_exception() -> None:
    from loguru import logger

    try:
        raise ValueError(f"password={SECRET}")
    except ValueError:
        logger.exception("failed")
    print("failed")

    @logger.catch(message="caught")
    def broken() -> None:
        raise KeyError("key")

    broken()
    print("caught")


def intercept() -> None:
    """logging -> loguru, as loguru's documentation has it; a handler may say more of its own."""
    from loguru import logger

    class InterceptHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logger.opt(depth=6, exception=record.exc_info).log(
                record.levelname, record.getMessage()
            )
            if record.levelno >= logging.ERROR:
                logger.info("an alert was sent")

    logger.add(sys.stderr)
    logging.basicConfig(handlers=[InterceptHandler()], level=0, force=True)
    logging.getLogger("shop").warning("one password=%s", SECRET)
    print("one password=[masked:password]")
    logging.getLogger("shop").error("two")
    print("two")
    print("an alert was sent")
    logger.info("loguru's own")
    print("loguru's own")


def intercept_queued() -> None:
    """The same behind a queue: the handler runs in another thread."""
    import queue
    from logging.handlers import QueueHandler, QueueListener

    from loguru import logger

    class InterceptHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logger.log(record.levelname, record.getMessage())

    records: queue.SimpleQueue[Any] = queue.SimpleQueue()
    listener = QueueListener(records, InterceptHandler())
    logging.basicConfig(handlers=[QueueHandler(records)], level=0, force=True)
    listener.start()
    logging.getLogger("shop").warning("queued")
    print("queued")
    listener.stop()


def propagate(*, enqueue: bool = False) -> None:
    """loguru -> logging, as loguru's documentation has it, and as a function."""
    from loguru import logger

    class PropagateHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logging.getLogger(record.name).handle(record)

    def sink(message: Any) -> None:
        logging.getLogger("sink").error(message.record["message"])

    logging.basicConfig(level=0)
    logger.add(PropagateHandler(), format="{message}", enqueue=enqueue)
    logger.add(sink)
    logger.bind(order=7).warning("one")
    print("one")
    logger.complete()
    logging.getLogger("shop").error("logging's own")
    print("logging's own")


def intercept_changed() -> None:
    """logging -> loguru in other words, by two handlers of which one says more at that level."""
    from loguru import logger

    class InterceptHandler(logging.Handler):
        def __init__(self, *, tells: bool) -> None:
            super().__init__()
            self.tells = tells

        def emit(self, record: logging.LogRecord) -> None:
            logger.log(record.levelname, record.getMessage().upper().replace(" ", "_"))
            if self.tells:
                logger.log(record.levelname, "the first handler has said it")

    handlers = [InterceptHandler(tells=True), InterceptHandler(tells=False)]
    logging.basicConfig(handlers=handlers, level=0, force=True)
    for text in ("one of them", "two of them"):
        logging.getLogger("shop").warning(text)
        print(text)
        print("the first handler has said it")


def propagate_changed() -> None:
    """loguru -> logging in other words, and more of the sink's own."""
    from loguru import logger

    def sink(message: Any) -> None:
        level = message.record["level"].no
        logging.getLogger("sink").log(level, "told: %s", message.record["message"].upper())
        logging.getLogger("sink").log(level, "the sink has said it")

    logging.basicConfig(level=0)
    logger.add(sink)
    for text in ("one", "two"):
        logger.warning(text)
        print(text)
        print("the sink has said it")


def propagate_queued() -> None:
    propagate(enqueue=True)


def limited() -> None:
    import structlog
    from loguru import logger

    log = structlog.get_logger()
    for _ in range(5):
        logger.info("by loguru")
        log.info("by structlog")
        logging.getLogger("shop").warning("by %s", "logging")
    for name in ("loguru", "structlog", "logging"):
        print(f"by {name}\nby {name}")


def _structlog(factory: Any, renderer: Any = None) -> None:
    import structlog

    processors = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    if renderer is None:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(processors=[*processors, renderer], logger_factory=factory)
    with trace.get_tracer("t").start_as_current_span("request"):
        structlog.get_logger("shop").warning("placed", order=7, password=SECRET, name="ann")
    print("placed")


def print_logger() -> None:
    import structlog

    _structlog(structlog.PrintLoggerFactory(sys.stderr), structlog.dev.ConsoleRenderer())


def print_logger_json() -> None:
    import structlog

    _structlog(structlog.PrintLoggerFactory(sys.stderr))


def write_logger() -> None:
    import structlog

    _structlog(structlog.WriteLoggerFactory(sys.stderr), structlog.processors.LogfmtRenderer())


def bytes_logger() -> None:
    import json

    import structlog

    renderer = structlog.processors.JSONRenderer(
        serializer=lambda fields, **options: json.dumps(fields, **options).encode()
    )
    _structlog(structlog.BytesLoggerFactory(sys.stderr.buffer), renderer)


def stdlib_json() -> None:
    import structlog

    logging.basicConfig(level=0)
    _structlog(structlog.stdlib.LoggerFactory())


def stdlib_console() -> None:
    import structlog

    logging.basicConfig(level=0)
    _structlog(structlog.stdlib.LoggerFactory(), structlog.dev.ConsoleRenderer())


def stdlib_formatter() -> None:
    import structlog

    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer())
    )
    logging.basicConfig(handlers=[handler], level=0)
    _structlog(
        structlog.stdlib.LoggerFactory(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter
    )


if __name__ == "__main__":
    globals()[sys.argv[1]]()
