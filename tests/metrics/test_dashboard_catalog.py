"""The catalog as the dashboard's pages have it."""

from __future__ import annotations

from pathlib import Path

from clarity_otel.metrics.catalog import BY_ATTRIBUTE
from clarity_otel.metrics.dashboard import FILE, call_of, text
from tests.metrics.reading import run_python, values


def test_the_pages_have_the_catalog_as_it_is() -> None:
    """A family that is new or renamed is not forgotten: make generate."""
    assert FILE.read_text(encoding="utf-8") == text()


def test_the_calls_that_pages_show_write_their_families(tmp_path: Path) -> None:
    """As they are written: each can be copied into an app, and gives its family a sample."""
    calls = "\n".join(call_of(family) for family in BY_ATTRIBUTE.values())
    program = f"""
from clarity_otel.metrics import get_metrics
from clarity_otel.metrics.exposition import scrape
{calls}
print(scrape()[0].decode())
"""
    names = {name for name, _ in values(run_python(program, tmp_path))}
    for family in BY_ATTRIBUTE.values():
        name = family.prometheus_name
        assert {name, f"{name}_count"} & names, f"{call_of(family)} wrote no {name}"
