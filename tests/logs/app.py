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


def _debug_app() -> Any:
    """Return an app with a development middleware that logs all that it sees."""
    import structlog
    from loguru import logger as loguru_logger

    shop = FastAPI()
    events = structlog.get_logger("shop")

    @shop.middleware("http")
    async def log_everything(request: Any, call_next: Any) -> Any:
        body = await request.body()
        headers = dict(request.headers)
        log.info("request %s %s headers=%s body=%s", request.method, request.url, headers, body)
        log.info("raw headers %r", request.headers.raw)
        log.info("in extra", extra={"headers": headers, "body": body, "query": str(request.url)})
        log.info(f"json {body.decode()}")  # noqa: G004 - apps do
        events.info("event", headers=headers, body=body.decode(), cookies=request.cookies)
        loguru_logger.bind(headers=headers).info("body {}", body.decode())
        try:
            return await call_next(request)
        except Exception:
            log.exception("failed with %s", body)
            loguru_logger.exception("failed")
            raise

    @shop.post("/login")
    async def login(data: dict[str, Any]) -> None:
        raise ValueError(f"cannot log in with {data}")

    return shop


debug_app = _debug_app()
