"""Every panel has data: its queries, asked of the real programs while the example works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.aws_server import AwsServer
from tests.backends.build import UnavailableError
from tests.backends.process import wait_until
from tests.backends.redis_server import RedisServer
from tests.conftest import not_tested
from tests.grafana.files import Target, targets
from tests.grafana.running import SERVICE, Running, numbers, running
from tests.metrics.reading import get
from tests.metrics.test_every_family import OF_SOME_MACHINES, fill

# Four programs start first; on a busy machine that takes most of a minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Families that this machine may lack: no swap, no control group, no limit.
ABSENT = tuple(prefix.replace(".", "_") for prefix in OF_SOME_MACHINES)


@pytest.fixture(scope="module")
def stack(
    _redis_server: RedisServer,
    _aws_server: AwsServer,
    loki_binary: Path,
    jaeger_binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    """The example and the programs that watch it, once for the module."""
    _redis_server.reset()
    _aws_server.reset()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _aws_server.env.items():
            patch.setenv(name, value)
        fill(_aws_server)
    folder = tmp_path_factory.mktemp("grafana")
    try:
        with running(folder, _redis_server, _aws_server, loki_binary, jaeger_binary) as found:
            yield found
    except UnavailableError as reason:
        not_tested(reason, "that every panel of Grafana's dashboards has data")


def is_of_some_machines(target: Target, page: str) -> bool:
    """Whether it shows only what may be absent here, and /metrics does not have it."""
    names = set(re.findall(r"([A-Za-z_:][\w:]*)\{", target.text))
    return not target.is_log and all(
        name.startswith(ABSENT) and f"\n{name}" not in page for name in names
    )


def has_data(stack: Running, target: Target) -> bool:
    """A log has lines; any other result a number in it."""
    series = stack.ask(target)
    if target.is_log and not target.text.startswith("sum"):
        return any(one["values"] for one in series)
    return bool(numbers(series))


def test_every_panel_s_query_has_data(stack: Running) -> None:
    """Each query of each panel, with `All` chosen, over the time since the load began."""
    page = get(f"http://127.0.0.1:{stack.port}/metrics")
    waiting = [target for target in targets() if not is_of_some_machines(target, page)]
    assert len(waiting) > 0.9 * len(list(targets()))

    def still_empty() -> list[Target]:
        waiting[:] = [target for target in waiting if not has_data(stack, target)]
        if waiting:
            stack.load()
        return waiting

    try:
        wait_until(lambda: not still_empty(), "data in every panel", 120)
    except TimeoutError:
        pytest.fail("no data:\n" + "\n".join(map(str, waiting)))


def test_variables_narrow_what_is_shown(stack: Running) -> None:
    """A chosen service, route and model keep their own series; another service has none."""

    def shown(panel: tuple[str, str], label: str, **chosen: str) -> set[str]:
        target = next(t for t in targets() if (t.dashboard, t.panel) == panel)
        return {series["metric"].get(label, "") for series in stack.ask(target, chosen)}

    routes, models = ("api", "Requests by route"), ("ml", "Predictions by model")
    wait_until(lambda: shown(routes, "http_route") and shown(models, "model"), "rates")
    route = {"service": SERVICE, "route": "/shop/redis"}
    assert shown(routes, "http_route", **route) == {"/shop/redis"}
    assert shown(models, "model", model="PAT") == {"PAT"}
    for panel in (routes, models):
        assert shown(panel, "job", service="another") == set()


def test_an_exemplar_and_a_log_line_lead_to_their_traces(stack: Running) -> None:
    """By the label trace_id of the one, and the structured metadata of the other."""

    def leads(trace_ids: set[str]) -> bool:
        return any(stack.has_trace(trace_id) for trace_id in trace_ids)

    def exemplars() -> set[str]:
        target = next(t for t in targets() if t.panel == "p50, p95 and p99 of requests")
        return {labels["trace_id"] for labels in stack.exemplars(target)}

    def lines() -> set[str]:
        target = next(t for t in targets() if t.panel == "Lines about access")
        return {one["stream"].get("trace_id", "") for one in stack.ask(target)} - {""}

    wait_until(lambda: leads(exemplars()), "an exemplar's trace in Jaeger")
    wait_until(lambda: leads(lines()), "a log line's trace in Jaeger")
