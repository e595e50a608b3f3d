"""The configurations of docs/scaling.md are read by the programs that they are for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .objects import K8S

PAGE = K8S.parents[1] / "docs" / "scaling.md"
_PART = re.compile(r"<!-- laid over (\S+), read by (\w+) -->\n```yaml\n(.*?)```", re.DOTALL)
PARTS = {program: (base, part) for base, program, part in _PART.findall(PAGE.read_text())}
# What the page says that has to go.
GONE = {
    "jaeger": [("extensions", "jaeger_storage", "backends", "traces_on_disk", "badger")],
    "loki": [
        ("common", "storage", "filesystem"),
        ("common", "instance_addr"),
        ("common", "ring", "instance_addr"),
    ],
}


def configuration(program: str, folder: Path) -> Path:
    """The configuration of observability/ with the page's part laid over it."""
    base, part = PARTS[program]
    content = yaml.safe_load((K8S.parent / base).read_text())
    for *path, name in GONE.get(program, []):
        holder = content
        for step in path:
            holder = holder[step]
        del holder[name]
    file = folder / Path(base).name
    file.write_text(yaml.safe_dump(_laid_over(content, yaml.safe_load(part))))
    return file


def _laid_over(value: Any, part: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(part, dict):
        return part
    return {**value, **{key: _laid_over(value.get(key), item) for key, item in part.items()}}


def _run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_engine_has_a_part() -> None:
    """A part that lost its mark would be read by nobody."""
    assert set(PARTS) == {"promtool", "jaeger", "loki", "collector"}


def test_prometheus_takes_remote_write(promtool_binary: Path, tmp_path: Path) -> None:
    """Files that exist in pods alone are not looked for."""
    file = configuration("promtool", tmp_path)
    _run(promtool_binary, "check", "config", "--syntax-only", file)


def test_the_collector_takes_tail_sampling(collector_binary: Path, tmp_path: Path) -> None:
    """The second tier; the first one's exporter is not in the tests' Collector."""
    _run(collector_binary, "validate", "--config", configuration("collector", tmp_path))


def test_loki_takes_object_storage(loki_binary: Path, tmp_path: Path) -> None:
    """S3, gossip and three copies."""
    file = configuration("loki", tmp_path)
    _run(loki_binary, f"-config.file={file}", "-verify-config")


def test_jaeger_takes_a_storage_engine(jaeger_binary: Path, tmp_path: Path) -> None:
    """OpenSearch in the place of Badger."""
    _run(jaeger_binary, "validate", "--config", configuration("jaeger", tmp_path))


@pytest.mark.parametrize("program", ["loki", "promtool"])
def test_a_wrong_word_would_be_seen(
    program: str, loki_binary: Path, promtool_binary: Path, tmp_path: Path
) -> None:
    """The checks above are ones that can fail."""
    file = configuration(program, tmp_path)
    file.write_text(file.read_text().replace("replication_factor", "copies").replace("url:", "to:"))
    command = {
        "loki": [loki_binary, f"-config.file={file}", "-verify-config"],
        "promtool": [promtool_binary, "check", "config", "--syntax-only", file],
    }[program]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0
