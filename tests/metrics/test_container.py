"""Container limits: both versions of cgroups, limits above, none at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarity_otel.metrics.sampled.container import Container

GIB = 2**30


def container(tmp_path: Path, groups: str, files: dict[str, str]) -> dict[str, float]:
    """What a container with these files is read as; ``groups`` is /proc/self/cgroup."""
    root = tmp_path / "cgroup"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "groups").write_text(groups)
    return Container(root, tmp_path / "groups").read()


def test_version_2(tmp_path: Path) -> None:
    """In a container the process sees its own group as the root."""
    assert container(
        tmp_path,
        "0::/\n",
        {
            "cgroup.controllers": "cpu memory\n",
            "cpu.max": "150000 100000\n",
            "cpu.stat": "usage_usec 2500000\nuser_usec 1\nthrottled_usec 500000\n",
            "memory.max": f"{GIB}\n",
            "memory.current": "1000\n",
            "memory.events": "low 0\noom 1\noom_kill 2\n",
        },
    ) == pytest.approx(
        {
            "clarity.container.cpu.limit": 1.5,
            "clarity.container.memory.limit": GIB,
            "container.memory.usage": 1000,
            "container.cpu.time": 2.5,
            "clarity.container.cpu.throttled": 0.5,
            "clarity.container.oom_kills": 2,
        }
    )


def test_the_smallest_limit_above_counts(tmp_path: Path) -> None:
    """A slice's limit holds for the service in it, which may have none or a larger one."""
    found = container(
        tmp_path,
        "0::/system.slice/shop.service\n",
        {
            "cgroup.controllers": "",
            "system.slice/memory.max": "500\n",
            "system.slice/cpu.max": "max 100000\n",
            "system.slice/shop.service/memory.max": "900\n",
            "system.slice/shop.service/cpu.max": "50000 100000\n",
            "system.slice/shop.service/memory.current": "7\n",
        },
    )
    assert found["clarity.container.memory.limit"] == 500
    assert found["clarity.container.cpu.limit"] == 0.5
    assert found["container.memory.usage"] == 7


def test_without_a_limit_there_is_none(tmp_path: Path) -> None:
    """No limit is no number: not 0, not infinity."""
    files = {"cgroup.controllers": "", "cpu.max": "max 100000\n", "memory.max": "max\n"}
    assert container(tmp_path, "0::/\n", files) == {}


@pytest.mark.parametrize("groups", ["7:memory:/pod/a\n3:cpu,cpuacct:/pod/a\n", "7:memory:/x\n"])
def test_version_1(groups: str, tmp_path: Path) -> None:
    """By the path in the host's tree, or at the root where the container does not see it."""
    below = "pod/a/" if "pod" in groups else ""
    assert container(
        tmp_path,
        groups,
        {
            f"memory/{below}memory.limit_in_bytes": "2048\n",
            f"memory/{below}memory.usage_in_bytes": "1024\n",
            f"memory/{below}memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            f"cpu/{below}cpu.cfs_quota_us": "200000\n",
            f"cpu/{below}cpu.cfs_period_us": "100000\n",
            f"cpu/{below}cpu.stat": "nr_periods 1\nthrottled_time 1500000000\n",
            f"cpuacct/{below}cpuacct.usage": "3000000000\n",
        },
    ) == pytest.approx(
        {
            "clarity.container.cpu.limit": 2,
            "clarity.container.memory.limit": 2048,
            "container.memory.usage": 1024,
            "container.cpu.time": 3,
            "clarity.container.cpu.throttled": 1.5,
            "clarity.container.oom_kills": 3,
        }
    )


def test_version_1_says_no_limit_by_a_huge_one(tmp_path: Path) -> None:
    """The number that no machine has, and a quota of -1."""
    files = {
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.cfs_period_us": "100000\n",
    }
    assert container(tmp_path, "", files) == {}


def test_a_path_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    """A group above the container's own root is shown with dots: the root counts."""
    files = {"cgroup.controllers": "", "memory.max": "5\n"}
    found = container(tmp_path, "0::/../../etc\n", files)
    assert found == {"clarity.container.memory.limit": 5}
