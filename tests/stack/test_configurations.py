"""Each configuration is one that its own program takes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clarity_otel.stack import collector, generate, jaeger, loki
from clarity_otel.stack.local import place_in
from clarity_otel.stack.place import COMPOSE
from clarity_otel.stack.yaml_text import to_yaml
from tests.backends.process import LOOPBACK, Process, wait_until
from tests.metrics.reading import get, values

OBSERVABILITY = generate.ROOT / "observability"
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x85\u2028\u2029"), max_size=20)
_PLAIN = st.none() | st.booleans() | st.integers() | _TEXTS
_DATA = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4)
)


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a checker to its end."""
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, **options
    )


def test_committed_files_are_what_their_generator_writes() -> None:
    """A file that was edited by hand, or not written anew, is found."""
    assert generate.main(["--check"]) == 0


@settings(max_examples=40, deadline=None)
@given(_DATA)
def test_our_yaml_reads_back(data: Any) -> None:
    """What we write is what a YAML reader reads, whatever the text in it."""
    assert yaml.safe_load(to_yaml(data, "a comment")) == data


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(min_size=0, max_size=30), min_size=8, max_size=30).map(" ".join))
def test_long_text_reads_back(text: str) -> None:
    """Text that is folded onto several lines is the text that it was."""
    data = {"key": text, "below": [{"expr": text, "more": {"last": text}}]}
    assert yaml.safe_load(to_yaml(data)) == data


def test_long_text_is_folded() -> None:
    """A line of a rule file can be read without scrolling to the side."""
    text = "sum by (job) (rate(http_server_request_duration_seconds_count[5m])) " * 4
    written = to_yaml({"rules": [{"expr": text.strip()}]})
    assert max(map(len, written.splitlines())) <= 100


@pytest.mark.parametrize(
    "text", ["on", "no", "12:30:45", "0x1f", "1e3", "~", "- a", "a: b", "2026-01-01"]
)
def test_text_that_yaml_would_take_for_something_else_is_quoted(text: str) -> None:
    """A text is a text, also where YAML has a meaning for it."""
    assert yaml.safe_load(to_yaml({"key": text, text: 1})) == {"key": text, text: 1}


@pytest.mark.parametrize("tail_sampling", [False, True])
def test_the_collector_takes_its_configuration(
    tail_sampling: bool, collector_binary: Path, tmp_path: Path
) -> None:
    """With and without tail sampling, every component and every OTTL statement is known."""
    file = tmp_path / "config.yml"
    file.write_text(collector.files(COMPOSE, tail_sampling=tail_sampling)["collector/config.yml"])
    checked = run(collector_binary, "validate", "--config", file)
    assert checked.returncode == 0, checked.stderr
    broken = file.read_text().replace("set(log.", "sett(log.")
    file.write_text(broken)
    assert run(collector_binary, "validate", "--config", file).returncode != 0


def test_traces_are_sampled_by_their_services_alone() -> None:
    """Tail sampling is off by default, and memory_limiter stands first everywhere."""
    pipelines = collector.config(COMPOSE)["service"]["pipelines"]
    assert [pipelines[signal]["processors"][0] for signal in pipelines] == ["memory_limiter"] * 3
    assert "tail_sampling" not in pipelines["traces"]["processors"]


def test_every_exporter_waits_on_disk_within_a_limit() -> None:
    """Each queue is stored, bounded in bytes, and together they fit the Collector's disk."""
    exporters = collector.config(COMPOSE)["exporters"]
    queues = [exporter["sending_queue"] for exporter in exporters.values()]
    assert len(queues) == 3
    assert {queue["storage"] for queue in queues} == {"file_storage/queue"}
    assert {queue["sizer"] for queue in queues} == {"bytes"}
    assert sum(queue["queue_size"] for queue in queues) <= 2 * 1024**3


def test_prometheus_takes_its_configuration(promtool_binary: Path) -> None:
    """The committed file and the targets beside it; the token's file is in the container."""
    file = OBSERVABILITY / "prometheus" / "prometheus.yml"
    checked = run(promtool_binary, "check", "config", "--syntax-only", file)
    assert checked.returncode == 0, checked.stderr


def test_prometheus_finds_rules_of_ours_and_of_users() -> None:
    """alert-rules.yml, recording-rules.yml, a user's file of the same kind, and rules/."""
    file = OBSERVABILITY / "prometheus" / "prometheus.yml"
    globs = yaml.safe_load(file.read_text())["rule_files"]
    for name in ("alert-rules.yml", "recording-rules.yml", "shop-rules.yml", "rules/mine.yml"):
        assert any(
            (file.parent / glob).parent.resolve() == (OBSERVABILITY / name).parent
            and Path(name).match(Path(glob).name)
            for glob in globs
        ), name


def test_alertmanager_takes_the_committed_configuration(amtool_binary: Path) -> None:
    """amtool loads it with its templates."""
    checked = run(amtool_binary, "check-config", OBSERVABILITY / "alertmanager/alertmanager.yml")
    assert checked.returncode == 0, checked.stderr


def test_loki_takes_its_configuration(loki_binary: Path) -> None:
    """Loki's own check."""
    file = OBSERVABILITY / "loki" / "config.yml"
    checked = run(loki_binary, "-verify-config", f"-config.file={file}")
    assert checked.returncode == 0, checked.stderr


def test_no_label_of_loki_has_many_values() -> None:
    """Labels are the service and where it runs: ids, the correlation id's too, never are."""
    limits = loki.config(COMPOSE)["limits_config"]
    resources = limits["otlp_config"]["resource_attributes"]
    assert resources["ignore_defaults"]
    assert resources["attributes_config"] == [
        {"action": "index_label", "attributes": list(loki.LABELS)}
    ]
    assert not [name for name in loki.LABELS if "id" in name.split(".") or "instance" in name]
    assert "log_attributes" not in limits["otlp_config"]


def test_jaeger_takes_its_configuration(jaeger_binary: Path, tmp_path: Path) -> None:
    """Jaeger's own check, and it refuses a backend that is not there."""
    file = OBSERVABILITY / "jaeger" / "config.yml"
    checked = run(jaeger_binary, "validate", "--config", file)
    assert checked.returncode == 0, checked.stderr
    data = jaeger.config(COMPOSE)
    data["exporters"] = {"no_such_exporter": {}}
    (tmp_path / "broken.yml").write_text(to_yaml(data))
    assert run(jaeger_binary, "validate", "--config", tmp_path / "broken.yml").returncode != 0


def test_jaeger_tells_how_full_its_disk_is(jaeger_binary: Path, tmp_path: Path) -> None:
    """The numbers that TraceDiskFilling and its runbook ask for, of the folder it writes to."""
    place = place_in(tmp_path, frozenset({"jaeger"}), free_ports=True)
    data = jaeger.config(place)
    badger = data["extensions"]["jaeger_storage"]["backends"]["traces_on_disk"]["badger"]
    # Every five minutes, and every ten seconds, without.
    badger |= {"maintenance_interval": "1s", "metrics_update_interval": "1s"}
    (tmp_path / "config.yml").write_text(to_yaml(data))
    port = place.ports["jaeger"]["metrics"]
    with Process(
        [jaeger_binary, f"--config={tmp_path / 'config.yml'}"],
        tmp_path / "process",
        ready_port=port,
        timeout_s=60,
    ):

        def told(name: str) -> list[float]:
            shown = values(get(f"http://{LOOPBACK}:{port}/metrics"))
            return [number for (found, _), number in shown.items() if found == name]

        free = "jaeger_badger_key_log_bytes_available"

        def is_right() -> bool:
            """Others write to the disk, too: it is told each second anew."""
            disk = os.statvfs(tmp_path)
            return told(free) == [pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.1)]

        wait_until(is_right, "the free space")
        wait_until(lambda: told("jaeger_badger_size_bytes_lsm"), "the size of the index")
