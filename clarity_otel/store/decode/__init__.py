"""OTLP messages to masked rows, one file a signal.

Each takes the official message and gives the rows with the number of items that were
refused, and why (OTLP's partial success). All text is masked here: senders in other
languages have no masker of ours.
"""

from clarity_otel.store.decode.logs import decode_logs
from clarity_otel.store.decode.metrics import decode_metrics
from clarity_otel.store.decode.spans import decode_spans

__all__ = ["decode_logs", "decode_metrics", "decode_spans"]
