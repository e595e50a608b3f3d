"""Meters and instruments of the OpenTelemetry API that become the SDK's when they are used.

Importing the SDK costs 160 ms: contrib instrumentors that make instruments at the start do
not pay it, and neither does the event loop that makes the first measurement. Measurements
wait in a list until the background thread has made the provider; then each instrument's
own method is the SDK's. An app that sets a MeterProvider of its own gets that one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

from opentelemetry import context as contexts
from opentelemetry.metrics import Meter, MeterProvider, NoOpMeter
from opentelemetry.metrics import _internal as api

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics import apart
from clarity_otel.metrics.export.points import Metric, Scope
from clarity_otel.metrics.instruments.meters import DeferredMeter
from clarity_otel.metrics.instruments.observed import Observed
from clarity_otel.metrics.shared.directory import Series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.metrics.instruments.sdk import Provider

# So many measurements wait for the SDK; one more brings it here and now.
WAITING_LIMIT = 2048

_provider: DeferredMeterProvider | None = None


def install() -> None:
    """Answer for the API's global provider, unless the app has set one. Idempotent."""
    global _provider
    if _provider is not None:
        return
    _provider = DeferredMeterProvider()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_provider.after_fork_in_child)
    # The place of the proxy, not of the provider: the app may still set its own.
    if api._METER_PROVIDER is None:
        api._PROXY_METER_PROVIDER = _provider  # type: ignore[assignment]
    else:
        _provider.on_set_meter_provider(api._METER_PROVIDER)


def installed() -> DeferredMeterProvider | None:
    """Return the provider, None before `install`."""
    return _provider


class DeferredMeterProvider(MeterProvider):
    """Thread-safe. A forked child begins at zero with the instruments that it inherits."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._making = threading.Lock()
        self._meters: dict[tuple[Any, ...], DeferredMeter] = {}
        self._waiting: list[tuple[Any, str, float, Any, Any]] = []
        # Whether only we collect, so that callbacks are called by us.
        self.asks_apart = False
        self._has_observables = False
        self._observed: list[Observed] = []
        self._real: Provider | None = None

    # --- the API ---

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Meter:
        """Return a meter; without a name one that does nothing, as the SDK's."""
        if not name:
            return NoOpMeter(name, version=version, schema_url=schema_url)
        scope = (name, version, schema_url, repr(attributes) if attributes else None)
        with self._lock:
            meter = self._meters.get(scope)
            if meter is None:
                # Kept for ever, as in the SDK: one for each scope, however often it is asked.
                meter = self._meters[scope] = DeferredMeter(self, *scope[:3], attributes)
                if self._real is not None:
                    meter.become(self._real)
        return meter

    def on_set_meter_provider(self, meter_provider: MeterProvider) -> None:
        """The app has set its own: it gets all instruments, and our doors read it too."""
        from clarity_otel.metrics.instruments import sdk

        self._become(sdk.adopted(meter_provider))
        self._wake()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Export all metrics now."""
        from clarity_otel import engine

        return engine.force_flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Export all metrics; the engine goes on until the process ends."""
        self.force_flush(timeout_millis)

    # --- instruments ---

    def measure(
        self, instrument: Any, verb: str, amount: float, attributes: Any, context: Any
    ) -> None:
        """Take a measurement of an instrument that may not be the SDK's yet."""
        with never_break_the_app("an instrument of the OpenTelemetry API"):
            with self._lock:
                is_waiting = self._real is None and len(self._waiting) < WAITING_LIMIT
                if is_waiting:
                    # The span of this moment is the exemplar's.
                    where = contexts.get_current() if context is None else context
                    kept = dict(attributes) if attributes else None
                    self._waiting.append((instrument, verb, amount, kept, where))
                    is_first = len(self._waiting) == 1
            if not is_waiting:
                self.ensure_real()
                getattr(instrument.real, verb)(amount, attributes, context)
            elif is_first:
                self._wake()

    def note_observable(self, observed: Iterable[Observed]) -> None:
        """An observable was registered: its callbacks are called with the next collection."""
        self._has_observables = True
        self._observed.extend(observed)
        if self._real is None:
            self._wake()
            with never_break_the_app("the start of metrics"):
                self._get_ready()

    def _get_ready(self) -> None:
        """Where metrics are sent, a script may end before anybody has asked its callbacks."""
        from clarity_otel import engine

        settings = engine.settings()
        if settings is not None and settings.metric_exporters:
            apart.get_ready()

    def _wake(self) -> None:
        with never_break_the_app("the start of metrics"):
            from clarity_otel.patches import serving

            serving.begin_soon()

    # --- the SDK ---

    def is_used(self) -> bool:
        """Whether anybody measures by it."""
        return self._real is not None or self._has_observables or bool(self._waiting)

    def ensure_real(self) -> None:
        """Let all instruments become the SDK's, and take the measurements that wait."""
        if self._real is None:
            with self._making:
                if self._real is None:
                    from clarity_otel.metrics.instruments import sdk

                    self._become(sdk.made())

    def _become(self, real: Provider) -> None:
        with self._lock:
            for meter in self._meters.values():
                meter.become(real)
            self._real, self.asks_apart = real, real.is_ours
            waiting, self._waiting = self._waiting, []
            for instrument, verb, amount, attributes, context in waiting:
                with never_break_the_app("an instrument of the OpenTelemetry API"):
                    getattr(instrument.real, verb)(amount, attributes, context)

    def _provider_in_use(self) -> Provider | None:
        """Return the provider, its callbacks called."""
        if self.is_used():
            self.ensure_real()
        if self.asks_apart:
            apart.ask(self._observed)
        return self._real

    def collect(self, write: Any) -> None:
        """Tell all metrics for /metrics: this is a source."""
        real = self._provider_in_use()
        if real is not None:
            real.show(write)

    def sent(self) -> tuple[list[Metric], list[Scope]]:
        """Return what is to be exported: what joins the catalog's families, and the rest."""
        real = self._provider_in_use()
        return ([], []) if real is None else real.sent()

    def shown_series(self) -> set[Series]:
        """Return the series in the cells that `collect` has told."""
        return set() if self._real is None else self._real.shown_series

    def after_fork_in_child(self) -> None:
        """Forget what the parent has counted."""
        self._lock = threading.RLock()
        self._making = threading.Lock()
        self._waiting = []
        if self._real is not None:
            with never_break_the_app("instruments after a fork"):
                self._real.after_fork_in_child()
