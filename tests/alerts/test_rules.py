"""Every alert has its tests, its runbook and metrics that somebody writes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from clarity_otel.stack.alerts import names
from clarity_otel.stack.alerts.generate import FOLDER
from clarity_otel.stack.alerts.groups import ALERTS, GROUPS, RECORDINGS
from clarity_otel.stack.alerts.objectives import Objective
from clarity_otel.stack.alerts.rule import Alert
from tests.alerts.parts import (
    HERE,
    ROOT,
    RUNBOOKS,
    TEST_FILES,
    missing_parts,
    missing_runbooks,
    queries,
    read_tests,
    with_needed_rules,
)

# What was asked for, by name: severity, how long, and what its expression or the rule that
# it reads compares with. Written from the list of features, not from the rules.
WANTED = {
    "HighErrorRate": ("critical", 120, "> 0.01"),
    "ServiceDown": ("critical", 60, "(up) == 0"),
    "MLModelFailure": ("critical", 300, "> 0.05"),
    "DatabaseConnectionErrors": ("critical", 120, "> 0.1"),
    "MemoryLeak": ("critical", 600, "> 1073741824"),
    "SlowResponse": ("warning", 300, "> 1 "),
    "HighCPU": ("warning", 600, "> 0.8"),
    "AuthenticationFailures": ("warning", 300, "> 0.5"),
    "DiskSpaceLow": ("warning", 300, "< 0.1"),
    "HighRequestRate": ("info", 600, "stddev_over_time"),
    "CacheMissRate": ("info", 900, "> 0.5"),
}


def test_wanted_alerts_have_their_limits() -> None:
    """Names, severities, times and limits are those that were asked for."""
    alerts = {alert.name: alert for alert in ALERTS}
    assert len(alerts) == len(ALERTS) >= 15
    for name, (severity, for_s, compared) in WANTED.items():
        assert (alerts[name].severity, alerts[name].for_s) == (severity, for_s), name
        assert compared in f"{alerts[name].expr} ", name


def test_every_alert_says_who_what_and_where() -> None:
    """Labels service, severity and team; a summary with a value or a name, and a runbook."""
    for alert in ALERTS:
        rule = alert.rendered()
        assert set(rule["labels"]) == {"service", "severity", "team"}
        assert rule["annotations"]["runbook_url"].endswith(f"/{alert.name}")
        assert "{{ $" in rule["annotations"]["summary"], alert.name
    # Annotations say numbers; a number in a label would make each evaluation another alert.
    assert not any("$value" in str(alert.rendered()["labels"]) for alert in ALERTS)


def test_every_alert_is_tested_in_three_parts() -> None:
    """It fires, is silent in a harmless case, and resolves; no test is of an alert that is not."""
    tests = read_tests()
    missing = {alert.name: missing_parts(alert.name, tests) for alert in ALERTS}
    assert {name: parts for name, parts in missing.items() if parts} == {}
    tested = {look["alertname"] for test in tests for look in test["alert_rule_test"]}
    assert tested == set(missing)


@pytest.mark.parametrize("part", ["fires", "resolves", "is silent"])
def test_a_missing_part_is_noticed(part: str) -> None:
    """Of a rule whose tests lack one part, that part is told."""
    tests = read_tests()
    name = "HighErrorRate"
    for test in tests:
        looks = [look for look in test["alert_rule_test"] if look["alertname"] == name]
        if part == "is silent" and "silent: " in test["name"]:
            test["alert_rule_test"] = []
        elif part == "fires":
            for look in looks:
                look["exp_alerts"] = []
        elif part == "resolves" and looks and "fires" in test["name"]:
            test["alert_rule_test"].remove(looks[-1])
    assert part in missing_parts(name, tests)
    assert missing_parts("NoSuchAlert", tests) == {"fires", "resolves", "is silent"}


def test_rules_name_metrics_that_somebody_writes() -> None:
    """Each metric and label is in the catalog, recorded by us, or another program's known one."""
    exprs = [rule.expr for rule in (*ALERTS, *RECORDINGS)]
    known = {*names.written(), *names.EXTERNAL, *(rule.name for rule in RECORDINGS)}
    assert {name for expr in exprs for name in names.metrics_of(expr)} - known == set()
    assert names.unlabelled(exprs) == []


def test_a_metric_that_nobody_writes_is_noticed() -> None:
    """With the nearest name; PromQL's own words and other programs' metrics are none of it."""
    near = "clarity_ml_predictions_total"
    wrong = 'sum by (job) (rate(clarity_ml_prediction_total{status="a b"}[5m])) > bool 2 * orders'
    assert names.metrics_of(wrong) == {"clarity_ml_prediction_total", "orders"}
    (sentence,) = names.unwritten([wrong])
    assert sentence == f"there is no metric clarity_ml_prediction_total: the nearest is {near}"
    label = 'http_server_request_duration_seconds_count{status="500"} and on (status) up'
    (sentence,) = names.unlabelled([label])
    assert sentence.startswith("http_server_request_duration_seconds_count has no label status")
    assert sentence.endswith("the nearest is http_response_status_code")


def test_every_alert_has_a_runbook(tmp_path: Path) -> None:
    """With its four sections, and no page without an alert; one that is missing is noticed."""
    alerts = [alert.name for alert in ALERTS]
    assert missing_runbooks(alerts) == set()
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(alerts)
    (tmp_path / "HighCPU.md").write_text("# HighCPU\n\n## Meaning\n\nIt is high.\n")
    assert missing_runbooks(["HighCPU", "HighErrorRate"], tmp_path) == {"HighCPU", "HighErrorRate"}


def test_runbooks_ask_for_metrics_that_somebody_writes() -> None:
    """Every page has a query; metrics and labels of all of them are known."""
    exprs = [query for _, query in queries()]
    recorded = {rule.name for rule in RECORDINGS}
    assert {page for page, _ in queries()} == {alert.name for alert in ALERTS}
    known = {*names.written(), *names.EXTERNAL, *recorded}
    assert {name for expr in exprs for name in names.metrics_of(expr)} - known == set()
    assert names.unlabelled(exprs) == []


def test_links_of_runbooks_lead_somewhere() -> None:
    """A page names another alert's page only where there is one."""
    for page in RUNBOOKS.glob("*.md"):
        for part in page.read_text().split("](")[1:]:
            assert (RUNBOOKS / part.split(")")[0]).exists(), (page.name, part)


def test_an_objective_has_to_be_one_that_can_be_measured() -> None:
    """A limit that is no bucket, or a share of 100%, is refused with a sentence."""
    with pytest.raises(ValueError, match=r"fast_s=0.3 .* has to be a bucket"):
        Objective(fast_s=0.3)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Objective(answered=1)


def test_no_recording_rule_reads_one_that_is_recorded_after_it() -> None:
    """Within a group and between groups, so that promtool's order below is Prometheus' own."""
    seen: set[str] = set()
    own = {rule.name for rule in RECORDINGS}
    for rule in RECORDINGS:
        assert (names.metrics_of(rule.expr) & own) - seen - {rule.name} == set(), rule.name
        seen.add(rule.name)


def promtool(binary: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it in a folder."""
    return subprocess.run([binary, *arguments], cwd=folder, capture_output=True, text=True)


def test_promtool_has_no_complaint(promtool_binary: Path, tmp_path: Path) -> None:
    """About both rule files, and about each query of each runbook as a rule of its own."""
    files = ("alert-rules.yml", "recording-rules.yml")
    run = promtool(promtool_binary, "check", "rules", *files, folder=FOLDER)
    assert run.returncode == 0, run.stdout + run.stderr
    rules = [
        {"record": f"runbook:{page}:{number}", "expr": query}
        for number, (page, query) in enumerate(queries())
    ]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "q", "rules": rules}]}))
    run = promtool(promtool_binary, "check", "rules", "queries.yml", folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(rules) > 2 * len(ALERTS)


@pytest.mark.slow
@pytest.mark.timeout(300)  # seven hours by the minute: 2 s of processor time
@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem.removesuffix("_test"))
def test_rules_pass_their_tests(file: Path, promtool_binary: Path, tmp_path: Path) -> None:
    """Each alert is what its tests say, with the rules that it depends on."""
    copy = with_needed_rules(file, tmp_path)
    run = promtool(promtool_binary, "test", "rules", copy.name, folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "SUCCESS" in run.stdout


def test_promtool_runs_a_file_from_its_own_folder(promtool_binary: Path) -> None:
    """With the committed rules, all of them, by the paths that every file has."""
    paths = {tuple(yaml.safe_load(file.read_text())["rule_files"]) for file in TEST_FILES}
    assert len(paths) == 1
    run = promtool(promtool_binary, "test", "rules", "certificates_test.yml", folder=HERE)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "SUCCESS" in run.stdout


def test_what_a_test_depends_on_is_not_left_out(promtool_binary: Path, tmp_path: Path) -> None:
    """Of the rules that are kept, each is needed: a limit that moves is noticed."""
    copy = with_needed_rules(HERE / "memory_test.yml", tmp_path)
    kept = [
        rule.get("alert") or rule["record"]
        for name in ("recording-rules.yml", "alert-rules.yml")
        for group in json.loads((tmp_path / name).read_text())["groups"]
        for rule in group["rules"]
    ]
    assert "MemoryLeak" in kept
    assert len(kept) < 10
    rules = (tmp_path / "alert-rules.yml").read_text()
    moved = rules.replace("1073741824", "107374182400")
    assert moved != rules
    (tmp_path / "alert-rules.yml").write_text(moved)
    assert promtool(promtool_binary, "test", "rules", copy.name, folder=tmp_path).returncode != 0


def test_test_files_name_all_groups_in_order() -> None:
    """promtool takes groups that are not named first, and before what they read."""
    order = [f"clarity-{group.name}-recording" for group in GROUPS if group.recordings]
    order += [f"clarity-{group.name}" for group in GROUPS]
    for file in TEST_FILES:
        listed = "".join(f"  - {name}\n" for name in order)
        assert f"group_eval_order:\n{listed}tests:\n" in file.read_text(), file.name


def test_no_rule_is_imported_by_a_service() -> None:
    """The metrics, the engine and the launcher know nothing of the stack."""
    for folder in ("metrics", "engine", "patches", "logs", "endpoints", "settings"):
        for module in (ROOT / "clarity_otel" / folder).rglob("*.py"):
            assert "clarity_otel.stack" not in module.read_text(), module


def test_rendering_takes_another_address_of_runbooks() -> None:
    """A slash at its end makes no second one."""
    alert = Alert("Name", "up", "info", "api", "{{ $value }}")
    rule = alert.rendered("https://wiki.example/runbooks/")
    assert rule["annotations"]["runbook_url"] == "https://wiki.example/runbooks/Name"
    assert "for" not in rule
