"""What Clarity OTel has cost since the last look, in CPU seconds of this process.

The cost is added up from
- spans, by number, at `SPAN_S`: what one cost in paired runs in one process (server 3.9 us,
  Redis 1.5, AWS 8, a user's 1.2), on a machine as fast as this one turns out to be; and what
  the app sets on them, which differs a hundredfold, by samples: the calls on one span a second
  are timed (`native/src/self_timing.rs`);
- log records, by number, at the median of the last samples, of one a second at most;
- the thread that sends, by the kernel's count.

It is what leaving something out can lessen. What a request pays for colder caches is not in
it (over sockets that is as much again), nor the thread of the metrics, whose cost goes by
the number of series.
"""

from __future__ import annotations

import random
import time

from clarity_otel import engine
from clarity_otel.cost.exporter import ExporterThread
from clarity_otel.masking import mask_text

SPAN_S = 3.0e-6
# What of it the calls take that are timed: the writing of an ended span without attributes of
# the app's took 0.2 to 0.5 us.
SPAN_CALLS_S = 0.5e-6
LOG_RECORD_S = 2.0e-6
# Of a span's cost, what is paid although sampling leaves it out in the end.
_UNSAMPLED = 0.7
# The share of a core that a process is taken to use at least: what is next to nothing
# hurts nobody, however much of it is ours. 250 requests a second of a small app, each with a
# log record, take 5% of a core, and telemetry 0.6 of it where the machine is busy: with a tenth
# of a core for this they would lose most of their traces.
LEAST_CPU = 0.25
# Of so many samples of a record's cost the median counts: one that a page fault, a collection
# of garbage or a stolen core came upon takes twenty times as long.
_SAMPLES = 15
# Of spans the mean counts, for one in ten may have all the attributes; but for the slowest two,
# which something else came upon.
_SPAN_SAMPLES, _SLOWEST = 30, 2
# The one that is timed begins after up to so many others: the first after a pause is mostly the
# first of a request, and never what that does.
_PASSED = 64

# The yardstick: a text that is looked at and holds nothing, and its time on the machine
# that SPAN_S comes from (AMD EPYC, 2 cores; see README.md).
_PLAIN = (
    "order 4711: a red lamp for 12.50, sent to the warehouse in Hamburg within 2 days, "
    "as the customer has asked us to do"
)
_PLAIN_S = 0.6e-6
_TIMES, _ROUNDS = 200, 5


class Meter:
    """Reads the counters. `sampled_share` is the share of spans that sampling keeps."""

    def __init__(self) -> None:
        self.sampled_share = 1.0
        self._slowness = slowness()
        # Of a log record; before the first, what one is taken to cost.
        self._samples_s: tuple[float, ...] = (LOG_RECORD_S * self._slowness,)
        self._span_samples_s: tuple[float, ...] = ()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start from what is now: at the beginning, and in a forked child."""
        self._exporter = ExporterThread()
        self._exporter.spent_s()
        self._cpu_s = time.process_time()
        self._at_s = time.monotonic()
        self._made = _made()

    def read(self) -> tuple[float, float]:
        """Return the cost since the last look, and the CPU time that it is a share of."""
        cpu_s, at_s, made = time.process_time(), time.monotonic(), _made()
        spans, records = made[0] - self._made[0], made[1] - self._made[1]
        # With a ratio, most of the cost of those that are not kept was paid. How many they
        # are is taken from the ratio: where much fails, and is kept, that is too many.
        left_out = spans / self.sampled_share - spans if self.sampled_share else 0.0
        self._look_at_the_span()
        calls_s = (spans + left_out * _UNSAMPLED) * SPAN_S * self._slowness
        calls_s += spans * self._set_by_the_app_s()
        samples_s = sorted(self._samples_s)
        calls_s += records * samples_s[len(samples_s) // 2]
        cost_s = calls_s + self._exporter.spent_s()
        base_s = max(cpu_s - self._cpu_s, (at_s - self._at_s) * LEAST_CPU)
        self._cpu_s, self._at_s, self._made = cpu_s, at_s, made
        self._sample()
        return cost_s, base_s

    def _look_at_the_span(self) -> None:
        """Take what was timed since the last look, and have another span timed."""
        from clarity_otel import _native

        took_ns = _native.timed_span()
        if took_ns is not None:
            self._span_samples_s = (*self._span_samples_s, took_ns / 1e9)[-_SPAN_SAMPLES:]
        _native.time_next_span(random.randrange(_PASSED))

    def _set_by_the_app_s(self) -> float:
        """Return what a span costs on the average beyond `SPAN_S`."""
        samples_s = sorted(self._span_samples_s)[:-_SLOWEST]
        if not samples_s:
            return 0.0
        return max(sum(samples_s) / len(samples_s) - SPAN_CALLS_S * self._slowness, 0.0)

    def _sample(self) -> None:
        """Have the next log record timed."""
        from clarity_otel.logs import otlp

        otlp.time_next(self._told)

    def _told(self, took_s: float) -> None:
        self._samples_s = (*self._samples_s, took_s)[-_SAMPLES:]


def slowness() -> float:
    """Return how slow this machine is, beside the one that the constants come from."""
    best_s = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_TIMES):
            mask_text(_PLAIN)
        best_s = min(best_s, time.perf_counter() - began)
    return best_s / _TIMES / _PLAIN_S


def _made() -> tuple[int, int]:
    stats = engine.stats()
    return stats.get("made", 0), stats.get("logs.made", 0)
