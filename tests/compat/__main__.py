"""Run a package's own tests bare and under clarity-instrument, and compare.

    python -m tests.compat                         the suites that `make test` has a part of
    python -m tests.compat starlette
    python -m tests.compat PACKAGE --version 1.2   any package of PyPI

Exit code 1 where a test that passes bare, twice, does not pass instrumented, twice, and
differences.toml gives no reason for it. Tests that do otherwise the second time are named
as flaky and decide nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tests.compat import results
from tests.compat.comparison import Report, compare
from tests.compat.environments import UnavailableError
from tests.compat.runs import ENGINES, end_with_what_runs
from tests.compat.suites import Suite, prepare, suites


def main() -> int:
    """The command."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end_with_what_runs)
    options = _options()
    known = suites()
    failed = []
    reports: list[Report] = []
    for name in options.package or [name for name, suite in known.items() if suite.short]:
        suite = known.get(name) or Suite(name, name, spans=False)
        try:
            prepared = prepare(suite, options.python, options.version, options.requirement)
        except UnavailableError as reason:
            print(f"{name}: {reason}", file=sys.stderr)
            failed.append(name)
            continue
        selection = _selection(suite, options)
        arguments = selection if selection is not None else suite.arguments
        report = compare(
            prepared,
            [options.engine] if options.engine else ENGINES,
            [*arguments, *(options.keyword or [])],
            sends=options.target == "sink",
            is_whole=selection is None and not options.keyword,
        )
        for sentence in report.failures():
            print(sentence)
        print(report.summary(), flush=True)
        if report.failures():
            failed.append(name)
        reports.append(report)
    if options.write:
        selected = [*(options.keyword or ()), *(["--short"] if options.short else ())]
        if options.selection is not None:
            selected.append(f"--selection {options.selection.name}")
        results.keep_suites(reports, " ".join(selected))
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("package", nargs="*", help="a name of suites.toml, or any package")
    parser.add_argument("--engine", choices=ENGINES, help="one engine instead of both")
    parser.add_argument("--version", help="another than the one that is installed here")
    parser.add_argument("--python", default=sys.executable, help="the environment's interpreter")
    parser.add_argument(
        "--requirement", action="append", default=[], help="also install this (may be repeated)"
    )
    parser.add_argument("--selection", type=Path, help="a file of test ids, one a line")
    parser.add_argument("--short", action="store_true", help="the selection of make test")
    parser.add_argument(
        "-k", dest="keyword", type=lambda text: ["-k", text], help="as pytest's own"
    )
    parser.add_argument(
        "--target",
        choices=("sink", "none"),
        default="sink",
        help="where signals go: to a server on the loopback that takes all (the default), nowhere",
    )
    parser.add_argument(
        "--write", action="store_true", help="keep the figures for docs/compatibility.md"
    )
    return parser.parse_args()


def _selection(suite: Suite, options: argparse.Namespace) -> list[str] | None:
    if options.selection is not None:
        chosen = options.selection.read_text(encoding="utf-8").split()
    elif options.short:
        chosen = list(suite.short)
    else:
        return None
    return [*chosen, *suite.options]


if __name__ == "__main__":
    sys.exit(main())
