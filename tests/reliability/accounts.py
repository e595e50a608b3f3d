"""What was made, and what became of it: by the identity of each item, not by counters alone.

Each request has one span and one log record, both of the trace that its answer names. What
has no answer (its process was killed meanwhile) may have them too. For metrics see `points`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.processes.counters import DROPPED
from tests.reliability import points
from tests.reliability.load import Load, Request
from tests.reliability.target import ITEMS, Receiver


@dataclass
class Account:
    """Spans, log records or points. ``lost`` is what was in the memory of a killed process.

    ``may_be_twice``: the items of requests that were cut, ``unconfirmed`` where all
    processes lived to count them.
    """

    made: int
    received: int
    on_disk: int
    lost: int
    duplicates: int
    unconfirmed: int
    may_be_twice: int
    dropped: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the results' file."""
        return asdict(self)


def accounts(
    load: Load,
    receiver: Receiver,
    stats: Counter[str],
    on_disk: Counter[str],
    killed: Mapping[int, float] | None = None,
    kept: Collection[points.Point] = (),
) -> dict[str, Account]:
    """The accounts by signal; AssertionError where one does not add up.

    made = received + dropped (by reason) + on disk, but for what a process that was
    ``killed`` (with the time of it) had made last. ``kept`` are the points that were on disk
    then. Metrics are left out where there are none.
    """
    killed = killed or {}
    asked = {request.trace_id: request for request in load.answered}
    assert len(asked) == len(load.answered)
    result = {}
    taken = receiver.taken()
    for signal in ITEMS:
        of_nobody = len(taken[signal].keys() - asked.keys())
        missing = asked.keys() - taken[signal].keys()
        one = _account(signal, len(asked) + of_nobody, taken[signal], stats, on_disk)
        assert of_nobody <= load.cuts, (signal, one, load.cuts)
        if killed:
            assert one.lost >= 0, (signal, one)
            if not one.dropped and not on_disk[signal]:
                assert_newest_of_killed(load, set(missing), killed)
        else:
            assert one.lost == 0, (signal, one)
            assert stats[f"{_prefix(signal)}made"] == one.made, (signal, one, stats)
        result[signal] = one
    if made := points.made(taken["metrics"], stats, killed, kept):
        one = _account("metrics", made, taken["metrics"], stats, on_disk)
        assert one.lost == 0, ("metrics", one)
        result["metrics"] = one
    for signal, one in result.items():
        assert_twice_only_what_was_cut(signal, one, receiver, len(killed))
    return result


def _prefix(signal: str) -> str:
    return "" if signal == "traces" else f"{signal}."


def _account(
    signal: str,
    made: int,
    taken: Counter[Any],
    stats: Counter[str],
    on_disk: Counter[str],
) -> Account:
    prefix = _prefix(signal)
    dropped = {reason: n for reason in DROPPED if (n := stats[f"{prefix}{reason}"])}
    return Account(
        made=made,
        received=len(taken),
        on_disk=on_disk[signal],
        lost=made - len(taken) - sum(dropped.values()) - on_disk[signal],
        duplicates=sum(taken.values()) - len(taken),
        unconfirmed=stats[f"{prefix}unconfirmed"],
        may_be_twice=stats[f"{prefix}unconfirmed"],
        dropped=dropped,
    )


def assert_twice_only_what_was_cut(
    signal: str, one: Account, receiver: Receiver, killed: int
) -> None:
    """Each item once more than in requests whose answer did not arrive, and as counted.

    A process that is killed between an answer and its mark on disk adds one batch, and what
    it had counted nobody knows any more.
    """
    if (by_signal := receiver.cut()) is not None:
        cut = by_signal[signal]
        taken = receiver.taken()[signal]
        more = sum(max(0, count - 1 - cut[item]) for item, count in taken.items())
        a_batch_each = killed * receiver.largest[signal]
        assert more <= a_batch_each, (signal, one, more)
        if killed:
            one.may_be_twice = sum(cut.values()) + a_batch_each
    assert one.duplicates <= one.may_be_twice, (signal, one)


def assert_newest_of_killed(load: Load, missing: set[str], killed: Mapping[int, float]) -> None:
    """Only killed processes have lost anything, and each only what it made last.

    Answers of several callers cross on their way, hence the tolerance.
    """
    by_worker: dict[str, list[Request]] = {}
    for request in load.answered:
        by_worker.setdefault(request.worker, []).append(request)
    for of_worker in by_worker.values():
        pid, made = of_worker[0].pid, [request.trace_id for request in of_worker]
        lost = [place for place, trace_id in enumerate(made) if trace_id in missing]
        assert not lost or pid in killed, f"{len(lost)} of process {pid}, which was not killed"
        if lost:
            assert len(made) - lost[0] <= len(lost) + load.callers, (
                f"process {pid}: of {len(made)} it has lost {lost}"
            )


def total(of: Mapping[str, Account]) -> Account:
    """All signals together."""
    dropped: Counter[str] = Counter()
    for one in of.values():
        dropped.update(one.dropped)
    names = ("made", "received", "on_disk", "lost", "duplicates", "unconfirmed", "may_be_twice")
    sums = {name: sum(getattr(one, name) for one in of.values()) for name in names}
    return Account(**sums, dropped=dict(dropped))
