"""The service under test: each request logs once, with the number it was asked with."""

# ruff: noqa: D103

from __future__ import annotations

import logging
import logging.config

from fastapi import FastAPI

# As a real app does it, at import: after us, and after the server's own configuration.
logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"null": {"class": "logging.FileHandler", "filename": "/dev/null"}},
        "root": {"handlers": ["null"], "level": "INFO"},
    }
)
log = logging.getLogger("shop")
app = FastAPI()


@app.get("/order/{number}")
async def order(number: str) -> dict[str, str]:
    log.info("order %s", number, extra={"number": number})
    return {"number": number}


@app.get("/fail")
async def fail() -> None:
    raise ValueError("password=hunter2hunter2")
