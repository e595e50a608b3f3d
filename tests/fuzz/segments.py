"""The spool's segments, written and read a second time: what the native reader is held to.

The format is the table at the head of native/src/spool/frame.rs.
"""

from __future__ import annotations

import struct

HEAD = struct.Struct("<4sccHIIII")
MAGIC = b"CSP1"
SIGNALS = {b"\1": "traces", b"\2": "logs", b"\3": "metrics"}
# Signal, items, request: as `_native._spool_frames` gives them.
Row = tuple[str | None, int, bytes | None]


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        rows.append(crc)
    return tuple(rows)


_CRC32C = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def frame(signal: bytes, items: int, request: bytes, state: bytes = b"W") -> bytes:
    """One whole frame."""
    body = HEAD.pack(MAGIC, b"W", signal, 0, items, len(request), crc32c(request), 0)[:20]
    return MAGIC + state + body[5:] + struct.pack("<I", crc32c(body)) + request


def sealed(data: bytes) -> bytes:
    """The same with sound checksums, which no mutation finds: of each head, and of its request.

    A length that leads beyond the end stays, and its request's checksum with it: a torn frame.
    """
    mended = bytearray(data)
    at = mended.find(MAGIC)
    while at >= 0 and at + HEAD.size <= len(mended):
        begins = at + HEAD.size
        (size,) = struct.unpack_from("<I", mended, at + 12)
        # An odd reserved byte keeps the request's checksum as it came: a changed request.
        if begins + size <= len(mended) and not mended[at + 6] & 1:
            struct.pack_into("<I", mended, at + 16, crc32c(mended[begins : begins + size]))
        head = bytes(mended[at : at + 4]) + b"W" + bytes(mended[at + 5 : at + 20])
        struct.pack_into("<I", mended, at + 20, crc32c(head))
        at = mended.find(MAGIC, begins + size)
    return bytes(mended)


def _head(data: bytes, at: int) -> tuple[bytes, str, int, int, int] | None:
    if at + HEAD.size > len(data):
        return None
    magic, state, signal, _, items, size, crc, own = HEAD.unpack_from(data, at)
    checked = data[at : at + 4] + b"W" + data[at + 5 : at + 20]
    if magic != MAGIC or own != crc32c(checked) or signal not in SIGNALS:
        return None
    return state, SIGNALS[signal], items, size, crc


def rows(data: bytes) -> list[Row]:
    """All that stands in a segment, in order."""
    found: list[Row] = []
    at = 0
    while at < len(data):
        head = _head(data, at)
        if head is None:
            found.append((None, 0, None))
            at = data.find(MAGIC, at + 1)
            while at >= 0 and _head(data, at) is None:
                at = data.find(MAGIC, at + 1)
            if at < 0:
                break
            continue
        state, signal, items, size, crc = head
        request = data[at + HEAD.size : at + HEAD.size + size]
        at += HEAD.size + size
        if state != b"D":
            is_whole = len(request) == size and crc32c(request) == crc
            found.append((signal, items, request if is_whole else None))
    return found
