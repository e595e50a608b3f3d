"""`make bench`: sockets, in process, start-up, and the report of all of it.

    python -m benchmarks            # about half an hour
    python -m benchmarks --quick    # some minutes, wide intervals

Every option goes to both measurements that know it; see `--help` of
benchmarks.sockets and benchmarks.inprocess for what each takes alone.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    """Run the three programs one after the other; stops at the first that fails."""
    options = sys.argv[1:]
    shared = [word for word in options if word == "--quick"]
    if "--variants" in options:
        place = options.index("--variants")
        shared += options[place : place + 2]
    for module, arguments in (
        ("benchmarks.sockets", options),
        ("benchmarks.inprocess", shared),
        ("benchmarks.report", []),
    ):
        done = subprocess.run([sys.executable, "-m", module, *arguments])
        if done.returncode or "--help" in options:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
