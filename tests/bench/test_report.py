"""The report says what the results file holds, and the README gets only its table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import BEGIN, END, for_readme, markdown, put_between_markers
from benchmarks.results import RESULTS as KEPT
from benchmarks.results import merge, newest

WIDE = {"value": 1.02, "low": 1.01, "high": 1.03}
ROW: dict[str, Any] = {
    "app": "shop",
    "path": "/hello",
    "pairs": 48,
    "bare_us": 100.0,
    "cpu_us": 100.0,
    "requests_per_s": 9000.0,
    "p50_ms": 0.1,
    "p99_ms": 0.2,
    "resident_mb": 90.0,
}
RESULTS: dict[str, Any] = {
    "date": "2026-01-02",
    "cpu": "A Fast One",
    "cores": 2,
    "kernel": "6.1",
    "python": "3.12.1",
    "load_average_at_start": 0.1,
    "versions": {"fastapi": "0.165.0"},
    "sockets": [
        {**ROW, "variant": "bare", "ratio": WIDE, "added_us": WIDE},
        {**ROW, "variant": "clarity", "ratio": WIDE, "added_us": {**WIDE, "value": 2.0}},
    ],
}


def test_a_cost_is_shown_with_its_interval_and_its_surroundings() -> None:
    """No figure without interval, processor, versions and date."""
    text = markdown(RESULTS)
    assert "+2.0 us, +2.0% (+1.0 to +3.0)" in text
    for words in ("A Fast One", "2026-01-02", "fastapi 0.165.0", "48 pairs"):
        assert words in text


def test_what_one_process_adds_stands_first_with_its_export() -> None:
    """The ratio to quote: patches and exporter over the bare request of the socket run."""
    added_ns = {"value": 700.0, "low": 500.0, "high": 900.0}
    toggled = [{"case": "shop /hello", "bare_ns": 40e3, "added_ns": added_ns, "export_ns": 200.0}]
    readme = for_readme({**RESULTS, "toggled": toggled})
    assert "| path | bare, us | clarity, in one process | clarity, over sockets |" in readme
    assert "| `/hello` | 100 | +0.9 us, +0.9% (+0.7 to +1.1) | +2.0 us, +2.0%" in readme
    assert "in one process" not in for_readme(RESULTS)


def test_the_readme_keeps_all_but_what_is_between_its_markers() -> None:
    """The table is replaced, twice as well as once, and nothing around it changes."""
    readme = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = put_between_markers(readme, "new")
    assert once == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert put_between_markers(once, "new") == once
    with pytest.raises(ValueError, match="needs the two lines"):
        put_between_markers("no markers", "new")


def test_measuring_one_variant_again_replaces_only_its_rows(tmp_path: Path) -> None:
    """Results of the others stay."""
    path = merge(RESULTS, tmp_path / "results.json")
    again = {**RESULTS, "sockets": [{**RESULTS["sockets"][1], "cpu_us": 101.0}]}
    merge(again, path)
    rows = json.loads(path.read_text("utf-8"))["sockets"]
    assert [(row["variant"], row["cpu_us"]) for row in rows] == [
        ("bare", 100.0),
        ("clarity", 101.0),
    ]


def test_what_is_kept_is_what_is_shown() -> None:
    """After a new measurement: python -m benchmarks.report --readme README.md."""
    source = newest()
    assert source is not None
    results = json.loads(source.read_text("utf-8"))
    assert source.with_suffix(".md").read_text("utf-8") == markdown(results)
    readme = (KEPT.parents[1] / "README.md").read_text("utf-8")
    assert put_between_markers(readme, for_readme(results)) == readme
