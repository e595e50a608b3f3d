"""Active users: how many different ones in a window, and nothing about any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.shared.members import read
from clarity_otel.metrics.shared.store import Store
from clarity_otel.metrics.users import ActiveUsers

FAMILY = BY_NAME["clarity.active_users"]
NOW = 1_700_000_000
# A fixed one: the estimates are the same in each run.
KEY = bytes(16)


@pytest.mark.parametrize("number", [1, 20, 1000, 50_000])
def test_the_estimate_is_right_within_a_tenth(number: int) -> None:
    """Each user counts once, however often it comes; three standard deviations are 10%."""
    users = ActiveUsers(Store(None), FAMILY, KEY)
    for _ in range(2):
        for user in range(number):
            users.note(f"user {user}", NOW)
    assert users.estimates(NOW)["24h"] == pytest.approx(number, rel=0.1)


def test_windows_forget_who_is_not_active() -> None:
    """A user counts in a window that reaches back to it, and in no shorter one."""
    users = ActiveUsers(Store(None), FAMILY, KEY)
    for user in range(50):
        users.note(user, NOW - 2000)
    for user in range(10):
        users.note(user, NOW - 10)
    estimates = users.estimates(NOW)
    assert estimates["5m"] == pytest.approx(10, abs=1)
    assert estimates["1h"] == estimates["24h"] == pytest.approx(50, abs=3)


def test_users_of_two_processes_are_one_set(tmp_path: Path) -> None:
    """A user that two workers saw is one user, also after one of them has ended."""
    first, second = Store(tmp_path), Store(tmp_path)
    for store, users in ((first, range(60)), (second, range(30, 90))):
        active = ActiveUsers(store, FAMILY, KEY)
        for user in users:
            active.note(user, NOW)
    assert active.estimates(NOW)["5m"] == pytest.approx(90, abs=5)
    assert first.member is not None
    first.member.forget()
    read(tmp_path, second.known, second.id)
    assert not list(tmp_path.glob(f"{first.id}*"))
    assert active.estimates(NOW)["5m"] == pytest.approx(90, abs=5)


def test_no_id_is_kept(tmp_path: Path) -> None:
    """The bytes in the folder do not hold the id, and another service hashes it differently."""
    store = Store(tmp_path)
    users = ActiveUsers(store, FAMILY)
    users.note("ann@example.com", NOW)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".bell")
    assert b"ann" not in kept
    assert ActiveUsers(Store(tmp_path), FAMILY)._key == users._key
    assert ActiveUsers(Store(None), FAMILY)._key != users._key
