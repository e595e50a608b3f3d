"""`clarity alerts`, as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clarity_otel.stack.alerts.groups import ALERTS
from clarity_otel.stack.alerts.rule import RUNBOOKS_URL
from tests.alerts.parts import ROOT

CLARITY = Path(sys.executable).parent / "clarity"
RULES = """\
groups:
  - name: mine
    rules:
      - {record: 'shop:orders:rate5m', expr: 'rate(shop_orders_total[5m])'}
      - alert: TooFewOrders
        expr: %s
"""


def clarity(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it in the checkout."""
    return subprocess.run(
        [CLARITY, "alerts", *arguments], capture_output=True, text=True, cwd=ROOT, timeout=100
    )


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory, promtool_binary: Path) -> Path:
    """A folder of rule files: right, wrong in a name, wrong in PromQL, and no rules."""
    folder = tmp_path_factory.mktemp("rules")
    exprs = {
        "right": "shop:orders:rate5m < 1 and process_cpu_seconds_total > 0",
        "name": "rate(clarity_cache_lookup_total[5m]) > 0",
        "label": "'clarity_cache_lookups_total{results=\"hit\"} > 5'",
        "promql": "shop:orders:rate5m <",
    }
    for name, expr in exprs.items():
        (folder / f"{name}.yml").write_text(RULES % expr)
    (folder / "none.yml").write_text("scrape_configs: []\n")
    return folder


def test_right_rules_pass(checked: Path, promtool_binary: Path) -> None:
    """Those of the user's own metrics, and ours."""
    run = clarity(
        *("check", "--promtool", promtool_binary, checked / "right.yml"),
        ROOT / "observability" / "alert-rules.yml",
    )
    assert run.stdout == f"{len(ALERTS) + 2} rules in 2 files: nothing is wrong.\n"
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "code", "sentence"),
    [
        ("name", 1, "TooFewOrders: there is no metric clarity_cache_lookup_total: the nearest is"),
        ("label", 0, "clarity_cache_lookups_total has no label results: the nearest is result"),
        ("promql", 1, "unexpected end of input"),
        ("none", 1, "is no rule file: it needs groups"),
        ("absent", 1, "cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_said(
    file: str, code: int, sentence: str, checked: Path, promtool_binary: Path
) -> None:
    """With the file, the rule and the nearest right name; the exit code tells too."""
    run = clarity("check", "--promtool", promtool_binary, checked / f"{file}.yml")
    assert sentence in run.stderr
    assert run.returncode == code


def test_without_promtool_names_are_checked_all_the_same(checked: Path) -> None:
    """And what is not checked is said."""
    run = clarity("check", "--promtool", "no-such-promtool", checked / "promql.yml")
    assert "PromQL is not checked: promtool was not found" in run.stderr
    assert run.returncode == 0
    run = clarity("test", "--promtool", "no-such-promtool")
    assert (run.returncode, run.stderr[:23]) == (1, "promtool was not found:")


def test_tests_of_rules_are_run(promtool_binary: Path, checked: Path) -> None:
    """The exit code is promtool's: 0, or 1 where an alert is not as expected."""
    for name, firing in (("good", "[]"), ("bad", "[{exp_labels: {}}]")):
        look = f"{{eval_time: 1m, alertname: TooFewOrders, exp_alerts: {firing}}}"
        test = f"{{interval: 1m, input_series: [], alert_rule_test: [{look}]}}"
        (checked / f"{name}_test.yml").write_text(f"rule_files: [right.yml]\ntests: [{test}]\n")
    run = clarity("test", "--promtool", promtool_binary, checked / "good_test.yml")
    assert (run.returncode, "SUCCESS" in run.stdout) == (0, True)
    run = clarity("test", "--promtool", promtool_binary, checked / "bad_test.yml")
    assert (run.returncode, "FAILED" in run.stdout + run.stderr) == (1, True)


def test_rules_are_written_with_the_address_of_your_runbooks(tmp_path: Path) -> None:
    """The same rules as committed, but for the links."""
    run = clarity("write", tmp_path / "rules", "--runbooks", "https://wiki.example/ops/")
    assert (run.returncode, run.stderr) == (0, "")
    for name in ("alert-rules.yml", "recording-rules.yml"):
        text = (tmp_path / "rules" / name).read_text()
        committed = (ROOT / "observability" / name).read_text()
        assert text.replace("https://wiki.example/ops/", f"{RUNBOOKS_URL}/") == committed
    assert 'https://wiki.example/ops/HighErrorRate"' in (
        (tmp_path / "rules" / "alert-rules.yml").read_text()
    )
