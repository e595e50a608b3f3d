"""A suite's instrumented runs beside its bare one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.compat.runs import BARE, SDK_NAMES, Run, progress, run
from tests.compat.suites import Accepted, Prepared, accepted


@dataclass
class Verdict:
    """What one engine did to a suite; each list holds test ids.

    `lost` passed bare, twice, and did not pass instrumented, twice; `listed` are those of
    them that differences.toml gives a reason for, `flaky` those that did otherwise when
    everything ran again. `gained` passed instrumented alone, which fails nothing.
    """

    engine: str
    run: Run
    lost: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)
    gained: list[str] = field(default_factory=list)
    stale: list[Accepted] = field(default_factory=list)


@dataclass
class Report:
    """The bare run of a suite and a verdict for each engine."""

    prepared: Prepared
    bare: Run
    verdicts: list[Verdict]

    def failures(self) -> list[str]:
        """Why the suite is not as it is without us, in sentences; empty where it is."""
        name = f"{self.prepared.suite.name} {self.prepared.version}"
        said = []
        if not self.bare.passed():
            said.append(f"{name}: no test passes bare: {self.bare.end}\n{self.bare.tail}")
        for verdict in self.verdicts:
            where = f"{name} on the {verdict.engine} engine"
            # 0 is that all passed, 1 that some failed: what counts is which.
            if verdict.run.end not in (0, 1, self.bare.end):
                said.append(f"{where}: pytest ended with {verdict.run.end}\n{verdict.run.tail}")
            if self.prepared.suite.spans and not verdict.run.spans:
                said.append(f"{where}: not one span arrived, so nothing was tested")
            if verdict.run.senders - {SDK_NAMES[verdict.engine]}:
                said.append(f"{where}: the spans are those of {set(verdict.run.senders)}")
            for test in verdict.lost:
                outcome = verdict.run.outcomes.get(test, "missing")
                said.append(f"{where}: {outcome}: {test}\n{verdict.run.texts.get(test, '')}")
            said += [
                f"{where}: differences.toml lists what passes: {', '.join(row.tests)}"
                for row in verdict.stale
            ]
        return said

    def summary(self) -> str:
        """One line for each run."""
        suite = f"{self.prepared.suite.name} {self.prepared.version}"
        passed, ran = len(self.bare.passed()), len(self.bare.outcomes)
        lines = [f"{suite}, bare: {passed} passed of {ran} in {self.bare.duration_s:.0f} s"]
        for verdict in self.verdicts:
            lines.append(
                f"{suite}, {verdict.engine}: {len(verdict.run.passed())} passed, "
                f"{len(verdict.lost)} lost, {len(verdict.listed)} listed, "
                f"{len(verdict.flaky)} flaky, {len(verdict.gained)} only instrumented; "
                f"{verdict.run.spans} spans in {verdict.run.duration_s:.0f} s"
            )
            lines += [f"  the process ended within {test}" for test in verdict.run.unfinished()]
            lines += [f"  flaky (otherwise when run again): {test}" for test in verdict.flaky]
            lines += [f"  passes only instrumented: {test}" for test in verdict.gained]
        return "\n".join(lines)


def compare(
    prepared: Prepared,
    engines: Sequence[str],
    arguments: Sequence[str],
    *,
    sends: bool = True,
    is_whole: bool = True,
) -> Report:
    """Run a suite bare and with each engine; the files that differ, once more.

    The runs go at the same time, unless the suite is one that needs to be alone. The second
    time tells the flaky; whole files run, because what an earlier test leaves behind is part
    of the question. `is_whole` says that all tests run, so that a listed difference which
    does not occur is one too many.
    """
    suite = prepared.suite

    def every(names: Sequence[str], chosen: Sequence[str]) -> list[Run]:
        progress(f"==> {suite.name} {prepared.version}: {', '.join(names)}")
        with ThreadPoolExecutor(1 if suite.alone else len(names)) as pool:
            return list(pool.map(lambda name: run(prepared, name, chosen, sends=sends), names))

    bare, *firsts = every((BARE, *engines), arguments)
    differing = {
        engine: bare.passed() - first.passed()
        for engine, first in zip(engines, firsts, strict=True)
    }
    lost = dict(differing)
    doubtful = [name for name in engines if not _all_listed(suite.name, name, differing[name])]
    if doubtful:
        files = {test.partition("::")[0] for name in doubtful for test in differing[name]}
        bare_again, *seconds = every((BARE, *doubtful), [*sorted(files), *suite.options])
        for name, second in zip(doubtful, seconds, strict=True):
            lost[name] = differing[name] & (bare_again.passed() - second.passed())
    verdicts = []
    for engine, first in zip(engines, firsts, strict=True):
        verdict = _verdict(suite.name, engine, bare, first, lost[engine], is_whole)
        verdict.flaky = sorted(differing[engine] - lost[engine])
        _prove(prepared, verdict, sends=sends)
        verdicts.append(verdict)
    return Report(prepared, bare, verdicts)


def _prove(prepared: Prepared, verdict: Verdict, *, sends: bool) -> None:
    """Run listed tests with the variables that are said to make them pass."""
    suite = prepared.suite
    for row in accepted():
        mine = [test for test in verdict.listed if row.covers(suite.name, verdict.engine, test)]
        if not mine or not row.passes_with:
            continue
        progress(f"==> {suite.name}: {verdict.engine}, {len(mine)} listed with {row.passes_with}")
        extra = dict(row.passes_with)
        proof = run(prepared, verdict.engine, [*mine, *suite.options], sends=sends, extra=extra)
        unproved = sorted(set(mine) - proof.passed())
        verdict.run.texts |= {test: proof.texts.get(test, "") for test in unproved}
        verdict.lost += unproved
        verdict.listed = [test for test in verdict.listed if test not in unproved]


def _all_listed(suite: str, engine: str, tests: set[str]) -> bool:
    rows = accepted()
    return all(any(row.covers(suite, engine, test) for row in rows) for test in tests)


def _verdict(
    suite: str, engine: str, bare: Run, first: Run, lost: set[str], is_whole: bool
) -> Verdict:
    rows = [row for row in accepted() if row.suite == suite and engine in row.engines]
    listed = {test for test in lost if any(row.covers(suite, engine, test) for row in rows)}
    stale = [row for row in rows if not any(row.covers(suite, engine, test) for test in listed)]
    return Verdict(
        engine,
        first,
        lost=sorted(lost - listed),
        listed=sorted(listed),
        gained=sorted(first.passed() - bare.passed()),
        stale=stale if is_whole else [],
    )
