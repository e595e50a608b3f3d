"""A service on which one of our patches does not work: BROKEN is a function of its module."""

from __future__ import annotations

import importlib
import os
from typing import Any

import httpx
from fastapi import FastAPI

app = FastAPI()
client = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(204)))


@app.get("/child")
async def child() -> int:
    """Ask another service, which is none."""
    return (await client.get("http://other/")).status_code


def _fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("broken")


module, _, name = os.environ["BROKEN"].rpartition(".")
setattr(importlib.import_module(f"clarity_otel.patches.{module}"), name, _fail)
