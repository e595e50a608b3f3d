"""OTLP to masked rows: protobuf payloads natively, messages in Python.

`payload` takes protobuf as it came in. The other files, one a signal, take the official
message: what JSON becomes, metrics, and all where the extension is missing. Both give the
rows with the number of items that were refused, and why (OTLP's partial success). All text
is masked here: senders in other languages have no masker of ours.
"""

from clarity_otel.store.decode.logs import decode_logs
from clarity_otel.store.decode.metrics import decode_metrics
from clarity_otel.store.decode.payload import NATIVE, decode_payload
from clarity_otel.store.decode.spans import decode_spans

__all__ = ["NATIVE", "decode_logs", "decode_metrics", "decode_payload", "decode_spans"]
