"""Replace an attribute of a library's class, and put it back.

A patch is undone only where nobody has wrapped it since: another tool's wrapper
around ours must not be lost.

What a patch keeps on an object of the library, it sets and reads as an attribute, never by
the object's `__dict__`. CPython has the values of attributes in the object itself until its
`__dict__` is asked for, and its specialised instructions read them there. One look into a
botocore client's made each call 13,000 instructions longer, 4 us: its class has a
`__getattr__`, and each bound method was looked up and made anew.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from clarity_otel.patches.trial import Trial

_NAMES = ("__module__", "__name__", "__qualname__", "__doc__")


def seen_as(original: Any, function: Any) -> Any:
    """Return `function`, which stands in stack traces where `original` does.

    For code that looks for its caller above the frames of a library's file, as loguru's
    documented handler for `logging` does: ours would be taken for the application.
    """
    code = getattr(original, "__code__", None)
    if code is not None:
        function.__code__ = function.__code__.replace(
            co_filename=code.co_filename, co_firstlineno=code.co_firstlineno
        )
    return function


class Replaced:
    """What one patch has replaced, in order."""

    def __init__(self, trial: Trial | None = None) -> None:
        """With a `trial`, functions are put in place watched until it is over."""
        self._trial = trial
        self._done: list[tuple[Any, str, Any, Any, bool]] = []
        # What is watched: the one in place, and the one that stays.
        self._watched: dict[Any, Any] = {}

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
        for attribute in _NAMES:
            try:
                setattr(replacement, attribute, getattr(original, attribute))
            except (AttributeError, TypeError):
                continue
        if hasattr(replacement, "__dict__"):  # a built-in function has none
            replacement.__wrapped__ = original
        if self._trial is not None:
            replacement = self._on_trial(self._trial, replacement)
        setattr(owner, name, replacement)
        self._done.append((owner, name, original, replacement, own))

    def _on_trial(self, trial: Trial, hook: Any) -> Any:
        watched = trial.watched(hook)
        if watched is not hook:
            for attribute in _NAMES:
                setattr(watched, attribute, getattr(hook, attribute))
            self._watched[watched] = hook
        return watched

    def settle(self) -> None:
        """Put what was watched in place itself, except where somebody has wrapped it."""
        for at, (owner, name, original, replacement, own) in enumerate(self._done):
            hook = self._watched.get(replacement) if self._watched else None
            if hook is not None and vars(owner).get(name) is replacement:
                setattr(owner, name, hook)
                self._done[at] = (owner, name, original, hook, own)
        self._watched.clear()

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


def only_uses(function: Any, names: Iterable[str], constants: Iterable[Any]) -> bool:
    """Whether a function of Python's uses these names and constants and no others.

    Beside its parameters, its docstring and None: a short function that only these make
    up does what is expected of it and nothing else. False for what has no code to look at.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    used = {one for one in code.co_consts if one not in (None, function.__doc__)}
    return set(code.co_names) == set(names) and used == set(constants)
