"""What we write in JSON beside the app's own calls is not made by functions the app may replace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clarity_otel.logs import passthrough
from clarity_otel.metrics.shared.directory import Directory, Series
from clarity_otel.metrics.shared.store import Store
from clarity_otel.patches.aws_dynamodb import DynamoDbExtension


def new_series(folder: Path) -> object:
    """A first measurement enters the directory of the service, and another process reads it."""
    series = Series("counter", "orders", "orders_total", (("route", "/"),), "Help.", "sum")
    Store(folder).place([series])
    return series in Directory(folder / "directory").places


def dynamodb_call(_: Path) -> object:
    """A call's attributes that are JSON."""
    context: Any = SimpleNamespace(operation="Query", params={"TableName": "t"}, endpoint_url="")
    told: dict[str, object] = {}
    span: Any = SimpleNamespace(is_recording=lambda: True, set_attribute=told.__setitem__)
    DynamoDbExtension(context).on_success(span, {"ConsumedCapacity": {"Units": 1}}, None)
    return told["aws.dynamodb.consumed_capacity"] == ('{"Units": 1}',)


def line_of_json(_: Path) -> object:
    """A line that the app has made by itself, masked and with the ids of its request."""
    text = '{"password": "hunter2",\n "name": "é"}'
    fields = passthrough.json_object(text)
    assert fields is not None
    line = passthrough.line(text, fields, ("trace", "span", "correlation"))
    return '"name":"é","correlation_id":"correlation"' in line and "hunter2" not in line


@pytest.mark.parametrize("write", [new_series, dynamodb_call, line_of_json])
def test_the_apps_own_json_is_not_called(
    write: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test of the app that watches or replaces json.dumps and json.loads sees its own calls."""
    seen: list[object] = []
    with monkeypatch.context() as replaced:
        for name in ("dumps", "loads"):
            replaced.setattr(json, name, lambda *given, **_: seen.append(given))
        done = write(tmp_path)
    assert done
    assert seen == []
