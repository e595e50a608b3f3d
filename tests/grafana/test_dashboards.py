"""The committed files: what they name exists, what they draw has its place."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.stack.alerts.rule import RUNBOOKS_URL
from clarity_otel.stack.grafana import datasources
from clarity_otel.stack.grafana.pages import DASHBOARDS as PAGES
from clarity_otel.stack.grafana.panel import Panel
from clarity_otel.stack.grafana.promql import rate, value
from tests.backends.build import UnavailableError
from tests.backends.prometheus import prometheus_binary
from tests.conftest import not_tested
from tests.grafana.files import ALL, DASHBOARDS, GRAFANA, VARIABLE, filled, panels, targets

# What Prometheus itself keeps.
PROMETHEUS_OWN = {"up", "ALERTS"}
# What Grafana fills in by itself.
GRAFANA_OWN = {"__rate_interval", "__range", "__auto", "__data", "__url_time_range"}
COLUMNS = 24

everywhere = pytest.mark.parametrize("name", DASHBOARDS)


def test_the_files_are_what_the_data_makes() -> None:
    """Twice the same text, and the committed one; nothing beside it."""
    pytest.importorskip("grafana_foundation_sdk", reason="of the development group `grafana`")
    from clarity_otel.stack.grafana.generate import files

    written = files()
    assert written == files()
    committed = {
        str(path.relative_to(GRAFANA)): path.read_text()
        for path in GRAFANA.rglob("*")
        if path.is_file()
    }
    assert committed == written


def test_the_data_needs_no_sdk_of_grafana() -> None:
    """Only build.py and variables.py do, which the generator alone imports."""
    code = (
        "import sys; sys.modules['grafana_foundation_sdk'] = None\n"
        "from clarity_otel.stack.grafana.pages import DASHBOARDS; print(len(DASHBOARDS))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("6\n", "")


def test_every_metric_is_in_the_catalog() -> None:
    """By the name that /metrics shows: of a histogram a bucket, the sum or the count."""
    known = {
        f"{family.prometheus_name}{suffix}"
        for family in CATALOG
        for suffix in (("_bucket", "_sum", "_count") if family.buckets else ("",))
    }
    texts = [t.text for t in targets() if not t.is_log]
    for page in DASHBOARDS.values():
        texts += [a["expr"] for a in page["annotations"]["list"]]
        texts += [v["definition"] for v in page["templating"]["list"] if v["type"] == "query"]
    named = {name for text in texts for name in re.findall(r"([A-Za-z_:][\w:]*)\{", text)}
    assert len(named) > 60
    assert named - known == PROMETHEUS_OWN


def test_every_metric_is_on_a_dashboard() -> None:
    """What is kept can be seen: each family of the catalog has a query of a panel."""
    shown = {name for t in targets() for name in re.findall(r"([A-Za-z_:][\w:]*)\{", t.text)}
    unseen = [
        family.prometheus_name
        for family in CATALOG
        if not {f"{family.prometheus_name}{suffix}" for suffix in ("", "_bucket", "_sum", "_count")}
        & shown
    ]
    assert unseen == []


def test_prometheus_parses_every_query(tmp_path: Path) -> None:
    """Its own parser: a query is the expression of a recording rule."""
    try:
        promtool = prometheus_binary("promtool")
    except UnavailableError as reason:
        not_tested(reason, "that Prometheus parses every query of the dashboards")
    texts = {filled(t.text, 3600, 15) for t in targets() if not t.is_log}
    rules = [{"record": f"query:{n}", "expr": text} for n, text in enumerate(sorted(texts))]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    run = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert f"{len(rules)} rules found" in run.stdout


@everywhere
def test_every_panel_says_what_it_shows(name: str) -> None:
    """A title of its own in its row, a sentence, a unit, and that of each column."""
    for panel in panels(name):
        where = f"{name}: {panel['title']}"
        assert panel["title"], where
        assert panel["description"].endswith("."), where
        assert panel["fieldConfig"]["defaults"]["unit"], where
        if panel["type"] == "table":
            columns = set(panel["transformations"][1]["options"]["renameByName"].values())
            units = {
                override["matcher"]["options"]: override["properties"][0]
                for override in panel["fieldConfig"]["overrides"]
            }
            assert set(units) == columns, where
            assert all(unit["id"] == "unit" and unit["value"] for unit in units.values()), where
    for row in next(page for page in PAGES if page.name == name).rows:
        titles = [panel.title for panel in row.panels]
        assert len(set(titles)) == len(titles), row.title


def test_every_metric_has_one_unit() -> None:
    """Durations are seconds, sizes bytes and shares percent on every page."""
    units: dict[str, set[str]] = {}
    for page in PAGES:
        for query in (q for panel in page.panels for q in panel.queries):
            units.setdefault(query.text, set()).add(query.unit)
    assert [text for text, found in units.items() if len(found) > 1] == []


@everywhere
def test_no_two_panels_overlap(name: str) -> None:
    """And each stands within the grid; rows are panels too."""
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0, panel["title"]
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len(set(ids)) == len(ids)


def strings(thing: Any) -> list[str]:
    """All text in a JSON value."""
    if isinstance(thing, dict):
        return [text for item in thing.values() for text in strings(item)]
    if isinstance(thing, list):
        return [text for item in thing for text in strings(item)]
    return [thing] if isinstance(thing, str) else []


@everywhere
def test_every_variable_resolves(name: str) -> None:
    """What is named is declared, and what is declared is used."""
    declared = {variable["name"] for variable in DASHBOARDS[name]["templating"]["list"]}
    named = set(VARIABLE.findall(" ".join(strings(DASHBOARDS[name]))))
    assert named - GRAFANA_OWN - {"__all"} == declared
    assert {"prometheus", "service", "instance"} <= declared
    for variable in DASHBOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            assert ALL[variable["name"]] == variable["allValue"]


def test_route_and_model_narrow_what_has_them() -> None:
    """Requests by route wherever they stand, predictions by model; nothing else."""
    narrowed = {
        "http_route": {f.prometheus_name for f in CATALOG if "http_route" in f.label_names},
        "model": {f.prometheus_name for f in CATALOG if "model" in f.label_names},
    }
    for label, families in narrowed.items():
        variable = f'{label}=~"${label.removeprefix("http_")}"'
        for target in targets():
            for found, matchers in re.findall(r"([A-Za-z_:][\w:]*)\{([^}]*)\}", target.text):
                stem = re.sub("_(bucket|sum|count)$", "", found)
                assert (variable in matchers) == (stem in families), str(target)


@everywhere
def test_every_link_leads_somewhere(name: str) -> None:
    """To a dashboard of ours, with variables that it has and fields that the panel has."""
    (menu,) = DASHBOARDS[name]["links"]
    assert menu["tags"] == ["clarity"]
    assert "clarity" in DASHBOARDS[name]["tags"]
    by_uid = {page["uid"]: page for page in DASHBOARDS.values()}
    for panel in panels(name):
        for link in panel["fieldConfig"]["defaults"].get("links", []):
            if link["url"].startswith(RUNBOOKS_URL):
                assert panel["targets"][0]["expr"].startswith("count by (alertname,")
                continue
            uid = re.match(r"/d/([\w-]+)\?", link["url"])
            assert uid, link["url"]
            declared = {v["name"] for v in by_uid[uid[1]]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)=", link["url"])) <= declared
            for field in re.findall(r"__data\.fields\.(\w+)", link["url"]):
                assert f"by ({field}" in panel["targets"][0]["expr"], link["url"]


def test_the_data_sources_lead_to_each_other() -> None:
    """From an exemplar and a log line to the trace, and from a span to its lines."""
    path = GRAFANA / "provisioning" / "datasources" / "clarity.yml"
    found = {one["uid"]: one for one in yaml.safe_load(path.read_text())["datasources"]}
    prometheus, loki, jaeger = (
        found[uid]["jsonData"]
        for uid in (datasources.PROMETHEUS, datasources.LOKI, datasources.JAEGER)
    )
    (exemplars,) = prometheus["exemplarTraceIdDestinations"]
    assert exemplars == {"name": "trace_id", "datasourceUid": datasources.JAEGER}
    (derived,) = loki["derivedFields"]
    assert found[derived["datasourceUid"]]["type"] == "jaeger"
    # A single dollar would be an environment variable of Grafana's.
    assert derived["url"] == "$${__value.raw}"
    assert found[jaeger["tracesToLogsV2"]["datasourceUid"]]["type"] == "loki"
    assert re.findall(r"(?<!\$)\$\{", jaeger["tracesToLogsV2"]["query"]) == []
    assert [one["type"] for one in found.values() if one.get("isDefault")] == ["prometheus"]
    assert not any({"password", "secureJsonData", "basicAuth"} & set(one) for one in found.values())


def test_the_provider_finds_the_dashboards() -> None:
    """One folder, whose files are not changed in Grafana."""
    path = GRAFANA / "provisioning" / "dashboards" / "clarity.yml"
    (one,) = yaml.safe_load(path.read_text())["providers"]
    assert one["options"]["path"].endswith("/dashboards")
    assert one["allowUiUpdates"] is False


def test_a_query_that_the_catalog_does_not_know_is_refused() -> None:
    """A label, a rate of a gauge, a join that nobody decided, two units on one axis."""
    with pytest.raises(ValueError, match="has no label nothing"):
        rate("http.server.request.duration", "nothing")
    with pytest.raises(ValueError, match="has a value, and no rate"):
        rate("clarity.ml.queue.size")
    with pytest.raises(ValueError, match="say how instances are joined"):
        value("clarity.ml.model.accuracy", "model")
    with pytest.raises(KeyError):
        value("clarity.no_such_metric")
    queries = (rate("clarity.sessions"), value("clarity.ml.model.accuracy", how="min"))
    with pytest.raises(ValueError, match="needs one unit"):
        Panel("x", queries, "X.")


def test_instances_are_joined_by_the_catalog_s_rule() -> None:
    """Counters and parts are added; each machine's own counter is counted once."""
    assert rate("clarity.sessions").text.startswith("sum(rate(")
    assert rate("system.disk.io", "instance").text.startswith("max by (instance) (rate(")
    assert value("clarity.ml.queue.size", "model").text.startswith("sum by (model) (")
    assert value("clarity.pipeline.queue.utilization").text.startswith("max(")
    assert value("clarity.process.file_descriptor.limit").text.startswith("min(")


@everywhere
def test_every_dashboard_is_in_the_document(name: str) -> None:
    """Its file and its picture, which is small enough to lie in a repository."""
    docs = GRAFANA.parents[1] / "docs"
    text = (docs / "grafana.md").read_text()
    assert f"`{name}.json`" in text
    picture = f"pictures/grafana-{name}.png"
    assert f"]({picture})" in text
    assert 10_000 < (docs / picture).stat().st_size < 150_000
