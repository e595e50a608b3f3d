"""Writes what runs beside the services: configurations and docker-compose.observability.yml.

python -m clarity_otel.stack.generate          write them
python -m clarity_otel.stack.generate --check  exit 1 if one is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from clarity_otel.generated import write_or_check
from clarity_otel.stack import alertmanager, collector, compose, jaeger, loki, prometheus
from clarity_otel.stack.place import COMPOSE

_COMMAND = "python -m clarity_otel.stack.generate"
ROOT = Path(__file__).resolve().parents[2]


def files() -> dict[str, str]:
    """Return each file's text by its path from the repository's root."""
    configured = {
        **collector.files(COMPOSE),
        **prometheus.files(COMPOSE),
        **alertmanager.files(),
        **jaeger.files(COMPOSE),
        **loki.files(COMPOSE),
    }
    return {
        **compose.files(COMPOSE),
        **{f"observability/{path}": text for path, text in configured.items()},
    }


def main(arguments: list[str]) -> int:
    """Write the files, or check them; return the exit code."""
    written = [
        write_or_check(ROOT / path, text, _COMMAND, arguments) for path, text in files().items()
    ]
    return max(written)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
