"""Replace an attribute of a library's class, and put it back.

A patch is undone only where nobody has wrapped it since: another tool's wrapper
around ours must not be lost.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Replaced:
    """What one patch has replaced, in order."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any, bool]] = []

    def __bool__(self) -> bool:
        return bool(self._done)

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Set `owner.name` to `make(original)`.

        What was replaced already stays; a class that a reload has made anew is another.
        Raises AttributeError where the library has no such name: the patch then steps
        aside as a whole.
        """
        if any(owner is known and name == done for known, done, *_ in self._done):
            return
        original = getattr(owner, name)
        own = name in vars(owner)
        replacement = make(original)
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            try:
                setattr(replacement, attribute, getattr(original, attribute))
            except (AttributeError, TypeError):
                continue
        if hasattr(replacement, "__dict__"):  # a built-in function has none
            replacement.__wrapped__ = original
        setattr(owner, name, replacement)
        self._done.append((owner, name, original, replacement, own))

    def undo(self) -> None:
        """Put the originals back, the last first."""
        while self._done:
            owner, name, original, replacement, own = self._done.pop()
            if vars(owner).get(name) is not replacement:
                continue
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)
