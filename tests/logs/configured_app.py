"""A service that has its logging set up in the way that LOGGED_WITH names, as its docs show it."""

from __future__ import annotations

import logging
import logging.config
import os
import sys
from collections.abc import Callable

from fastapi import FastAPI


def _basic() -> Callable[[str], object]:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    return logging.getLogger("shop").info


def _dict() -> Callable[[str], object]:
    from uvicorn.config import LOGGING_CONFIG

    stream = {"class": "logging.StreamHandler", "formatter": "default"}
    handlers = {**LOGGING_CONFIG["handlers"], "root": stream}
    root = {"handlers": ["root"], "level": "INFO"}
    logging.config.dictConfig({**LOGGING_CONFIG, "handlers": handlers, "root": root})
    return logging.getLogger("shop").info


def _structlog() -> Callable[[str], object]:
    import structlog

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return structlog.get_logger("shop").info  # type: ignore[no-any-return]


def _loguru() -> Callable[[str], object]:
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level="INFO", colorize=False)
    return logger.info


WAYS = {"basicConfig": _basic, "dictConfig": _dict, "structlog": _structlog, "loguru": _loguru}
app = FastAPI()
if "LOGGED_WITH" in os.environ:
    say = WAYS[os.environ["LOGGED_WITH"]]()


@app.get("/work")
async def work() -> dict[str, str]:
    """Log one line."""
    say("worked with token=hunter2secret")
    return {}
