"""What the doctor found, as data: a report is a list of these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["ok", "info", "warning", "problem"]
Evidence = dict[str, "str | int | float | bool | list[str] | dict[str, str] | None"]

LEVELS: tuple[Level, ...] = ("ok", "info", "warning", "problem")
NOTHING_TO_DO = "Nothing to do."

# The first part of an id, and its title; findings are shown in this order.
GROUPS = {
    "versions": "Versions",
    "engine": "Engine",
    "patches": "Libraries",
    "app": "Your app",
    "conflicts": "Other instrumentation",
    "settings": "Settings",
    "target": "Targets",
    "roundtrip": "Round trip",
    "clock": "Clock",
    "cost": "Cost",
    "doctor": "The doctor itself",
}

_LONGEST = 400
# What stands for the value of a header, as a mask's own text does.
HEADER = "[masked:header]"
# Shorter ones would take ordinary words away, and protect nothing.
_SHORTEST_SECRET = 4
# They would turn the direction of what follows in a terminal.
_TURNING = frozenset((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    `id` is stable, `group.name`; several findings of a report may share it, such as those of
    two targets. `what` and `advice` are sentences. Nothing in it is a secret: what came from
    elsewhere has gone through `plain`.
    """

    id: str
    level: Level
    what: str
    evidence: Evidence = field(default_factory=dict)
    advice: str = NOTHING_TO_DO

    @property
    def group(self) -> str:
        """The group that it is shown in."""
        return self.id.partition(".")[0]


def ok(id: str, what: str, evidence: Evidence | None = None) -> Finding:  # noqa: A002
    """Return a finding of what is as it should be."""
    return Finding(id, "ok", what, evidence or {})


def info(
    id: str,  # noqa: A002
    what: str,
    evidence: Evidence | None = None,
    advice: str = NOTHING_TO_DO,
) -> Finding:
    """Return a finding that is worth knowing, and may be meant so."""
    return Finding(id, "info", what, evidence or {}, advice)


def warning(id: str, what: str, advice: str, evidence: Evidence | None = None) -> Finding:  # noqa: A002
    """Return a finding of what is probably not meant so."""
    return Finding(id, "warning", what, evidence or {}, advice)


def problem(id: str, what: str, advice: str, evidence: Evidence | None = None) -> Finding:  # noqa: A002
    """Return a finding of what does not work."""
    return Finding(id, "problem", what, evidence or {}, advice)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level among them; "ok" where there are none."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


def plain(text: object, longest: int = _LONGEST, secrets: Iterable[str] = ()) -> str:
    """Return text of others as it may be shown: masked, one line, printable, not longer.

    `secrets` are replaced wherever they stand, also where the text was cut within one.
    """
    from clarity_otel.masking import mask_text

    # Bounded before it is looked at; a mask may make it longer or shorter.
    line = str(text)[: 8 * longest]
    line = _without(line, secrets)
    line = "".join(c if c.isprintable() and ord(c) not in _TURNING else " " for c in line)
    line = mask_text(" ".join(line.split()))
    return line if len(line) <= longest else f"{line[:longest]}…"


def header_secrets(values: Iterable[str]) -> tuple[str, ...]:
    """Return what must not be shown of headers' values: each, and the words after its first.

    The first word of several is the scheme, as in `Bearer TOKEN`.
    """
    forms = []
    for value in values:
        words = value.split()
        forms += [value, " ".join(words), *words[1:]]
    return tuple(dict.fromkeys(form for form in forms if len(form) >= _SHORTEST_SECRET))


def _without(text: str, secrets: Iterable[str]) -> str:
    longest_first = sorted(secrets, key=len, reverse=True)
    for secret in longest_first:
        text = text.replace(secret, HEADER)
    # A piece may end within a secret: it was cut there, by us or by who passed it on.
    pieces = text.split("…")
    for number, piece in enumerate(pieces):
        end = max((_begun(piece, secret) for secret in longest_first), default=0)
        if end:
            pieces[number] = f"{piece[:-end]}{HEADER}"
    return "…".join(pieces)


def _begun(text: str, secret: str) -> int:
    """Return how many characters of a secret's beginning a text ends with; 0 for few."""
    # Of several words the first is no secret, and each other is one by itself.
    if " " in secret:
        return 0
    lengths = range(min(len(secret), len(text)), _SHORTEST_SECRET - 1, -1)
    return next((length for length in lengths if text.endswith(secret[:length])), 0)


def sentence(text: str) -> str:
    """Return text that ends as a sentence does."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
