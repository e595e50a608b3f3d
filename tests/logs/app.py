"""A service that logs wherever a service may log."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

from fastapi import BackgroundTasks, FastAPI, WebSocket

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("shop")
app = FastAPI()


@app.get("/work")
async def work(tasks: BackgroundTasks) -> dict[str, str]:
    """Log here, in the thread pool, in a thread, in a task and after the response."""
    log.info("handler", extra={"password": "hunter2secret"})
    await asyncio.to_thread(log.info, "to_thread")
    await asyncio.get_running_loop().run_in_executor(None, log.info, "executor")
    thread = threading.Thread(target=log.info, args=("thread",))
    thread.start()
    await asyncio.create_task(_logs("task"))
    thread.join()
    tasks.add_task(log.info, "background")
    log.debug("debug")
    return {}


async def _logs(text: str) -> None:
    log.info(text)


@app.get("/fail")
async def fail() -> None:
    """Raise: the server logs it after the span has ended."""
    raise RuntimeError("token=hunter2secret")


@app.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    """Log in a WebSocket."""
    await websocket.accept()
    log.info("socket")
    async for _ in websocket.iter_text():
        pass


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An app without a framework that raises before it answers."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    raise ValueError("token=hunter2secret")
