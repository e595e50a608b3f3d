"""OTLP over HTTP: POST /v1/traces, /v1/metrics and /v1/logs.

Specification: OTLP/HTTP. Errors are google.rpc.Status in the request's own encoding.
Browsers' pages are refused by their Origin header: a page of any site may post here.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from clarity_otel.receiver.intake import (
    BODY_LIMIT_BYTES,
    RETRY_AFTER_S,
    SIGNALS,
    UNPACKED_LIMIT_BYTES,
    BadPayloadError,
    BusyError,
    Intake,
    Signal,
)
from clarity_otel.store.decode import NATIVE

if TYPE_CHECKING:
    from starlette.requests import Request

PROTOBUF, JSON = "application/x-protobuf", "application/json"
# What the extension reads in a seventh of a millisecond is read on the event loop: another
# thread would cost as much again.
_SMALL_BYTES = 32 * 1024
# Bodies that are being read, of all senders together, and requests that are unpacked at a
# time: each may be 32 MiB then.
READING_LIMIT_BYTES = 64 * 1024 * 1024
UNPACKING_LIMIT = 4
# google.rpc.Code
_INVALID_ARGUMENT, _PERMISSION_DENIED, _RESOURCE_EXHAUSTED = 3, 7, 8


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str, code: int = _INVALID_ARGUMENT) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code


class _Room:
    """What may be held of bodies that are not taken yet. Used on the event loop alone."""

    def __init__(self) -> None:
        self._left = READING_LIMIT_BYTES
        self.unpacking = CapacityLimiter(UNPACKING_LIMIT)

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes more."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self._left += size


def app(intake: Intake) -> Starlette:
    """Return the ASGI app."""
    room = _Room()
    return Starlette(
        routes=[
            Route(f"/v1/{name}", _endpoint(intake, signal, room), methods=["POST"])
            for name, signal in SIGNALS.items()
        ]
    )


def _endpoint(intake: Intake, signal: Signal, room: _Room) -> Any:
    async def export(request: Request) -> Response:
        held: list[int] = []
        try:
            return await answered(request, held)
        finally:
            room.give(sum(held))

    async def answered(request: Request, held: list[int]) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_json = kind == JSON
        try:
            if "origin" in request.headers:
                raise _RefusedError(403, "Requests of web pages are refused", _PERMISSION_DENIED)
            if kind not in (PROTOBUF, JSON):
                raise _RefusedError(415, f"The content type must be {PROTOBUF} or {JSON}")
            intake.check()
            body = await _body(request, intake, room, held)
            if len(body) <= _SMALL_BYTES and signal.name in NATIVE and _is_plain(request, is_json):
                message = intake.take(signal, body)
            else:
                message = await to_thread.run_sync(
                    _take, intake, signal, body, request, is_json, limiter=room.unpacking
                )
            return _answer(200, message, is_json)
        except ClientDisconnect:
            # Nobody reads it.
            return Response(status_code=400)
        except BusyError:
            headers = {"retry-after": str(RETRY_AFTER_S)}
            status = Status(code=_RESOURCE_EXHAUSTED, message="The queue is full; try again.")
            return _answer(503, status, is_json, headers)
        except BadPayloadError as error:
            return _answer(400, Status(code=_INVALID_ARGUMENT, message=f"{error}."), is_json)
        except _RefusedError as error:
            if error.status not in (403, 415):
                intake.count("bad")
            return _answer(error.status, Status(code=error.code, message=f"{error}."), is_json)

    return export


def _is_plain(request: Request, is_json: bool) -> bool:
    return not is_json and request.headers.get("content-encoding", "") in ("", "identity")


def _take(intake: Intake, signal: Signal, body: bytes, request: Request, is_json: bool) -> Any:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    return intake.take(signal, _unpacked(body, encoding), is_json=is_json)


async def _body(request: Request, intake: Intake, room: _Room, held: list[int]) -> bytes:
    """Return the whole body; what it takes of the room is noted in `held`."""
    declared = request.headers.get("content-length", "")
    too_long = _RefusedError(413, f"The body is longer than {BODY_LIMIT_BYTES} bytes")
    if declared.isdigit() and int(declared) > BODY_LIMIT_BYTES:
        raise too_long
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT_BYTES:
            raise too_long
        if not room.take(len(chunk)):
            intake.count("busy")
            raise BusyError
        held.append(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise _RefusedError(415, "The content encoding must be gzip, deflate or none")
    # 47: gzip's or zlib's header, as it comes.
    unpacker = zlib.decompressobj(47)
    try:
        unpacked = unpacker.decompress(body, UNPACKED_LIMIT_BYTES)
    except zlib.error as error:
        raise _RefusedError(400, f"The body is not {encoding}: {error}") from None
    if unpacker.unconsumed_tail:
        raise _RefusedError(413, f"The body unpacks to more than {UNPACKED_LIMIT_BYTES} bytes")
    if not unpacker.eof:
        raise _RefusedError(400, f"The body is not {encoding}: it is cut off")
    return unpacked


def _answer(
    status: int, message: Any, is_json: bool, headers: dict[str, str] | None = None
) -> Response:
    if is_json:
        content: bytes | str = json_format.MessageToJson(message, indent=None)
    else:
        content = message.SerializeToString()
    return Response(content, status, headers, media_type=JSON if is_json else PROTOBUF)
