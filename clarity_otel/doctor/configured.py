"""In the child: tell whether the engine, which has started, could use OTEL_CONFIG_FILE.

python -m clarity_otel.doctor.configured RESULT STACK
"""

from __future__ import annotations

import os

from clarity_otel.doctor import telling


def main() -> None:
    """Tell why the file is not used, empty where it is, and end at once: nothing is sent."""
    place, _ = telling.begin()
    from clarity_otel.entry_points import start

    told = {}
    if start.running() is not None:
        from clarity_otel.engine.sdk import provider

        told["failure"] = provider.file_failure
    telling.tell(place, told)
    os._exit(0)


if __name__ == "__main__":
    main()
