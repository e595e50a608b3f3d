"""Changes to an input, from a seeded source: the same seed makes the same inputs."""

from __future__ import annotations

import random
from collections.abc import Sequence

LONGEST_BYTES = 4096
_BYTES = bytes([0, 9, 10, 13, 32, 34, 37, 39, 44, 45, 58, 59, 61, 64, 92, 127, 128, 0xC0, 0xFF])


def mutated(
    chance: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]
) -> bytes:
    """Return an input with one to eight changes; `words` are pieces that the target knows."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
        _change(chance, out, corpus, words)
    return bytes(out[:LONGEST_BYTES])


def _change(
    chance: random.Random, out: bytearray, corpus: Sequence[bytes], words: Sequence[bytes]
) -> None:
    at = chance.randint(0, len(out))
    end = min(len(out), at + chance.randint(0, 1 + len(out) // 4))
    match chance.randrange(9):
        case 0 if out:
            out[at % len(out)] ^= 1 << chance.randrange(8)
        case 1 if out:
            out[at % len(out)] = chance.choice(_BYTES)
        case 2:
            del out[at:end]
        case 3:
            out[at:at] = out[at:end]
        case 4:
            out[at:at] = bytes([chance.choice(_BYTES)]) * chance.choice((1, 2, 17, 300))
        case 5:
            # Another input's beginning and this one's end.
            other = chance.choice(corpus) if corpus else b""
            out[:at] = other[: chance.randint(0, len(other))]
        case 6 if out:
            out[at % len(out)] = (out[at % len(out)] + chance.choice((1, 255))) % 256
        case _:
            out[at:end] = chance.choice(words) if words else b""
