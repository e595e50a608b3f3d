"""What `make compat` and `make matrix` have shown, kept in results.json for the page.

python -m tests.compat.results            write docs/compatibility.md
python -m tests.compat.results --check    fail where it is not what results.json says
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.surroundings import revision
from clarity_otel.generated import write_or_check
from tests.packaging.workshop import ROOT

if TYPE_CHECKING:
    from tests.compat.comparison import Report
    from tests.compat.versions import Outcome

KEPT = Path(__file__).parent / "results.json"
PAGE = ROOT / "docs" / "compatibility.md"

_HEAD = """\
# Compatibility

Written by `python -m tests.compat.results` from `tests/compat/results.json`; do not edit.

Two questions are asked of real libraries: does a library notice that we are there, and are
the spans the same whatever its version?

## The libraries' own tests

`make compat` takes a package's source distribution from PyPI and runs its own tests three
times: bare, under `clarity-instrument pytest` on the native engine, and on the sdk engine
(stock OpenTelemetry). All signals go to a server on the loopback; an internal error of
Clarity OTel is raised into the test. *Lost* are tests that pass bare, twice, and do not
pass instrumented, twice, and have no reason in `tests/compat/differences.toml`; it fails
for one. *Listed* are those that have a reason, below; where it is a setting, they are run
with that setting too, and have to pass. *Flaky* are those that did otherwise when their files ran
again, among them what did not run because a test took its process down. Of what fails bare
too (a host of the internet, a Redis module, a certificate), nothing is expected.

`python -m tests.compat PACKAGE` does the same for any package. Each row has the date and the
revision of Clarity OTel that it is of; rows from before revisions were kept have none.
"""

_LISTED = """\
What is listed, and why. A row that covers nothing any more fails a whole run of its suite. It is
marked where no result is kept of that suite, or one of a part of it: whether it still holds is
not known here.
"""

_VERSIONS = """
## Versions

`make matrix` installs each set of `tests/compat/versions.toml` into an environment of its
own, serves one small app with it (uvicorn with all routes, gunicorn with two forked
workers), and compares the native engine's spans with those of the contrib instrumentations
of that set: kinds, names, parents, states, and the attributes of HTTP, database, RPC and
AWS. [differences.md](differences.md) says what may differ.
"""

_RANGES = """
### Versions that were not tried

More is patched than was tried, because stepping aside on a version that works would lose its
spans. Where a version is within what is patched, and older or newer than what was tried (or
between two of them), it is patched like the others, and its first calls are watched: a patch
that fails there is [taken back](reliability.md#when-something-of-ours-fails). That does not
see a span that is only another one. `clarity doctor` names what is older or newer than all
that was tried, OpenTelemetry's API as well. A newer major version, and one that is older than
what is patched, is left alone with a sentence: `redis is not traced: version 9.0.0 is not one
that is known (from 5.0, below 9.0)`.

The sdk engine has the same upper bounds. It has no lower ones where contrib's packages make
the spans, because these say themselves which versions they know. Of Redis, httpx and AWS
their instrumentors go on without us where a version is not known (`redis is left to its
contrib instrumentor: …`).
"""
_BY_TESTS = "the version of `uv.lock`, by this project's own tests"


def keep_suites(reports: Sequence[Report], selection: str = "") -> None:
    """Replace what is known of these suites; `selection` tells which part of them ran.

    One of which no test passes bare has not run: it replaces nothing.
    """
    kept = _kept()
    for report in reports:
        if not report.bare.passed():
            continue
        suite = report.prepared.suite.name
        kept["suites"][suite] = {
            "version": report.prepared.version,
            "python": _version(),
            **_when(),
            "selection": selection,
            "tests": len(report.bare.outcomes),
            "bare": len(report.bare.passed()),
            "engines": {
                verdict.engine: {
                    "passed": len(verdict.run.passed()),
                    "lost": len(verdict.lost),
                    "listed": len(verdict.listed),
                    "flaky": len(verdict.flaky),
                    "spans": verdict.run.spans,
                }
                for verdict in report.verdicts
            },
        }
    _keep(kept)


def keep_versions(outcomes: Sequence[Outcome]) -> None:
    """Replace what is known of those that were tried."""
    kept = _kept()
    for outcome in outcomes:
        if outcome.problem:
            continue
        kept["versions"][f"{outcome.name} {outcome.python}"] = {
            "set": outcome.name,
            "python": outcome.python,
            **_when(),
            "versions": outcome.versions,
            "spans": outcome.spans,
            "result": "same" if outcome.is_same else "differs",
        }
    _keep(kept)


def page() -> str:
    """The text of docs/compatibility.md."""
    from tests.compat.suites import accepted, suites
    from tests.compat.versions import sets

    kept = _kept()
    lines = [_HEAD]
    lines += _row("Package", "Tests", "Pass bare", "native", "sdk", "Python", "Date, revision")
    lines += _row(*["---"] * 7)
    for name, suite in kept["suites"].items():
        shown = [_shown(suite["engines"].get(engine)) for engine in ("native", "sdk")]
        where = (suite["python"], _dated(suite))
        part = f", `{suite['selection']}`" if suite["selection"] else ""
        which = f"{name} {suite['version']}{part}"
        lines += _row(which, suite["tests"], suite["bare"], *shown, *where)
    unknown = [name for name in suites() if name not in kept["suites"]]
    if unknown:
        lines += [
            "",
            f"Suites that are known and of which no result is kept: {', '.join(unknown)}.",
        ]
    left_out = [(name, suite.left_out) for name, suite in suites().items() if suite.left_out]
    lines += ["", "What is not run, and why:", ""]
    lines += [f"- {name}: {'; '.join(reasons)}." for name, reasons in left_out]
    rows = accepted()
    if rows:
        lines += ["", _LISTED]
        lines += _row("Package", "Engine", "Tests", "Why", "Pass with") + _row(*["---"] * 5)
        for row in rows:
            tests = ", ".join(f"`{test}`" for test in row.tests)
            proof = " ".join(f"`{name}={value}`" for name, value in row.passes_with)
            package = f"{row.suite}{_unseen(kept['suites'].get(row.suite))}"
            lines += _row(package, ", ".join(row.engines), tests, row.reason, proof)
    lines.append(_VERSIONS)
    names = list(dict.fromkeys(n for row in kept["versions"].values() for n in row["versions"]))
    lines += _row("Set", "Python", *names, "Spans", "Date, revision")
    lines += _row(*["---"] * (len(names) + 4))
    order = list(sets())
    tried = sorted(
        kept["versions"].values(), key=lambda row: (order.index(row["set"]), row["python"])
    )
    for row in tried:
        versions = [row["versions"].get(name, "") for name in names]
        result = row["result"]
        if result == "same":
            result = f"the same ({row['spans'].get('native', 0)})"
        lines += _row(row["set"], row["python"], *versions, result, _dated(row))
    missing = not_tried(tried)
    if missing:
        which = "; ".join(f"{python}: {', '.join(names)}" for python, names in missing.items())
        lines += ["", f"Not tried, for that Python was not there where this ran: {which}."]
    lines.append(_RANGES)
    lines += _row("Library", "Patched", "Tried") + _row(*["---"] * 3)
    lines += [line for row in _ranges(tried) for line in _row(*row)]
    return "\n".join(lines) + "\n"


def _ranges(tried: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Of each library: what is patched on the native engine, and what the matrix has tried."""
    from clarity_otel.patches import table_of

    ranges = {row.library: row.versions for row in table_of("native") if row.versions}
    for library, (low, high) in ranges.items():
        versions = {row["versions"][library] for row in tried if library in row["versions"]}
        of = sorted(versions, key=lambda version: [int(part) for part in version.split(".")])
        patched = f"from {low[0]}.{low[1]}, below {high[0]}.{high[1]}"
        yield library, patched, f"{of[0]} to {of[-1]}" if of else _BY_TESTS


def not_tried(tried: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the sets that are to be tried on a Python and were not, by that Python."""
    from tests.compat.versions import sets

    done = {(row["set"], row["python"]) for row in tried}
    missing: dict[str, list[str]] = {}
    for name, each in sets().items():
        for python in each.pythons:
            if python and (name, python) not in done:
                missing.setdefault(python, []).append(name)
    return dict(sorted(missing.items()))


def _unseen(suite: dict[str, Any] | None) -> str:
    """How a listed row's suite has not run as a whole; nothing where it has."""
    if suite is None:
        return " **(not run)**"
    return " **(run in part)**" if suite["selection"] else ""


def _shown(engine: dict[str, int] | None) -> str:
    if engine is None:
        return "not run"
    parts = ["the same" if not engine["lost"] else f"**{engine['lost']} lost**"]
    parts += [f"{engine[name]} {name}" for name in ("listed", "flaky") if engine[name]]
    return f"{', '.join(parts)} ({engine['spans']:,} spans)"


def _row(*cells: object) -> list[str]:
    return ["| " + " | ".join(str(cell) for cell in cells) + " |"]


def _kept() -> dict[str, Any]:
    if KEPT.exists():
        return json.loads(KEPT.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    return {"suites": {}, "versions": {}}


def _keep(kept: dict[str, Any]) -> None:
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


def _version() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _when() -> dict[str, str]:
    """When a row was made, and of which revision of the product."""
    return {"date": datetime.now(tz=UTC).date().isoformat(), "revision": revision()}


def _dated(row: dict[str, Any]) -> str:
    """Both, as the page shows them; older rows have no revision."""
    return f"{row['date']}, {row['revision']}" if "revision" in row else str(row["date"])


def main() -> int:
    """The command."""
    return write_or_check(PAGE, page(), "python -m tests.compat.results", sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
