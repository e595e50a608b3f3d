"""This process's own numbers: what it has written itself, not what others have a place for."""

from __future__ import annotations

from clarity_otel.metrics.breath import BREATH, breathe
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.store import Store


def own_numbers(store: Store) -> list[tuple[Series, float]]:
    """Return each series that this process writes, with its number; no gauge that is not set."""
    with store.lock:
        numbers = store.cells.snapshot()
        places = [item for item in store.directory.places.items() if item[1] in store.own]
    found = []
    for index, (series, place, values) in enumerate(
        [*((series, place, numbers) for series, place in places), *store.apart()]
    ):
        if not index % BREATH:
            breathe()
        if place + series.cells > len(values):
            continue
        if series.kind != "gauge" or values[place + 1]:
            found.append((series, values[place]))
    return found
