"""Recall and precision of a masker over the corpus.

``python -m tests.masking.measure`` prints them for each engine that is there;
``--misses`` also prints every line that went wrong.

- **Recall**: of all secrets, the share that is gone. A secret is gone when neither it nor
  one of its halves (of four characters or more) stands in the output where the input
  outside its secrets did not have it: what is masked up to its first blank is not gone.
- **Precision**: of all lines that the masker changed, the share that held a secret.
- **Harmless**: of all harmless lines, the share that came out equal, types included.
- **Context**: of all words that secret-bearing lines mark as ``keep``, the share that still
  stands: a masker that blanks whole lines has full recall and no use.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tests.masking.lines import Line, flat, harmless_lines, secret_lines

ENGINES = {"native": "clarity_otel._native", "twin": "clarity_otel.masking.twin"}
FAILED = "[masking failed]"
_REPLACEMENT = re.compile(r"\[masked:[\w.:-]*\]")


@dataclass(frozen=True)
class Masker:
    """The two doors of one engine."""

    name: str
    mask_text: Callable[[str], str]
    mask_value: Callable[[str | None, Any], Any]

    def __call__(self, content: Any) -> Any:
        """Text by the one door, all else by the other."""
        if isinstance(content, str):
            return self.mask_text(content)
        return self.mask_value(None, content)


def masker(name: str) -> Masker:
    """The engine of that name; ``ImportError`` where it is not built or has no masker."""
    module = import_module(ENGINES[name])
    try:
        return Masker(name, module.mask_text, module.mask_value)
    except AttributeError as error:
        raise ImportError(f"{ENGINES[name]} has no masker: {error}") from error


@dataclass
class Share:
    """How many of how many."""

    of: int = 0
    good: int = 0

    def add(self, good: bool) -> None:
        self.of += 1
        self.good += good

    @property
    def ratio(self) -> float:
        return self.good / self.of if self.of else 1.0

    def __str__(self) -> str:
        return f"{self.good:5d} of {self.of:5d}  {self.ratio:8.2%}"


@dataclass(frozen=True)
class Miss:
    """A line that came out wrong, and what is wrong about it."""

    line: Line
    problem: str
    output: Any

    def __str__(self) -> str:
        before, after = f"   in: {self.line.content!r}", f"  out: {self.output!r}"
        return "\n".join([f"{self.line.where} {self.problem}", before, after])


@dataclass
class Measurement:
    """What one engine made of the corpus."""

    engine: str
    recall: Share = field(default_factory=Share)
    precision: Share = field(default_factory=Share)
    harmless: Share = field(default_factory=Share)
    context: Share = field(default_factory=Share)
    recall_by_family: dict[str, Share] = field(default_factory=dict)
    harmless_by_family: dict[str, Share] = field(default_factory=dict)
    misses: list[Miss] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Where the masker gave up: full recall, and a defect all the same."""

    @property
    def table(self) -> str:
        """The families' shares and the overall ones, as text."""
        rows = [f"{self.engine}: secrets gone, by family"]
        rows += [f"  {name:14s}{share}" for name, share in sorted(self.recall_by_family.items())]
        rows += [f"{self.engine}: harmless lines unchanged, by file"]
        rows += [f"  {name:14s}{share}" for name, share in sorted(self.harmless_by_family.items())]
        rows += [f"{self.engine}: overall"]
        for name in ("recall", "precision", "harmless", "context"):
            rows.append(f"  {name:14s}{getattr(self, name)}")
        rows.append(f"  {'failed':14s}{len(self.failed):5d} lines")
        return "\n".join(rows)


def measure(mask: Masker) -> Measurement:
    """Runs the whole corpus through one engine."""
    result = Measurement(mask.name)
    for line in secret_lines():
        output = mask(line.content)
        _measure_secrets(line, output, result)
        _note_failure(line, output, result)
    for line in harmless_lines():
        output = mask(line.content)
        _note_failure(line, output, result)
        same = repr(output) == repr(line.content)
        result.harmless.add(same)
        result.harmless_by_family.setdefault(line.family, Share()).add(same)
        if not same:
            result.precision.add(False)
            result.misses.append(Miss(line, "harmless, but changed", output))
    return result


def _measure_secrets(line: Line, output: Any, result: Measurement) -> None:
    after = flat(output)
    outside = line.outside
    for secret in line.secrets:
        gone = is_gone(secret, after, outside)
        result.recall.add(gone)
        result.recall_by_family.setdefault(line.family, Share()).add(gone)
        if not gone:
            result.misses.append(Miss(line, f"{line.family} {secret!r} is still there", output))
    lost = Counter(line.keep) - Counter({word: after.count(word) for word in line.keep})
    for word in line.keep:
        result.context.add(word not in lost)
    if lost:
        result.misses.append(Miss(line, f"took {', '.join(map(repr, lost))} along", output))
    if repr(output) != repr(line.content):
        result.precision.add(True)


def _note_failure(line: Line, output: Any, result: Measurement) -> None:
    if FAILED in flat(output) and FAILED not in flat(line.content):
        result.failed.append(line.where)


def is_gone(secret: str, after: str, outside: str) -> bool:
    """Neither the secret nor a half of it stands in ``after`` but for what was ``outside``."""
    after = _REPLACEMENT.sub("", after)
    middle = len(secret) // 2
    halves = [half for half in (secret[:middle], secret[middle:]) if len(half) >= 4]
    return secret not in after and not any(half in after and half not in outside for half in halves)


def main(arguments: list[str]) -> int:
    """Prints the table of each engine that is there; 1 when there is none."""
    found = False
    for name in ENGINES:
        try:
            result = measure(masker(name))
        except ImportError as error:
            print(f"{name}: not measured: {error}")
            continue
        found = True
        if "--misses" in arguments:
            print(*result.misses, sep="\n\n", end="\n\n")
        print(result.table)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
