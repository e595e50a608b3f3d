"""Writes `observability/k8s`.

python -m clarity_otel.stack.kubernetes          write it
python -m clarity_otel.stack.kubernetes --check  exit 1 if a file is not what would be written
"""

from __future__ import annotations

import sys

from clarity_otel.generated import write_or_check

from .configs import OBSERVABILITY
from .tree import files

COMMAND = "python -m clarity_otel.stack.kubernetes"
FOLDER = OBSERVABILITY / "k8s"


def main(arguments: list[str]) -> int:
    """Write the files, or check them; return the exit code.

    What is in base/ and is not written any more is removed; other folders may hold users' own.
    """
    wanted = files()
    written = []
    for path, text in wanted.items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        written.append(write_or_check(FOLDER / path, text, COMMAND, arguments))
    for file in sorted(FOLDER.joinpath("base").rglob("*")):
        if file.is_dir() or str(file.relative_to(FOLDER)) in wanted:
            continue
        if "--check" in arguments:
            sys.stderr.write(f"{file} is written by nothing any more; run: {COMMAND}\n")
            written.append(1)
        else:
            file.unlink()
    return max(written)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
