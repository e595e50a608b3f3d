"""DynamoDB: what a call's parameters and its result say, as the contrib extension has it.

A class of our own because loading that one costs 3.6 MB of resident memory in every
process that calls DynamoDB: the contrib package's base classes bring packaging, wrapt
and the names of all semantic conventions with them.
"""

from __future__ import annotations

from typing import Any

from clarity_otel import json_text

_PREFIX = "aws.dynamodb."


def _one(value: Any) -> Any:
    return None if value is None else (value,)


def _keys(value: Any) -> Any:
    return tuple(value) if isinstance(value, dict) else None


def _json_list(value: Any) -> Any:
    return [json_text.spaced(item) for item in value] if isinstance(value, list) else None


def _one_json(value: Any) -> Any:
    return None if value is None else (json_text.spaced(value),)


def _json(value: Any) -> Any:
    return json_text.spaced(value) if isinstance(value, dict) else None


def _length(value: Any) -> Any:
    return None if value is None else len(value)


def _as_it_is(value: Any) -> Any:
    return value


# Attribute (below aws.dynamodb.), path to its value, what is made of the value.
_Row = tuple[str, tuple[str, ...], Any]

_TABLE: tuple[_Row, ...] = (("table_names", ("TableName",), _one),)
_TABLES: tuple[_Row, ...] = (("table_names", ("RequestItems",), _keys),)
_CONSUMED: tuple[_Row, ...] = (("consumed_capacity", ("ConsumedCapacity",), _one_json),)
_CONSUMED_EACH: tuple[_Row, ...] = (("consumed_capacity", ("ConsumedCapacity",), _json_list),)
_COLLECTION: tuple[_Row, ...] = (("item_collection_metrics", ("ItemCollectionMetrics",), _json),)
_THROUGHPUT: tuple[_Row, ...] = (
    (
        "provisioned_read_capacity",
        ("ProvisionedThroughput", "ReadCapacityUnits"),
        _as_it_is,
    ),
    (
        "provisioned_write_capacity",
        ("ProvisionedThroughput", "WriteCapacityUnits"),
        _as_it_is,
    ),
)
_CONSISTENT: tuple[_Row, ...] = (("consistent_read", ("ConsistentRead",), _as_it_is),)
_PROJECTION: tuple[_Row, ...] = (("projection", ("ProjectionExpression",), _as_it_is),)
_SELECTION: tuple[_Row, ...] = (
    ("attributes_to_get", ("AttributesToGet",), _as_it_is),
    *_CONSISTENT,
    ("index_name", ("IndexName",), _as_it_is),
    ("limit", ("Limit",), _as_it_is),
    *_PROJECTION,
    ("select", ("Select",), _as_it_is),
)

# Operation: rows read of the parameters before the span begins, of the parameters once it
# records, of the result.
_OPERATIONS: dict[str, tuple[tuple[_Row, ...], tuple[_Row, ...], tuple[_Row, ...]]] = {
    "BatchGetItem": (_TABLES, (), _CONSUMED_EACH),
    "BatchWriteItem": (_TABLES, (), _CONSUMED_EACH + _COLLECTION),
    "CreateTable": (
        _TABLE,
        (
            ("global_secondary_indexes", ("GlobalSecondaryIndexes",), _json_list),
            ("local_secondary_indexes", ("LocalSecondaryIndexes",), _json_list),
            *_THROUGHPUT,
        ),
        (),
    ),
    "DeleteItem": (_TABLE, (), _CONSUMED + _COLLECTION),
    "DeleteTable": (_TABLE, (), ()),
    "DescribeTable": (_TABLE, (), ()),
    "GetItem": (_TABLE, _CONSISTENT + _PROJECTION, _CONSUMED),
    "ListTables": (
        (),
        (
            ("exclusive_start_table", ("ExclusiveStartTableName",), _as_it_is),
            ("limit", ("Limit",), _as_it_is),
        ),
        (("table_count", ("TableNames",), _length),),
    ),
    "PutItem": (_TABLE, (), _CONSUMED + _COLLECTION),
    "Query": (
        _TABLE,
        (("scan_forward", ("ScanIndexForward",), _as_it_is), *_SELECTION),
        _CONSUMED,
    ),
    "Scan": (
        _TABLE,
        (
            ("segment", ("Segment",), _as_it_is),
            ("total_segments", ("TotalSegments",), _as_it_is),
            *_SELECTION,
        ),
        (
            ("count", ("Count",), _as_it_is),
            ("scanned_count", ("ScannedCount",), _as_it_is),
            *_CONSUMED,
        ),
    ),
    "UpdateItem": (_TABLE, (), _CONSUMED + _COLLECTION),
    "UpdateTable": (
        _TABLE,
        (
            ("attribute_definitions", ("AttributeDefinitions",), _json_list),
            ("global_secondary_index_updates", ("GlobalSecondaryIndexUpdates",), _json_list),
            *_THROUGHPUT,
        ),
        (),
    ),
}


class DynamoDbExtension:
    """One call; the methods are those of the contrib package's extensions."""

    def __init__(self, call_context: Any) -> None:
        self._call = call_context
        self._rows = _OPERATIONS.get(call_context.operation, ((), (), ()))

    def should_trace_service_call(self) -> bool:
        """Every call is traced."""
        return True

    def should_end_span_on_exit(self) -> bool:
        """No result is a stream."""
        return True

    def extract_attributes(self, attributes: dict[str, Any]) -> None:
        """Add what is known before the span begins."""
        from urllib.parse import urlsplit

        attributes["db.system"] = "dynamodb"
        attributes["db.operation"] = self._call.operation
        attributes["net.peer.name"] = urlsplit(self._call.endpoint_url or "").netloc
        _read(self._call.params, self._rows[0], attributes.__setitem__)

    def before_service_call(self, span: Any, instrumentor: Any) -> None:
        """Add what the parameters say."""
        if span.is_recording():
            _read(self._call.params, self._rows[1], span.set_attribute)

    def on_success(self, span: Any, result: Any, instrumentor: Any) -> None:
        """Add what the result says."""
        if span.is_recording():
            _read(result, self._rows[2], span.set_attribute)

    def on_error(self, span: Any, exception: Any, instrumentor: Any) -> None:
        """An error says nothing more."""

    def after_service_call(self, instrumentor: Any) -> None:
        """Nothing is left to do."""


def _read(source: Any, rows: tuple[_Row, ...], set_attribute: Any) -> None:
    for name, path, convert in rows:
        value = source
        for key in path:
            value = value.get(key)
            if value is None:
                break
        if value is not None:
            value = convert(value)
        if value is not None:
            set_attribute(_PREFIX + name, value)
