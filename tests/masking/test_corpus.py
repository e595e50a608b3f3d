"""The masker's recall and precision on the corpus, and that the corpus itself is sound.

The shares are those of :mod:`tests.masking.measure`; ``pytest -rP`` shows them by family.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.masking.lines import flat, harmless_lines, secret_lines
from tests.masking.measure import ENGINES, Masker, Measurement, is_gone, masker, measure

FLOOR = 0.995
SECRETS = secret_lines()
HARMLESS = harmless_lines()


@pytest.fixture(scope="module", params=sorted(ENGINES))
def mask(request: pytest.FixtureRequest) -> Masker:
    """Each engine; one that is not there skips with a sentence."""
    try:
        return masker(request.param)
    except ImportError as error:
        pytest.skip(f"not tested: the {request.param} masker: {error}")


@pytest.fixture(scope="module")
def measured(mask: Masker) -> Measurement:
    """The whole corpus through one engine."""
    return measure(mask)


# --- the masker ---------------------------------------------------------------


def test_recall_is_held(measured: Measurement) -> None:
    """At least 99.5% of all secrets are gone, whole and in halves."""
    print(measured.table)
    assert measured.recall.ratio >= FLOOR, _told(measured, "still there")


def test_precision_is_held(measured: Measurement) -> None:
    """At least 99.5% of the changed lines held a secret, and of the harmless are unchanged."""
    assert measured.precision.ratio >= FLOOR, _told(measured, "harmless")
    assert measured.harmless.ratio >= FLOOR, _told(measured, "harmless")


def test_what_stands_beside_a_secret_is_kept(measured: Measurement) -> None:
    """At least 99.5% of the words marked as context still stand."""
    assert measured.context.ratio >= FLOOR, _told(measured, "along")


def test_no_line_makes_the_masker_fail(measured: Measurement) -> None:
    """Failing closed is for what nobody foresaw; it would count as recall here."""
    assert measured.failed == []


def test_values_keep_their_shape(mask: Masker) -> None:
    """Containers keep type and length, texts stay texts and bytes stay bytes."""
    for line in SECRETS + HARMLESS:
        assert _shape(mask(line.content)) == _shape(line.content), line.where


def test_what_is_masked_once_is_left_alone(mask: Masker) -> None:
    """A second pass, as a record sent by two signals takes it, changes nothing."""
    for line in SECRETS:
        once = mask(line.content)
        assert mask(once) == once, line.where


def test_engines_agree() -> None:
    """The native engine and its twin give the same output for every line."""
    try:
        native, twin = masker("native"), masker("twin")
    except ImportError as error:
        pytest.skip(f"not tested: that the two maskers agree: {error}")
    for line in SECRETS + HARMLESS:
        assert repr(native(line.content)) == repr(twin(line.content)), line.where


# --- the measure --------------------------------------------------------------


def test_doing_nothing_has_no_recall() -> None:
    """A masker that changes nothing leaves every secret and every harmless line."""
    nothing = measure(Masker("nothing", lambda text: text, lambda key, value: value))
    assert nothing.recall.good == 0
    assert nothing.harmless.ratio == nothing.context.ratio == 1


def test_blanking_everything_has_no_precision() -> None:
    """A masker that empties every line removes all secrets and fails by all else."""
    blank = measure(Masker("blank", lambda text: "", lambda key, value: None))
    assert blank.recall.ratio == 1
    assert blank.harmless.good == blank.context.good == 0
    assert blank.precision.ratio < FLOOR


def test_half_a_secret_is_not_gone() -> None:
    """What is masked up to its first blank, or from there on, counts as still there."""
    secret = "correct horse battery staple"
    assert not is_gone(secret, "password=[masked:password] horse battery staple", "password=")
    assert not is_gone(secret, "password=correct horse bat[masked:password]", "password=")
    assert is_gone(secret, "password=[masked:password]", "password=")


# --- the corpus ---------------------------------------------------------------


def test_corpus_is_large_enough() -> None:
    """At least 550 lines of either kind, and no family of secrets is a token gesture."""
    assert len(SECRETS) >= 550
    assert len(HARMLESS) >= 550
    families = [line.family for line in SECRETS]
    assert min(families.count(family) for family in set(families)) >= 4


def test_no_line_stands_twice() -> None:
    """Every line adds a case, and none is both harmless and not."""
    lines = [repr(line.content) for line in SECRETS + HARMLESS]
    assert len(set(lines)) == len(lines)


def test_secrets_and_context_stand_in_their_line() -> None:
    """What must go is there to go, and what must stay stands outside it."""
    for line in SECRETS:
        text = flat(line.content)
        assert line.secrets, line.where
        for secret in line.secrets:
            assert secret in text, (line.where, secret)
            assert not is_gone(secret, text, line.outside), (line.where, secret)
        for word in line.keep:
            assert word in line.outside, (line.where, word)


def test_harmless_lines_name_no_secrets() -> None:
    """Nothing of a harmless line is listed, and no listed secret of some length is in one."""
    assert not any(line.secrets or line.keep for line in HARMLESS)
    text = "\n".join(flat(line.content) for line in HARMLESS)
    assert [s for line in SECRETS for s in line.secrets if len(s) >= 12 and s in text] == []


def test_cards_pass_luhn() -> None:
    """Every card number has 13 to 19 digits and the check digit of ISO/IEC 7812-1."""
    numbers = [_digits(secret) for secret in _of("card")]
    assert len(numbers) >= 40
    assert [number for number in numbers if not _passes_luhn(number)] == []


def test_harmless_lines_hold_no_card() -> None:
    """No number in the groups of a card, that a scheme issues and Luhn passes, is harmless."""
    grouped = re.compile(
        r"(?<![\w.])(?=([3-6]\d{3}([ -]?)(?:\d{4}\2\d{4}\2\d{4}|\d{6}\2\d{5}))(?!\w))"
    )
    for line in HARMLESS:
        for match in grouped.finditer(flat(line.content)):
            assert not _passes_luhn(_digits(match[1])), line.where


def test_ibans_pass_mod_97() -> None:
    """Every IBAN is 1 modulo 97 as ISO 13616-1 reads it, from at least 30 countries."""
    ibans = [secret.replace(" ", "").upper() for secret in _of("iban")]
    wrong = [s for s in ibans if int("".join(str(int(c, 36)) for c in s[4:] + s[:4])) % 97 != 1]
    assert wrong == []
    assert len({iban[:2] for iban in ibans}) >= 30


def test_social_security_numbers_can_be_issued() -> None:
    """Area, group and serial are within what the SSA assigns."""
    issued = re.compile(r"(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}")
    numbers = [_digits(secret) for secret in _of("ssn")]
    assert len(numbers) >= 25
    assert [number for number in numbers if not issued.fullmatch(number)] == []


def _of(family: str) -> list[str]:
    return [secret for line in SECRETS if line.family == family for secret in line.secrets]


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _passes_luhn(number: str) -> bool:
    doubled = [2 * int(digit) for digit in number[-2::-2]]
    rest = [int(digit) for digit in number[-1::-2]]
    total = sum(rest) + sum(value - 9 if value > 9 else value for value in doubled)
    return 13 <= len(number) <= 19 and total % 10 == 0


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return dict, [_shape(item) for item in value.values()]
    if isinstance(value, list | tuple):
        return type(value), [_shape(item) for item in value]
    return type(value)


def _told(measured: Measurement, problem: str) -> str:
    told = [str(miss) for miss in measured.misses if problem in miss.problem]
    return "\n\n".join([measured.table, *told])
