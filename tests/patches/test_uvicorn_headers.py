"""uvicorn's check of response headers, by a table: it refuses what it refused before."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http import httptools_impl

from clarity_otel.patches.uvicorn_headers import apply, bytes_of_class
from clarity_otel.patches.wrapping import Replaced

NAMES = ("HEADER_RE", "HEADER_VALUE_RE")


class Module:
    """A stand-in with uvicorn's own expressions."""

    HEADER_RE: Any = getattr(httptools_impl.HEADER_RE, "__wrapped__", httptools_impl.HEADER_RE)
    HEADER_VALUE_RE: Any = getattr(
        httptools_impl.HEADER_VALUE_RE, "__wrapped__", httptools_impl.HEADER_VALUE_RE
    )


def patched() -> tuple[type, Replaced]:
    """Return a patched module, and what takes the patch back."""
    module = type("Fresh", (), {name: getattr(Module, name) for name in NAMES})
    replaced = Replaced()
    apply(module, replaced)
    return module, replaced


@pytest.mark.parametrize("name", NAMES)
@given(text=st.binary(max_size=80))
@settings(deadline=None)
def test_it_finds_what_the_expression_finds(name: str, text: bytes) -> None:
    """Of any bytes: the same match, at the same place, or none."""
    original = getattr(Module, name)
    module, _ = patched()
    expected, found = original.search(text), getattr(module, name).search(text)
    assert (expected and expected.span()) == (found and found.span())


@pytest.mark.parametrize("name", NAMES)
def test_each_single_byte_is_judged_alike(name: str) -> None:
    """All 256, alone and behind a harmless one."""
    original = getattr(Module, name)
    module, _ = patched()
    for byte in range(256):
        for text in (bytes([byte]), b"x" + bytes([byte])):
            assert bool(getattr(module, name).search(text)) == bool(original.search(text))


def test_what_is_not_bytes_is_the_originals_affair() -> None:
    """A wrong type raises what it raised, and other buffers and arguments work."""
    module, _ = patched()
    search = module.HEADER_VALUE_RE.search
    with pytest.raises(TypeError, match="cannot use a bytes pattern"):
        search("text")
    assert search(bytearray(b"a\n")).span() == (1, 2)
    assert search(memoryview(b"ab")) is None
    assert search(b"\na", 1) is None
    assert search(b"a\n", 0, 1) is None
    assert module.HEADER_VALUE_RE.match(b"\n") is not None
    assert module.HEADER_VALUE_RE.pattern == Module.HEADER_VALUE_RE.pattern


def test_it_is_taken_back() -> None:
    """`uninstrument` leaves uvicorn with its own."""
    module, replaced = patched()
    assert module.HEADER_RE is not Module.HEADER_RE
    replaced.undo()
    assert module.HEADER_RE is Module.HEADER_RE


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (re.compile(rb"[ab]"), b"ab"),
        (re.compile(rb"[]a]"), b"]a"),
        (re.compile(rb"[^\x00-\xfd]"), b"\xfe\xff"),
        (re.compile(rb"[a\]]"), b"]a"),
        (re.compile(rb"[a]+"), None),
        (re.compile(rb"[a][b]"), None),
        (re.compile(rb"[a]|b]"), None),
        (re.compile(rb"[a\]]b]"), None),
        (re.compile(rb"a"), None),
        (re.compile(rb"[a]", re.IGNORECASE), None),
        (re.compile("[a]"), None),
        (None, None),
        ("[a]", None),
    ],
)
def test_only_a_single_class_is_replaced(expression: object, expected: bytes | None) -> None:
    """Whatever says more than one class of bytes stays as it is."""
    found = bytes_of_class(expression)
    assert (found and sorted(found)) == (expected and sorted(expected))


def test_a_module_without_them_is_left_alone() -> None:
    """Another version of uvicorn may check otherwise."""
    other = type("Other", (), {"HEADER_RE": re.compile(b"a+")})
    apply(other, Replaced())
    assert other.HEADER_RE.search(b"caab").span() == (1, 3)
