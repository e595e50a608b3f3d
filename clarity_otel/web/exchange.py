"""GET /api/export and POST /api/import: the store's file belongs to this process alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from clarity_otel.store import parquet
from clarity_otel.web import parameters

if TYPE_CHECKING:
    import duckdb
    from starlette.requests import Request

    from clarity_otel.store.query import Range

_PREFIX = "clarity-exchange-"
_NAME = "clarity-export.zip"


def routes(connection: duckdb.DuckDBPyConnection, limit_bytes: int) -> list[Route]:
    """Return the routes, below /api; what is imported is no longer than `limit_bytes`."""

    async def give(request: Request) -> Response:
        try:
            within = parameters.range_of(request.query_params)
            trace_id = request.query_params.get("trace_id", "")
            folder = await run_in_threadpool(_written, connection, within, trace_id)
        except ValueError as error:
            return JSONResponse({"error": f"{error}."}, 400)
        done = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        return FileResponse(folder / _NAME, filename=_NAME, background=done)

    async def take(request: Request) -> Response:
        folder = Path(mkdtemp(prefix=_PREFIX))
        try:
            size = 0
            with (folder / _NAME).open("wb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit_bytes:
                        return JSONResponse(
                            {"error": f"It is longer than CLARITY_STORE_LIMIT, {limit_bytes}."},
                            413,
                        )
                    file.write(chunk)
            return JSONResponse({"rows": await run_in_threadpool(_read, connection, folder)})
        except ClientDisconnect:
            # Nobody reads it.
            return Response(status_code=400)
        except parquet.NotOursError as error:
            return JSONResponse({"error": f"{error}."}, 400)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return [Route("/export", give), Route("/import", take, methods=["POST"])]


def _written(connection: duckdb.DuckDBPyConnection, within: Range, trace_id: str) -> Path:
    folder = Path(mkdtemp(prefix=_PREFIX))
    try:
        files = folder / "files"
        files.mkdir()
        cursor = connection.cursor()
        try:
            parquet.write(cursor, files, within, trace_id)
        finally:
            cursor.close()
        parquet.pack(files, folder / _NAME)
        shutil.rmtree(files)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _read(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, int]:
    files = folder / "files"
    files.mkdir()
    parquet.unpack(folder / _NAME, files)
    return parquet.read(connection, files)
