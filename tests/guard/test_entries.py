"""Every function of the native module that Python calls is guarded, or listed with the reason.

`test_faults` makes each guarded place fail; this finds an entry that has no guard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "native" / "src"

# What holds a panic back: the guard of an entry, and the maskers', which closes the text.
GUARDS = ("guard::run", "guarded(", "closed(")

# Where each entry without a guard stands, by the reason why a panic in it reaches no app.
UNGUARDED = {
    "reads a field, or the ContextVar": """
        asgi/request.rs: counts_messages span
        context.rs: context_detach context_get_value context_variable
        log_line.rs: on_first_request span_log_ids
        module.rs: on_first_span
        propagator.rs: fields
        span.rs: __class_getitem__ __enter__ __repr__ attributes context correlation_id
        span.rs: dropped_attributes dropped_events dropped_links end_time is_recording
        span.rs: kind kind_value name resource scope_id start_time status_parts
        span.rs: instrumentation_scope status
    """,
    "is asked by span processors, whose calls are guarded": """
        span.rs: event_parts events link_parts links parent to_json
    """,
    "is called at a start or an end, inside Python's guard": """
        aws.rs: new
        byte_search.rs: new
        export_settings.rs: exporter_target
        idle.rs: new idle_function
        log_line.rs: configure_logs
        log_record/bodies.rs: set_log_bodies
        log_record/mod.rs: configure_log_records set_log_limits
        mask/python.rs: mask_configure
        metrics/python.rs: configure_metrics count_retries switch_metrics
        module.rs: after_fork_in_child bind_api configure configure_signal encode_resource
        module.rs: force_flush register_scope repeat_sigterm set_diagnostics_level
        module.rs: set_error_handler set_has_processors shutdown sigterm_is_handled
        propagator.rs: new
        tracer.rs: __call__ again new
    """,
    "is called in threads and endpoints of ours": """
        health.rs: export_health
        mask/python.rs: mask_counts
        metrics/python.rs: metric_overflows
        module.rs: drain stats time_next_span timed_span trim_memory
    """,
    "awaits nothing: a coroutine that has ended": """
        idle.rs: __await__ __iter__ __next__
    """,
    "is called in the dashboard's process": """
        receive/python.rs: __arrow_c_stream__ __copy__ __eq__ __getitem__ __iter__ __len__
        receive/python.rs: columns decode_logs decode_traces extend
    """,
    "is called by tests": """
        metric_export/mod.rs: encode_metrics
        faults.rs: _fault_places _inject_fault
        spool/python.rs: _spool_frames
    """,
}

# What C calls, where a panic would end the process: by the reason why there is none.
CALLED_BY_C = {
    "compares, and hands the arguments on": "raw/recorder.rs: call",
    "has the guard around all it does": "module.rs: tell_first_span",
    "asks the system, and reads what the loader keeps": "raw.rs: on_signal visit",
    "is called in the dashboard's process": """
        raw/arrow.rs: get_schema get_next get_last_error
        raw/arrow.rs: release_array release_schema release_stream
    """,
}


def entries() -> Iterator[tuple[str, str, str]]:
    """The file, the name and the text of each function that Python can call."""
    for path in sorted(SOURCES.rglob("*.rs")):
        file = path.relative_to(SOURCES).as_posix()
        # rustfmt ends each function, and each block of methods, with a brace of its own.
        attribute = outer = indent = name = ""
        body: list[str] = []
        for line in path.read_text().splitlines():
            if line.strip() in ("#[pymethods]", "#[pyfunction]"):
                attribute, outer = line.strip(), line[: line.index("#")]
                indent = outer + "    " * (attribute == "#[pymethods]")
            begun = re.match(indent + r"(?:pub )?fn (\w+)", line)
            if begun and attribute:
                name, body = begun[1], []
            if name:
                body.append(line)
                if line == indent + "}":
                    yield file, name, "\n".join(body)
                    name = ""
                    attribute = attribute if attribute == "#[pymethods]" else ""
            elif attribute and line == outer + "}":
                attribute = ""


def listed(by_reason: dict[str, str]) -> set[tuple[str, str]]:
    """Each entry of a list."""
    found = set()
    for lines in by_reason.values():
        for line in lines.strip().splitlines():
            file, _, names = line.strip().partition(": ")
            found |= {(file, name) for name in names.split()}
    return found


@pytest.mark.skipif(not SOURCES.is_dir(), reason="not tested: an install without the sources")
def test_an_entry_is_guarded_or_listed() -> None:
    """And nothing is listed that is guarded, or gone."""
    found = list(entries())
    assert len(found) > 100
    unguarded = {
        (file, name) for file, name, body in found if not any(guard in body for guard in GUARDS)
    }
    assert sorted(unguarded - listed(UNGUARDED)) == []
    assert sorted(listed(UNGUARDED) - unguarded) == []


@pytest.mark.skipif(not SOURCES.is_dir(), reason="not tested: an install without the sources")
def test_what_c_calls_is_listed() -> None:
    """No guard of ours is around it."""
    found = {
        (path.relative_to(SOURCES).as_posix(), name)
        for path in SOURCES.rglob("*.rs")
        for name in re.findall(r'(?m)^ *(?:unsafe )?extern "C" fn (\w+)', path.read_text())
    }
    assert found == listed(CALLED_BY_C)
