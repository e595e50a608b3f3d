"""What one interval brought, encoded once for all who look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarity_otel.web.live.subscription import Subscription

# Rows of a topic that one message carries.
MOST_SENT = {"requests": 100, "logs": 200, "errors": 50, "services": 200}


@dataclass(frozen=True, slots=True)
class Item:
    """One row: what filters look at, and its JSON."""

    service: str
    severity: int
    searched: tuple[str, ...]
    json: str


@dataclass(frozen=True, slots=True)
class Delta:
    """Rows by topic, in the order they came; `left_out` counts those that were not kept."""

    seq: int
    items: dict[str, tuple[Item, ...]]
    left_out: dict[str, int]
    pipeline: str  # JSON, empty where nothing changed
    # Clients that ask for the same share the text.
    _texts: dict[Subscription, str] = field(default_factory=dict, compare=False)

    @property
    def size(self) -> int:
        """Characters that it holds, about: what the ring's bound counts."""
        return len(self.pipeline) + sum(
            len(item.json) + sum(map(len, item.searched))
            for items in self.items.values()
            for item in items
        )

    def text_for(self, wanted: Subscription) -> str:
        """Return the message for a subscription; empty where it has nothing for it."""
        text = self._texts.get(wanted)
        if text is None:
            text = self._texts[wanted] = self._made(wanted)
        return text

    def _made(self, wanted: Subscription) -> str:
        parts: list[str] = []
        skipped = 0
        for topic, items in self.items.items():
            if topic not in wanted.topics:
                continue
            fitting = [item for item in items if wanted.fits(topic, item)]
            sent = fitting[-MOST_SENT[topic] :]
            skipped += len(fitting) - len(sent) + self.left_out.get(topic, 0)
            if sent:
                parts.append(f'"{topic}":[{",".join(item.json for item in sent)}]')
        if self.pipeline and "pipeline" in wanted.topics:
            parts.append(f'"pipeline":{self.pipeline}')
        if not parts:
            return ""
        return f'{{"type":"delta","seq":{self.seq},"skipped":{skipped},{",".join(parts)}}}'
