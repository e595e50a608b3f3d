"""What the end of a provider of the SDK has to wait for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from clarity_otel.engine import bounded

if TYPE_CHECKING:
    from clarity_otel.engine.processors import Processor


class Ends:
    """The processors that send, in the order in which they came. Thread-safe."""

    def __init__(self) -> None:
        self.processors: list[Processor] = []
        self._may_take = threading.Lock()

    def add(self, processor: Processor) -> None:
        """Remember one, whose end may take long."""
        self.processors.append(processor)
        bounded.get_ready()

    def take(self) -> list[Processor]:
        """Return them to who shuts them down, once: the app may, and our own end does."""
        return self.processors if self._may_take.acquire(blocking=False) else []
