"""What the repository has of each alert beside its rule: tests in three parts, a runbook."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

from clarity_otel.stack.alerts import names

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUNBOOKS = ROOT / "docs" / "runbooks"
TEST_FILES = sorted(HERE.glob("*_test.yml"))
SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation")
_QUERY = re.compile(r"```promql\n(.*?)```", re.DOTALL)


def read_tests(files: Iterable[Path] = TEST_FILES) -> list[dict[str, Any]]:
    """The tests of promtool's files, one after the other."""
    return [test for file in files for test in yaml.safe_load(file.read_text())["tests"]]


def missing_parts(alert: str, tests: list[dict[str, Any]]) -> set[str]:
    """Which of "fires", "resolves" and "is silent" no test of an alert shows.

    It fires where one is expected, and resolves where none is later in the same test. It is
    silent in a test that names a harmless case, has series and never expects one.
    """
    missing = {"fires", "resolves", "is silent"}
    for test in tests:
        looks = [look for look in test["alert_rule_test"] if look["alertname"] == alert]
        looks.sort(key=lambda look: seconds(look["eval_time"]))
        expected = [bool(look["exp_alerts"]) for look in looks]
        if any(expected):
            missing.discard("fires")
            if not all(expected[expected.index(True) :]):
                missing.discard("resolves")
        elif looks and test["input_series"] and "silent: " in test["name"]:
            missing.discard("is silent")
    return missing


def with_needed_rules(file: Path, folder: Path) -> Path:
    """A copy of a test file in a folder, beside the committed rules that its looks depend on.

    promtool evaluates all rules of all files at each step, 44 alerts for the one that a test
    asks about. What is left out is neither asked for nor read by what is.
    """
    text = file.read_text()
    tests = yaml.safe_load(text)
    paths = [file.parent / path for path in tests["rule_files"]]
    groups = {path: yaml.safe_load(path.read_text())["groups"] for path in paths}
    rules = [rule for found in groups.values() for group in found for rule in group["rules"]]
    looks = [look for test in tests["tests"] for look in test["alert_rule_test"]]
    asked = [look for test in tests["tests"] for look in test.get("promql_expr_test", ())]
    alerts = {look["alertname"] for look in looks}
    exprs = [rule["expr"] for rule in rules if rule.get("alert") in alerts]
    exprs += [look["expr"] for look in asked]
    read: set[str] = set()
    while exprs:
        new = names.metrics_of(exprs.pop()) - read
        read |= new
        exprs += [rule["expr"] for rule in rules if rule.get("record") in new]
    for path, found in groups.items():
        for group in found:
            group["rules"] = [
                rule
                for rule in group["rules"]
                if rule.get("alert") in alerts or rule.get("record") in read
            ]
        (folder / path.name).write_text(json.dumps({"groups": [g for g in found if g["rules"]]}))
    for given, path in zip(tests["rule_files"], paths, strict=True):
        text = text.replace(f"- {given}\n", f"- {path.name}\n")
    (folder / file.name).write_text(text)
    return folder / file.name


def seconds(duration: str) -> int:
    """Seconds of a duration as Prometheus writes it."""
    sizes = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    return sum(int(n) * sizes[unit] for n, unit in re.findall(r"(\d+)([dhms])", duration))


def missing_runbooks(alerts: Collection[str], folder: Path = RUNBOOKS) -> set[str]:
    """The alerts whose page is not there or lacks one of its sections."""
    return {
        name
        for name in alerts
        if not (folder / f"{name}.md").exists()
        or tuple(re.findall(r"^## (.+)$", (folder / f"{name}.md").read_text(), re.MULTILINE))
        != SECTIONS
    }


def queries() -> list[tuple[str, str]]:
    """The queries of all runbooks, each with the name of its page."""
    return [
        (page.stem, query.strip())
        for page in sorted(RUNBOOKS.glob("*.md"))
        for query in _QUERY.findall(page.read_text())
    ]
