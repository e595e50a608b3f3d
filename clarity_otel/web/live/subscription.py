"""What a client asked for, and the messages it may send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clarity_otel.web.live.delta import Item

TOPICS = ("requests", "logs", "errors", "services", "pipeline")
_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which rows: all that is given must hold. `severity` is for logs alone."""

    topics: frozenset[str] = frozenset(TOPICS)
    service: str = ""
    severity: int = 0
    text: str = ""  # lower case

    def fits(self, topic: str, item: Item) -> bool:
        """Whether a row is wanted."""
        if self.service and item.service != self.service:
            return False
        if topic == "logs" and item.severity < self.severity:
            return False
        if not self.text or topic == "services":
            return True
        return any(self.text in text.lower() for text in item.searched)


def message_of(text: str) -> tuple[str, Subscription | None]:
    """Return a message's type, and the subscription of a `subscribe`.

    ValueError, with a sentence, for anything but subscribe, pause and resume.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("messages are JSON objects") from None
    kind = message.get("type") if isinstance(message, dict) else None
    if kind in ("pause", "resume"):
        return kind, None
    if kind != "subscribe":
        raise ValueError("the type is one of subscribe, pause and resume")
    return kind, _subscription(message)


def _subscription(message: dict[str, Any]) -> Subscription:
    topics = message.get("topics", list(TOPICS))
    service, text = message.get("service", ""), message.get("text", "")
    severity = message.get("severity", 0)
    if not isinstance(topics, list) or not all(topic in TOPICS for topic in topics):
        raise ValueError(f"topics is a list of {', '.join(TOPICS)}")
    if not all(isinstance(one, str) and len(one) <= _LONGEST_TEXT for one in (service, text)):
        raise ValueError(f"service and text are texts of {_LONGEST_TEXT} characters at most")
    if type(severity) is not int or not 0 <= severity <= 24:
        raise ValueError("severity is a whole number from 0 to 24")
    return Subscription(frozenset(topics), service, severity, text.lower())
