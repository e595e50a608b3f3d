"""`clarity stack size` works from measured figures and says from which."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from clarity_otel.stack.command import stack
from clarity_otel.stack.size import Load, advice, measured, rows

FIGURES = measured()
LOAD = Load(5000, 40, 3, spans=2.4, log_records=1.3, sampled=1.0)


def needs(load: Load) -> dict[str, dict[str, float]]:
    """Cores and disk of each program."""
    return {
        row.program: {"cores": row.cores, "disk": row.disk_bytes, "memory": row.memory_bytes}
        for row in rows(load, FIGURES)
    }


def test_twice_the_requests_are_twice_the_traces_and_logs_and_the_same_series() -> None:
    """Series depend on services and processes, never on the rate of requests."""
    once, twice = needs(LOAD), needs(replace(LOAD, requests_per_s=10_000))
    for program in ("jaeger", "loki"):
        assert twice[program]["disk"] == pytest.approx(2 * once[program]["disk"], rel=1e-6)
        assert twice[program]["cores"] == pytest.approx(2 * once[program]["cores"])
    assert twice["prometheus"] == once["prometheus"]


def test_ten_times_the_services_are_ten_times_the_samples() -> None:
    """Prometheus grows with what is there, and the traces do not."""
    once, more = needs(LOAD), needs(replace(LOAD, services=400))
    assert more["prometheus"]["disk"] == pytest.approx(10 * once["prometheus"]["disk"], rel=1e-6)
    assert more["jaeger"] == once["jaeger"]


def test_fewer_traces_are_less_disk_for_traces_alone() -> None:
    """--sampled is about traces."""
    all_of_them, tenth = needs(LOAD), needs(replace(LOAD, sampled=0.1))
    assert tenth["jaeger"]["disk"] == pytest.approx(all_of_them["jaeger"]["disk"] / 10, rel=1e-6)
    assert tenth["loki"] == all_of_them["loki"]


def test_what_one_disk_cannot_hold_is_said() -> None:
    """The advice names the page, and a small load needs none."""
    huge = replace(LOAD, requests_per_s=50_000, services=4000)
    sentences = advice(huge, rows(huge, FIGURES), FIGURES)
    assert [
        part in text
        for part, text in zip(("#jaeger", "#loki", "#prometheus"), sentences, strict=True)
    ]
    small = replace(LOAD, requests_per_s=20, services=3)
    assert advice(small, rows(small, FIGURES), FIGURES) == []


def test_the_command_says_what_it_reckons_with() -> None:
    """The table has an assumption for each program; --json has the same figures."""
    arguments = ["size", "--rps", "5000", "--services", "40"]
    table = CliRunner().invoke(stack, arguments)
    answer = CliRunner().invoke(stack, [*arguments, "--json"])
    assert table.exit_code == answer.exit_code == 0
    content = json.loads(answer.output)
    assert content["load"]["spans"] == FIGURES["request"]["spans"]
    for row in content["programs"]:
        assert row["because"] in table.output
        assert f"{row['program']:<16}{row['processes']:>9}{row['cores']:>7.1f}" in table.output


def test_the_figures_name_where_they_come_from() -> None:
    """Processor, date and the programs' versions stand beside them."""
    assert FIGURES["measured"]["cpu"]
    assert FIGURES["measured"]["date"]
    assert set(FIGURES["programs"]) >= {"collector", "jaeger", "loki", "prometheus"}
