"""`make bench`: sockets, in process, toggled, start-up, and the report of all of it.

    python -m benchmarks            # about half an hour
    python -m benchmarks --quick    # some minutes, wide intervals

Every option goes to the measurements that know it; see `--help` of benchmarks.sockets,
benchmarks.inprocess and benchmarks.toggled for what each takes alone.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    """Run the programs one after the other; stops at the first that fails."""
    options = sys.argv[1:]
    quick = [word for word in options if word == "--quick"]
    shared = list(quick)
    if "--variants" in options:
        place = options.index("--variants")
        shared += options[place : place + 2]
    for module, arguments in (
        ("benchmarks.sockets", options),
        ("benchmarks.inprocess", shared),
        ("benchmarks.toggled", quick),
        ("benchmarks.report", []),
    ):
        done = subprocess.run([sys.executable, "-m", module, *arguments])
        if done.returncode or "--help" in options:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
