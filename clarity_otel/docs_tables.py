"""Writes docs/settings.md from the table of settings.

python -m clarity_otel.docs_tables          write it
python -m clarity_otel.docs_tables --check  exit 1 if it is not what would be written
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from clarity_otel.generated import write_or_check
from clarity_otel.settings import VARIABLES
from clarity_otel.settings.shown import shown
from clarity_otel.settings.variables import HONOURED, KUBERNETES, Variable

_COMMAND = "python -m clarity_otel.docs_tables"
ROOT = Path(__file__).resolve().parent.parent
SETTINGS_PAGE = ROOT / "docs" / "settings.md"

_HEAD = """\
# Settings

<!-- Written by `python -m clarity_otel.docs_tables` from clarity_otel/settings/variables.py. -->

Every environment variable that Clarity OTel knows. An empty variable counts as unset. A
value that cannot be used is named in a warning on stderr, the default is used, and the app
runs. `clarity config` prints the values in effect and where they come from.

In Python each setting has the name in the second column:
`setup_observability(service_name="shop", otlp_endpoint="http://collector:4317")`.

Support says how far a variable counts: *honoured* by both engines, or with what it needs;
*passed on* to what reads it, an OpenTelemetry package or Compose; *not supported*, with the
reason; *internal*, set by our own commands for what they start.
"""

_KUBERNETES_HEAD = """
## Kubernetes

The names of the pod and what is around it come from variables that the manifest sets with
the downward API. The first that is set counts; those without `K8S_` count only inside a
cluster.

| Attribute | Variables |
|---|---|
"""


def settings_page() -> str:
    """Return the text of docs/settings.md."""
    text = _HEAD
    for group, members in groupby(VARIABLES, key=lambda variable: variable.group):
        text += f"\n## {group}\n\n"
        text += "| Variable | In Python | Value | Default | What it does | Support |\n"
        text += "|---|---|---|---|---|---|\n"
        text += "".join(_row(variable) for variable in members)
    text += _KUBERNETES_HEAD
    for attribute, variables in KUBERNETES.items():
        text += f"| `{attribute}` | {', '.join(f'`{name}`' for name in variables)} |\n"
    return text


def _row(variable: Variable) -> str:
    default = shown(variable, variable.default)
    settable = variable.status == HONOURED
    cells = (
        f"`{variable.name}`",
        f"`{variable.field}`" if settable else "",
        variable.kind.expects,
        f"`{default}`" if default else "",
        variable.doc,
        variable.support,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with --check compare it; return the exit code."""
    return write_or_check(SETTINGS_PAGE, settings_page(), _COMMAND, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
