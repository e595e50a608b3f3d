"""Medians, intervals and verdicts of paired measurements."""

from __future__ import annotations

import random

import pytest

from clarity_otel.bench.statistics import compare, estimate, quantile, verdict


def test_an_estimate_is_the_median_inside_its_interval() -> None:
    """The median lies between the ends of its interval, and repeating gives the same."""
    values = [random.Random(7).gauss(10, 2) for _ in range(41)]
    first = estimate(values)
    assert first.low <= first.value <= first.high
    assert first == estimate(values)


def test_one_wild_pair_moves_neither_median_nor_interval() -> None:
    """What a busy machine does to one pair of twenty does not reach the result."""
    bare = [100.0] * 20
    calm = compare(bare, [101.0] * 20)
    wild = compare(bare, [101.0] * 19 + [10_000.0])
    assert wild.ratio == calm.ratio
    assert wild.added_us == calm.added_us


def test_pairs_cancel_a_drift_that_averages_would_not() -> None:
    """A machine that slows down to half leaves the ratio of pairs untouched."""
    bare = [100.0 + 5 * turn for turn in range(21)]
    cost = compare(bare, [1.02 * value for value in bare])
    assert cost.ratio.low == pytest.approx(1.02)
    assert cost.ratio.high == pytest.approx(1.02)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of 200 experiments with a known median, 95% intervals miss it in at most 10%."""
    source = random.Random(3)
    missed = 0
    for _ in range(200):
        found = estimate([source.gauss(5, 1) for _ in range(25)], resamples=400)
        missed += not found.low <= 5 <= found.high
    assert missed <= 20


def test_pairs_of_one_start_are_not_independent() -> None:
    """Where each start has its own cost, only an interval by starts holds the truth that often."""
    source = random.Random(5)
    missed = {1: 0, 12: 0}
    for _ in range(100):
        costs = [source.gauss(5, 2) for _ in range(12)]
        values = [source.gauss(cost, 0.5) for cost in costs for _ in range(4)]
        for starts in missed:
            found = estimate(values, resamples=400, starts=starts)
            missed[starts] += not found.low <= 5 <= found.high
    assert missed[12] <= 10
    assert missed[1] > 20


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        ([1.001, 1.002, 1.003] * 7, "less than 1%"),
        ([1.05, 1.06, 1.07] * 7, "more than 1%"),
        ([0.9, 1.01, 1.15] * 7, "cannot tell"),
    ],
)
def test_a_verdict_claims_only_what_the_interval_shows(ratios: list[float], words: str) -> None:
    """Under or over the limit is said when the whole interval is; else neither."""
    sentence = verdict(compare([100.0] * 21, [100 * ratio for ratio in ratios]), 0.01)
    assert words in sentence
    assert "21 pairs" in sentence


def test_a_quantile_is_a_value_that_was_measured() -> None:
    """Nearest rank: the 99% quantile of 100 values is the 99th, order does not matter."""
    values = list(range(100, 0, -1))
    assert quantile(values, 0.99) == 99
    assert quantile(values, 0.5) == 50
    assert quantile([3], 0.99) == 3


def test_nothing_measured_is_an_error_and_not_a_figure() -> None:
    """Empty input and unequal halves raise."""
    with pytest.raises(ValueError, match="at least one"):
        estimate([])
    with pytest.raises(ValueError, match="equally many"):
        estimate([1.0, 2.0, 3.0], starts=2)
    with pytest.raises(ValueError, match="equally often"):
        compare([1.0], [1.0, 2.0])
