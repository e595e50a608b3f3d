"""Writes the rule files of Prometheus from the groups.

python -m clarity_otel.stack.alerts.generate          write them
python -m clarity_otel.stack.alerts.generate --check  exit 1 if one is not what would be written
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from clarity_otel.generated import write_or_check
from clarity_otel.stack.alerts.groups import GROUPS
from clarity_otel.stack.alerts.rule import RUNBOOKS_URL, duration

FOLDER = Path(__file__).resolve().parents[3] / "observability"
COMMAND = "python -m clarity_otel.stack.alerts.generate"
_HEAD = f"# Written by `{COMMAND}` from clarity_otel/stack/alerts/groups. Do not edit:\n"
_ALERTS_HEAD = (
    f"{_HEAD}# rules of your own go into files beside this one (docs/alerts.md).\n"
    "# The page of each alert is docs/runbooks/NAME.md.\n"
)
_RECORDING_HEAD = f"{_HEAD}# alerts and dashboards share these series.\n"
_WIDTH = 100
# Text that YAML takes for text: a word, a name with hyphens or colons, a duration.
_PLAIN = re.compile(r"[A-Za-z_]\w*([:-]\w+)*|[0-9]+[a-z]")


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
    return _ALERTS_HEAD + as_yaml({"groups": groups})


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
    return _RECORDING_HEAD + as_yaml({"groups": groups})


def rule_files(runbooks_url: str = RUNBOOKS_URL) -> dict[str, str]:
    """Return the text of each file by its name."""
    return {"alert-rules.yml": alert_rules(runbooks_url), "recording-rules.yml": recording_rules()}


def as_yaml(value: Any, indent: str = "") -> str:
    """Return mappings, lists and text as YAML; text stands as JSON's strings do, or folded.

    Enough for rule files, so that neither a service nor the command line needs a YAML library.
    """
    if isinstance(value, dict):
        lines = [f"{indent}{key}:{_after_key(one, indent)}" for key, one in value.items()]
        return "".join(lines)
    lines = []
    for item in value:
        text = as_yaml(item, f"{indent}  ")
        lines.append(f"{indent}- {text[len(indent) + 2 :]}")
    return "".join(lines)


def _after_key(value: Any, indent: str) -> str:
    if isinstance(value, (dict, list)):
        deeper = f"{indent}  "
        return f"\n{as_yaml(value, deeper)}"
    return f" {_scalar(str(value), indent)}\n"


def _scalar(text: str, indent: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    if len(indent) + len(text) < _WIDTH - 12 and not set(text) & set("\\"):
        return f"'{text.replace(chr(39), chr(39) * 2)}'"
    return ">-\n" + "\n".join(f"{indent}  {line}" for line in _folded(text, _WIDTH - len(indent)))


def _folded(text: str, width: int) -> list[str]:
    """Break at single spaces: a folded scalar makes a space of each line's end."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them; return the exit code."""
    codes = [
        write_or_check(FOLDER / name, text, COMMAND, arguments)
        for name, text in rule_files().items()
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
