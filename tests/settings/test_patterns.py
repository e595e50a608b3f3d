"""Lists of regular expressions: what is none is said and counts as the text that it is."""

from __future__ import annotations

import re

import pytest

from clarity_otel.settings import load
from clarity_otel.settings.variables import BY_NAME, LIST, PATTERN_LISTS, VARIABLES


def test_all_lists_of_expressions_are_checked() -> None:
    """No list that excludes URLs or chooses headers is forgotten."""
    named = {
        variable.name
        for variable in VARIABLES
        if variable.kind is LIST
        and variable.status == "honoured"
        and ("EXCLUDED_URLS" in variable.name or "CAPTURE_HEADERS" in variable.name)
    }
    assert set(PATTERN_LISTS) == named


@pytest.mark.parametrize("name", PATTERN_LISTS)
@pytest.mark.parametrize("entry", ["/health(", "*", "[a-", "(?P<a>x)(?P<a>x)", "\\"])
def test_a_malformed_one_is_taken_literally_with_a_sentence(name: str, entry: str) -> None:
    """The others count as they are; the sentence names the setting, the entry and what is wrong."""
    settings = load({name: f"one.*,{entry}"})
    first, second = settings[name]
    assert first == "one.*"
    assert re.fullmatch(second, entry)
    (sentence,) = settings.warnings
    assert sentence.startswith(f"{name} names {entry}, which is no regular expression (")
    assert sentence.endswith("); it is taken literally.")


def test_a_malformed_one_given_in_python_raises() -> None:
    """It comes from the app's own code."""
    with pytest.raises(ValueError, match=r"excluded_urls names a\(, which is no regular"):
        load({}, {"excluded_urls": ["a(", "b"]})
    assert BY_NAME["OTEL_PYTHON_EXCLUDED_URLS"].field == "excluded_urls"
