"""Points of metrics to rows: those that say that there is no value, and how many there may be."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from clarity_otel.receiver.otlp_json import message_of_json
from clarity_otel.store.decode import decode_metrics, decode_payload
from clarity_otel.store.decode import metrics as decoding
from tests.store.messages import pair

KINDS = ["gauge", "sum", "histogram", "exponential_histogram", "summary"]


def request_of(kind: str) -> tuple[ExportMetricsServiceRequest, Any]:
    """Return a request with one metric, and its data."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    data = getattr(metric, kind)
    data.SetInParent()
    return request, data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_json", [False, True])
def test_a_point_without_a_recorded_value_is_none(kind: str, is_json: bool) -> None:
    """A Collector sends it for a target that went stale: neither a zero nor refused."""
    request, data = request_of(kind)
    for at, flags in enumerate((0, 1, 2, 3)):
        data.data_points.add(time_unix_nano=at, flags=flags)
    if is_json:
        payload = json_format.MessageToJson(request).encode()
        decoded = decode_metrics(message_of_json(ExportMetricsServiceRequest, payload), 1)
    else:
        payload = request.SerializeToString()
        decoded = decode_payload("metrics", payload, ExportMetricsServiceRequest, decode_metrics)
    batch, refused, why = decoded
    assert [row[0] for row in batch.rows["metric_points"]] == [0, 2]
    assert (refused, why) == (0, "")


class TestTooMany:
    @pytest.mark.parametrize("kind", KINDS)
    def test_more_points_than_memory_should_hold(self, kind: str) -> None:
        """Two bytes on the wire are many in memory: such a request is refused, at once."""
        request, _ = request_of(kind)
        metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
        # Two bytes each, as a field of the data: 1,073 bytes of gzip.
        data = b"\x0a\x00" * (1 << 19)
        getattr(metric, kind).MergeFromString(data)
        with pytest.raises(ValueError, match="131,072 points"):
            decode_metrics(request, 1)

    @pytest.mark.parametrize("part", ["resource", "metric", "exemplar", "quantile", "attribute"])
    def test_all_that_takes_memory_counts(self, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Empty ones as well; what is just within the bound is taken."""
        monkeypatch.setattr(decoding, "_MOST_VALUES", 1000)
        request, data = request_of("summary" if part == "quantile" else "gauge")
        point = data.data_points.add()
        adds = {
            "resource": lambda _: request.resource_metrics.add(),
            "metric": lambda _: request.resource_metrics[0].scope_metrics[0].metrics.add(),
            "exemplar": lambda _: point.exemplars.add(),
            "quantile": lambda _: point.quantile_values.add(),
            "attribute": lambda at: point.attributes.append(pair(f"k{at}", at)),
        }
        for number in range(40):
            adds[part](number)
        decode_metrics(request, 1)
        for number in range(40, 1000):
            adds[part](number)
        with pytest.raises(ValueError, match="more than memory should"):
            decode_metrics(request, 1)

    def test_what_real_senders_send_is_taken(self) -> None:
        """A Collector's batch has 8,192 points; here are twice as many, with ten attributes."""
        request, data = request_of("gauge")
        for number in range(16_384):
            point = data.data_points.add(time_unix_nano=number)
            point.attributes.extend(pair(f"key{at}", "x") for at in range(10))
        assert sum(values for values, _ in decoding._sizes(request)) == 163_840
        decoding._refuse_too_many(request)
