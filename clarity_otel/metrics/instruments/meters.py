"""Meters and instruments that become the SDK's when the provider says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.metrics import (
    CallbackT,
    Counter,
    Histogram,
    Meter,
    NoOpMeter,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.metrics import _Gauge as Gauge

from clarity_otel import diagnostics
from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.instruments.observed import Observed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.metrics.instruments.deferred import DeferredMeterProvider
    from clarity_otel.metrics.instruments.sdk import Provider


class DeferredMeter(Meter):
    """Makes instruments."""

    def __init__(
        self,
        provider: DeferredMeterProvider,
        name: str,
        version: str | None,
        schema_url: str | None,
        attributes: Any,
    ) -> None:
        super().__init__(name, version, schema_url)
        self._provider = provider
        self._attributes = attributes
        self._instruments: dict[tuple[str, ...], Any] = {}
        self._real: Meter | None = None
        self._nothing = NoOpMeter(name, version, schema_url)

    def become(self, provider: Provider) -> None:
        """Make all instruments those of `provider`. Under the provider's lock."""
        self._real = provider.meter(self.name, self.version, self.schema_url, self._attributes)
        for instrument in self._instruments.values():
            instrument.become(self._real)

    def _made(self, instrument: Any, nothing: Any) -> Any:
        if instrument.is_valid is False:
            diagnostics.warn(
                f"an instrument of the meter {self.name} counts nothing: OpenTelemetry allows "
                "no such name, or no such unit."
            )
            return nothing
        with self._provider._lock:
            known = self._instruments.setdefault(instrument.key(), instrument)
            if known is not instrument:
                return known  # one that is made for each request is one, as in the SDK
            if self._real is not None:
                instrument.become(self._real)
        if isinstance(instrument, _Observable):
            self._provider.note_observable(instrument.observed)
        return instrument

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """See the API's `create_counter`."""
        counter = _Counter(self._provider, "create_counter", name, unit, description)
        return self._made(counter, self._nothing.create_counter(name))  # type: ignore[no-any-return]

    def create_up_down_counter(
        self, name: str, unit: str = "", description: str = ""
    ) -> UpDownCounter:
        """See the API's `create_up_down_counter`."""
        counter = _UpDownCounter(self._provider, "create_up_down_counter", name, unit, description)
        return self._made(  # type: ignore[no-any-return]
            counter, self._nothing.create_up_down_counter(name)
        )

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """See the API's `create_histogram`. One of the catalog has the catalog's buckets."""
        family = BY_NAME.get(name)
        if family is not None and family.buckets:
            explicit_bucket_boundaries_advisory = family.buckets
        histogram = _Histogram(
            self._provider,
            "create_histogram",
            name,
            unit,
            description,
            explicit_bucket_boundaries_advisory=explicit_bucket_boundaries_advisory,
        )
        return self._made(  # type: ignore[no-any-return]
            histogram, self._nothing.create_histogram(name)
        )

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        """See the API's `create_gauge`."""
        gauge = _Gauge(self._provider, "create_gauge", name, unit, description)
        return self._made(gauge, self._nothing.create_gauge(name))  # type: ignore[no-any-return]

    def create_observable_counter(
        self,
        name: str,
        callbacks: Sequence[CallbackT] | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableCounter:
        """See the API's `create_observable_counter`."""
        counter = _ObservableCounter(
            self._provider, "create_observable_counter", name, callbacks, unit, description
        )
        return self._made(  # type: ignore[no-any-return]
            counter, self._nothing.create_observable_counter(name)
        )

    def create_observable_up_down_counter(
        self,
        name: str,
        callbacks: Sequence[CallbackT] | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableUpDownCounter:
        """See the API's `create_observable_up_down_counter`."""
        counter = _ObservableUpDownCounter(
            self._provider, "create_observable_up_down_counter", name, callbacks, unit, description
        )
        return self._made(  # type: ignore[no-any-return]
            counter, self._nothing.create_observable_up_down_counter(name)
        )

    def create_observable_gauge(
        self,
        name: str,
        callbacks: Sequence[CallbackT] | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableGauge:
        """See the API's `create_observable_gauge`."""
        gauge = _ObservableGauge(
            self._provider, "create_observable_gauge", name, callbacks, unit, description
        )
        return self._made(  # type: ignore[no-any-return]
            gauge, self._nothing.create_observable_gauge(name)
        )


class _Deferred:
    """What deferred instruments have in common. `real` is the SDK's, once it is there."""

    real: Any = None
    # Its way to measure, by the API's name.
    verb = ""

    def _describe(self, maker: str, name: str, unit: str, description: str) -> None:
        checked = Counter._check_name_unit_description(name, unit, description)
        self.is_valid = checked["name"] is not None and checked["unit"] is not None
        self._maker = maker
        self._arguments = (name,)
        self._options: dict[str, Any] = {"unit": unit, "description": description}

    def key(self) -> tuple[str, ...]:
        """Return what makes two instruments of a meter one."""
        unit, description = self._options["unit"], self._options["description"]
        return (self._maker, self._arguments[0].lower(), str(unit), str(description))

    def become(self, meter: Meter) -> None:
        """Let the SDK's do the work."""
        with never_break_the_app("an instrument of the OpenTelemetry API"):
            self.real = getattr(meter, self._maker)(*self._arguments, **self._options)
            if self.verb:
                # From now on a call costs what it costs in the SDK.
                setattr(self, self.verb, getattr(self.real, self.verb))


class _Synchronous(_Deferred):
    def __init__(
        self,
        provider: DeferredMeterProvider,
        maker: str,
        name: str,
        unit: str,
        description: str,
        **options: Any,
    ) -> None:
        self._provider = provider
        self._describe(maker, name, unit, description)
        self._options.update(options)

    def _measure(self, amount: float, attributes: Any, context: Any) -> None:
        self._provider.measure(self, self.verb, amount, attributes, context)


class _Counter(_Synchronous, Counter):
    verb = "add"

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        self._measure(amount, attributes, context)


class _UpDownCounter(_Synchronous, UpDownCounter):
    verb = "add"

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        self._measure(amount, attributes, context)


class _Histogram(_Synchronous, Histogram):
    verb = "record"

    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        self._measure(amount, attributes, context)


class _Gauge(_Synchronous, Gauge):
    verb = "set"

    def set(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        self._measure(amount, attributes, context)


class _Observable(_Deferred):
    observed: Sequence[Observed] = ()

    def __init__(
        self,
        provider: DeferredMeterProvider,
        maker: str,
        name: str,
        callbacks: Sequence[CallbackT] | None,
        unit: str,
        description: str,
    ) -> None:
        self._describe(maker, name, unit, description)
        with never_break_the_app("an instrument of the OpenTelemetry API"):
            self.observed = [Observed(provider, name, callback) for callback in callbacks or ()]
        self._options["callbacks"] = self.observed


class _ObservableCounter(_Observable, ObservableCounter):
    pass


class _ObservableUpDownCounter(_Observable, ObservableUpDownCounter):
    pass


class _ObservableGauge(_Observable, ObservableGauge):
    pass
