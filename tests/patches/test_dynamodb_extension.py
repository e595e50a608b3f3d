"""DynamoDB's attributes are those of the contrib package's extension, call for call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.botocore import extensions
from opentelemetry.instrumentation.botocore.extensions import dynamodb

from clarity_otel.patches.aws_calls import CONTRIB_EXTENSIONS
from clarity_otel.patches.aws_dynamodb import _OPERATIONS, DynamoDbExtension
from tests.backends.aws_server import AwsServer
from tests.backends.process import Process


class NotedSpan:
    """Takes attributes in order; one that does not record takes none."""

    def __init__(self, recording: bool) -> None:
        self.recording = recording
        self.attributes: list[tuple[str, Any]] = []

    def is_recording(self) -> bool:
        return self.recording

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes.append((key, value))


NAMES = sorted(
    {
        name
        for operation in dynamodb._OPERATION_MAPPING.values()
        for rows in (
            operation.start_attributes,  # type: ignore[attr-defined, unused-ignore]
            operation.request_attributes,  # type: ignore[attr-defined, unused-ignore]
            operation.response_attributes,  # type: ignore[attr-defined, unused-ignore]
        )
        for path, _ in (rows or {}).values()
        for name in ([path] if isinstance(path, str) else path[:1])
    }
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
throughput = st.fixed_dictionaries(
    {}, optional={"ReadCapacityUnits": anything, "WriteCapacityUnits": anything}
)
parameters = st.fixed_dictionaries(
    {},
    optional={
        name: throughput | anything if name == "ProvisionedThroughput" else anything
        for name in NAMES
    },
)
operations = st.sampled_from([*dynamodb._OPERATION_MAPPING, "DescribeLimits"])


def told(extension: Any, recording: bool, result: Any) -> list[Any]:
    """What an extension sets at each step, and the type of what it raises."""
    span = NotedSpan(recording)
    attributes: dict[str, Any] = {}
    raised = []
    for step in (
        lambda: extension.extract_attributes(attributes),
        lambda: extension.before_service_call(span, None),
        lambda: extension.on_success(span, result, None),
        lambda: extension.on_error(span, None, None),
        lambda: extension.after_service_call(None),
    ):
        try:
            step()
        except Exception as error:
            raised.append(type(error))
        else:
            raised.append(None)
    verdicts = extension.should_trace_service_call(), extension.should_end_span_on_exit()
    return [list(attributes.items()), span.attributes, raised, verdicts]


# How long an example takes is the machine's matter.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations, parameters, parameters, st.booleans())
def test_same_attributes_in_the_same_order(
    operation: str, params: dict[str, Any], result: dict[str, Any], recording: bool
) -> None:
    """For any parameters and results, also such as AWS would refuse."""
    endpoint = "http://127.0.0.1:8000/path"
    context: Any = SimpleNamespace(operation=operation, params=params, endpoint_url=endpoint)
    contrib = dynamodb._DynamoDbExtension(context)
    assert told(DynamoDbExtension(context), recording, result) == told(contrib, recording, result)


def test_operations_are_the_same() -> None:
    """An operation that the contrib package learns is one for us to add."""
    assert set(_OPERATIONS) == set(dynamodb._OPERATION_MAPPING)


@pytest.mark.parametrize("table", ["_BOTOCORE_EXTENSIONS", "_AIOBOTOCORE_EXTENSIONS"])
def test_contrib_is_asked_for_every_service_that_it_knows(table: str) -> None:
    """A service that the contrib package learns is one for us to name."""
    known = set(getattr(extensions, table))
    assert known - {"dynamodb"} <= CONTRIB_EXTENSIONS
    if table == "_BOTOCORE_EXTENSIONS":
        assert known == {*CONTRIB_EXTENSIONS, "dynamodb"}


SCRIPT = """
import sys
import boto3

boto3.client("dynamodb").list_tables()
boto3.client("s3").list_buckets()
heavy = ("opentelemetry.instrumentation", "opentelemetry.semconv", "packaging", "wrapt")
print([name for name in heavy if name in sys.modules])
"""


def test_contrib_is_not_imported_for_dynamodb_and_s3(
    aws_server: AwsServer, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """Its package costs 3.6 MB of resident memory, and has nothing for these two."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    launcher = Path(sys.executable).parent / "clarity-instrument"
    env = {**aws_server.env, "OTEL_TRACES_EXPORTER": "none", "OTEL_SERVICE_NAME": "script"}
    process = run_process([launcher, sys.executable, script], env=env)
    assert process.wait(60) == 0, process.output
    assert process.stdout == "[]\n"
