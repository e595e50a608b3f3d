"""Write or check the three files."""

from __future__ import annotations

import sys

from clarity_otel.generated import write_or_check
from tools.third_party.notices import notices, page
from tools.third_party.parts import (
    ROOT,
    MissingError,
    NotAllowedError,
    crates,
    dependencies,
    packages,
)
from tools.third_party.sbom import errors, sbom

COMMAND = "python -m tools.third_party"


def main(arguments: list[str]) -> int:
    """Return 0 where all is as it should be, or cannot be looked at by --check."""
    try:
        parts = [*crates(), *packages()]
        texts = {
            "THIRD-PARTY-NOTICES.txt": notices(parts),
            "docs/third-party.md": page(parts),
            "sbom.cdx.json": sbom(parts, dependencies()),
        }
    except NotAllowedError as error:
        sys.stderr.write(f"{COMMAND}: {error}.\n")
        return 1
    except MissingError as error:
        sys.stderr.write(f"{COMMAND}: {error}.\n")
        return 0 if "--check" in arguments else 1
    wrong = errors(texts["sbom.cdx.json"])
    if wrong:
        sys.stderr.write(f"{COMMAND}: the bill of materials is not CycloneDX: {wrong}\n")
        return 1
    codes = [write_or_check(ROOT / name, text, COMMAND, arguments) for name, text in texts.items()]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
