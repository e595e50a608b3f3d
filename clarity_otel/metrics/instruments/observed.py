"""Callbacks of observable instruments, called before the SDK collects and not by it.

The SDK would call them under the lock that all instruments need.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation

from clarity_otel.metrics.apart import Question

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.metrics.instruments.deferred import DeferredMeterProvider


class Observed(Question):
    """One callback: the question, and what the SDK calls for the answer."""

    def __init__(self, provider: DeferredMeterProvider, instrument: str, callback: Any) -> None:
        super().__init__(f"the callback of the instrument {instrument}", self._asked)
        self._provider = provider
        self._callback = callback
        self._has_begun = False

    def __call__(self, options: CallbackOptions) -> Iterator[Observation]:
        """Yield what was observed; where the app collects by itself, ask here and now."""
        if not self._provider.asks_apart:
            yield from self._observations(options)
            return
        yield from self.answer
        self.tell()  # the SDK says which instrument's it is

    def _asked(self) -> Iterable[Observation]:
        return self._observations(CallbackOptions())

    def _observations(self, options: CallbackOptions) -> Iterable[Observation]:
        if not isinstance(self._callback, Generator):
            found: Iterable[Observation] = self._callback(options)
            return found
        try:
            if not self._has_begun:
                self._has_begun = True
                next(self._callback)
            sent: Iterable[Observation] = self._callback.send(options)
        except StopIteration:
            return []
        return sent
