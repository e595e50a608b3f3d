"""What a library's function does is known by the names and constants that it uses."""

from __future__ import annotations

from typing import Any

from clarity_otel.patches.wrapping import only_uses


async def _calls_its_stack(self: Any, scope: Any) -> None:
    """Does nothing else."""
    scope["app"] = self
    await self.stack(scope)


async def _notes_more(self: Any, scope: Any) -> None:
    scope["app"] = scope["more"] = self
    await self.stack(scope)


async def _calls_more(self: Any, scope: Any) -> None:
    scope["app"] = self
    await self.stack(scope)
    self.more()


def test_a_function_is_known_by_all_that_it_uses() -> None:
    """A docstring is no part of what it does; one name or constant more makes it another."""
    assert only_uses(_calls_its_stack, ["stack"], ["app"])
    assert not only_uses(_notes_more, ["stack"], ["app"])
    assert not only_uses(_calls_more, ["stack"], ["app"])
    assert not only_uses(_calls_its_stack, ["stack", "more"], ["app"])


def test_what_has_no_code_is_not_known() -> None:
    """A function written in C may do anything."""
    assert not only_uses(len, [], [])
