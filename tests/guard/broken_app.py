"""A service on which one of our patches does not work: BROKEN is what of ours raises."""

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


name, _, function = os.environ["BROKEN"].rpartition(".")
module = importlib.import_module(f"clarity_otel.{name}")
# What is not there any more would break nothing.
assert callable(getattr(module, function))
setattr(module, function, _fail)
