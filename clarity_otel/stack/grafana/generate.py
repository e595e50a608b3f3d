"""Writes Grafana's dashboards and what it is given at its start, into observability/grafana/.

python -m clarity_otel.stack.grafana.generate          write them
python -m clarity_otel.stack.grafana.generate --check  exit 1 if one is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from clarity_otel.generated import write_or_check
from clarity_otel.stack.grafana import datasources
from clarity_otel.stack.grafana.build import to_json
from clarity_otel.stack.grafana.pages import DASHBOARDS

FOLDER = Path(__file__).resolve().parents[3] / "observability" / "grafana"
_COMMAND = "python -m clarity_otel.stack.grafana.generate"


def files() -> dict[str, str]:
    """Return each file's text by its path in observability/grafana."""
    return {
        **{f"dashboards/{page.name}.json": to_json(page) for page in DASHBOARDS},
        **datasources.files(),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them; return the exit code."""
    return max(
        write_or_check(FOLDER / path, text, _COMMAND, arguments) for path, text in files().items()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
