"""AWS calls: durations, retries, and DynamoDB as the database that it is."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from clarity_otel.engine.sdk.measured import around, database, instruments


class Call:
    """One API call that has begun."""

    def __init__(self, client: Any, operation: str) -> None:
        self._began_s = perf_counter()
        model = client.meta.service_model
        self._service = str(getattr(model, "service_id", model.service_name))
        self._operation = operation

    def ended(self, result: Any, exception: BaseException | None = None) -> None:
        """Count it; one that was cancelled is none."""
        if exception is not None and not instruments.is_failure(exception):
            return
        seconds = perf_counter() - self._began_s
        response = result if exception is None else getattr(exception, "response", None)
        metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
        status = metadata.get("HTTPStatusCode", 0)
        retries = metadata.get("RetryAttempts", 0)
        if exception is not None and response is None:
            retries = retries_before(exception)
        instruments.add("clarity.client.retries", retries, {"client": "aws"})
        # Below 400 botocore raises, but nothing failed.
        failure = None if 100 <= status < 400 else exception
        if self._service == "DynamoDB":
            database.count("aws.dynamodb", self._operation, seconds, failure)
        labels = {
            "rpc.system.name": "aws-api",
            "rpc.method": f"{self._service}/{self._operation}",
            "http.response.status_code": status,
            "error.type": "" if failure is None else instruments.type_name(failure),
        }
        instruments.observe("rpc.client.call.duration", seconds, labels)


def retries_before(exception: BaseException) -> int:
    """Return how often a call was tried again that failed without a response.

    botocore tells nobody, but the frame that did it is in the traceback.
    """
    place = exception.__traceback__
    while place is not None:
        if place.tb_frame.f_code.co_name == "_send_request":
            return int(place.tb_frame.f_locals.get("attempts", 1)) - 1
        place = place.tb_next
    return 0


def _begin(client: Any, operation_name: str, api_params: Any) -> Call:
    return Call(client, operation_name)


def counted(original: Any) -> Any:
    """Return a blocking `_make_api_call` that is counted."""
    return around.blocking(original, _begin, "aws")


def counted_async(original: Any) -> Any:
    """The same of aiobotocore."""
    return around.awaited(original, _begin, "aws")
