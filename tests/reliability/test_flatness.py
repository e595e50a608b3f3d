"""What the soak calls flat: a leak is found, and what comes and goes is none."""

from __future__ import annotations

from tests.reliability.soak import flatness

SECONDS = 400.0


def of(descriptors: list[int], resident_mib: list[float] | None = None) -> bool:
    """Whether a worker with these samples, one a second, is flat."""
    resident = resident_mib or [40.0] * len(descriptors)
    samples = [(int(mib * 2**20), fds) for mib, fds in zip(resident, descriptors, strict=True)]
    (worker,) = flatness({1: samples}, SECONDS)
    return bool(worker["is_flat"])


def test_a_descriptor_that_is_never_closed_is_found() -> None:
    """One more every half minute."""
    assert not of([25 + second // 30 for second in range(400)])


def test_a_process_that_sends_what_is_on_disk_has_more_of_them() -> None:
    """For as long as it does: another one did before."""
    assert of([27 + 4 * (330 < second < 360) + second % 2 for second in range(400)])


def test_memory_that_grows_is_found() -> None:
    """By 12 MiB in all."""
    assert not of([25] * 400, [40 + 12 * second / 400 for second in range(400)])


def test_a_worker_that_lived_shortly_tells_nothing() -> None:
    """It had no time to grow."""
    assert flatness({1: [(1, 1)] * 100}, SECONDS) == []
