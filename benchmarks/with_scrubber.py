"""Time another scrubber: `python with_scrubber.py logfire|presidio`, cases as JSON on stdin.

It runs in that scrubber's own environment, without this repository's packages, and
prints {case: [nanoseconds a call, what came out as text]} and the version as JSON.
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

ROUND_S = 0.2
ROUNDS = 7


def logfire() -> tuple[str, Callable[[Any], Any]]:
    """logfire's scrubber as it comes, which walks a span's attributes."""
    from logfire._internal.scrubbing import Scrubber

    scrubber = Scrubber([])
    return version("logfire"), lambda value: scrubber.scrub_value(("attributes",), value)


def presidio() -> tuple[str, Callable[[Any], Any]]:
    """Presidio's recognizers that are patterns: without a language model no names or places."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_anonymizer import AnonymizerEngine

    class Blank(SpacyNlpEngine):
        """Words and nothing else; models are downloads of half a gigabyte."""

        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    analyzer = AnalyzerEngine(registry, Blank(), supported_languages=["en"])
    anonymizer = AnonymizerEngine()

    def masked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: masked(item) for key, item in value.items()}
        found = analyzer.analyze(value, language="en")
        return anonymizer.anonymize(value, found).text

    return version("presidio-analyzer"), masked


def main() -> None:
    """Time every case and print the figures."""
    number, scrub = {"logfire": logfire, "presidio": presidio}[sys.argv[1]]()
    measured = {}
    for case, value in json.load(sys.stdin).items():
        timer = timeit.Timer(lambda value=value: scrub(value))  # type: ignore[misc]
        once_s = timer.timeit(3) / 3
        count = max(3, int(ROUND_S / once_s))
        best_s = min(timer.repeat(ROUNDS, count)) / count
        measured[case] = [best_s * 1e9, str(scrub(value))]
    json.dump({"version": number, "cases": measured}, sys.stdout)


if __name__ == "__main__":
    main()
