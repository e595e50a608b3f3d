"""Writes the rule files of Prometheus from the groups.

python -m clarity_otel.stack.alerts.generate          write them
python -m clarity_otel.stack.alerts.generate --check  exit 1 if one is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from clarity_otel.generated import write_or_check
from clarity_otel.stack.alerts.groups import GROUPS
from clarity_otel.stack.alerts.rule import RUNBOOKS_URL, duration
from clarity_otel.stack.yaml_text import to_yaml

FOLDER = Path(__file__).resolve().parents[3] / "observability"
COMMAND = "python -m clarity_otel.stack.alerts.generate"
_HEAD = f"Written by `{COMMAND}` from clarity_otel/stack/alerts/groups. Do not edit:\n"
_ALERTS_HEAD = (
    f"{_HEAD}rules of your own go into files beside this one (docs/alerts.md).\n"
    "The page of each alert is docs/runbooks/NAME.md."
)
_RECORDING_HEAD = f"{_HEAD}alerts and dashboards share these series."


def alert_rules(runbooks_url: str) -> str:
    """Return the text of alert-rules.yml."""
    groups = [
        {
            "name": f"clarity-{group.name}",
            "interval": duration(group.interval_s),
            "rules": [alert.rendered(runbooks_url) for alert in group.alerts],
        }
        for group in GROUPS
    ]
    return to_yaml({"groups": groups}, _ALERTS_HEAD)


def recording_rules() -> str:
    """Return the text of recording-rules.yml."""
    groups = [
        {
            "name": f"clarity-{group.name}-recording",
            "interval": duration(group.interval_s),
            "rules": [rule.rendered() for rule in group.recordings],
        }
        for group in GROUPS
        if group.recordings
    ]
    return to_yaml({"groups": groups}, _RECORDING_HEAD)


def rule_files(runbooks_url: str = RUNBOOKS_URL) -> dict[str, str]:
    """Return the text of each file by its name."""
    return {"alert-rules.yml": alert_rules(runbooks_url), "recording-rules.yml": recording_rules()}


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them; return the exit code."""
    codes = [
        write_or_check(FOLDER / name, text, COMMAND, arguments)
        for name, text in rule_files().items()
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
