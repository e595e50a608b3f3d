"""PromQL: values quoted, and what a counter gained."""

from __future__ import annotations

import json
import re

# What was not seen for so long before a range counts as new in it.
_GAP_MS = 600_000
_PLAIN = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


def quoted(text: str) -> str:
    """Return a string literal of PromQL and LogQL: Go's, which JSON's escapes are part of."""
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)


def label(name: str) -> str:
    """Return a label's name as a query has it; Prometheus 3 has names of any characters."""
    return name if _PLAIN.match(name) else quoted(name)


def selector(name: str, *matchers: str) -> str:
    """Return the selector of a metric; in this form the name may hold any character."""
    return "{" + ",".join((f"__name__={quoted(name)}", *matchers)) + "}"


def equals(name: str, value: str) -> str:
    """Return the matcher of one value."""
    return f"{label(name)}={quoted(value)}"


def matches(name: str, *values: str, pattern: str = "") -> str:
    """Return the matcher of any of these values, or of a pattern of our own."""
    return f"{label(name)}=~{quoted(pattern or '|'.join(map(re.escape, values)))}"


def differs(name: str, *values: str) -> str:
    """Return the matcher of none of these values."""
    return f"{label(name)}!~{quoted('|'.join(map(re.escape, values)))}"


def gained(series: str, range_ms: int) -> str:
    """Return by how much each counter rose over the last milliseconds.

    increase() extrapolates, and misses what a new series begins with: a route's first
    requests, all of a process that lived for one export. So the difference of the last
    values, the whole value of what is new, and increase() only where a counter began anew.
    """
    at_end = f"last_over_time({series}[{range_ms + _GAP_MS}ms])"
    before = f"last_over_time({series}[{_GAP_MS}ms] offset {range_ms}ms)"
    began_anew = f"(resets({series}[{range_ms}ms]) > 0)"
    return (
        f"((({at_end} - {before}) >= 0) unless {began_anew}"
        f" or ({at_end} unless {began_anew})"
        f" or increase({series}[{range_ms}ms]))"
    )


def sums(series: list[str], range_ms: int, by: str, *, is_whole: bool) -> tuple[str, str]:
    """Return the sums of these series by labels at the end of a range, and before it.

    What counters that are known not to have begun anew (`began_anew`) gained is the difference
    of the two: a third of the work of `gained`, with the same answer. Where none of them has
    ended either (`gone`), the values themselves do, which Prometheus reads in a third of the
    time that it takes to look through a quarter of an hour for the last one.
    """
    if is_whole:
        at_end, before = (
            " or ".join(series),
            " or ".join(f"{s} offset {range_ms}ms" for s in series),
        )
    else:
        at_end = " or ".join(f"last_over_time({s}[{range_ms + _GAP_MS}ms])" for s in series)
        before = " or ".join(
            f"last_over_time({s}[{_GAP_MS}ms] offset {range_ms}ms)" for s in series
        )
    return f"sum by ({by}) ({at_end})", f"sum by ({by}) ({before})"


def summed_gain(series: list[str], range_ms: int, by: str) -> str:
    """Return the sums of what these series gained, by labels, whether they began anew or not."""
    return f"sum by ({by}) ({' or '.join(gained(one, range_ms) for one in series)})"


def began_anew(series: str, range_ms: int) -> str:
    """Return the series that fell within a range, its steps or the gap before it."""
    return f"(resets({series}[{range_ms + range_ms // 50 + 2 * _GAP_MS}ms]) > 0)"


def gone(series: str, range_ms: int) -> str:
    """Return the series that have no value at a range's end or begin, but one shortly before."""
    at_end = f"last_over_time({series}[{range_ms + _GAP_MS}ms]) unless {series}"
    before = f"last_over_time({series}[{_GAP_MS}ms] offset {range_ms}ms)"
    return f"(({at_end}) or ({before} unless {series} offset {range_ms}ms))"
