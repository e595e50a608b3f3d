"""No secret leaves in a span, wherever the app has put it, on both engines."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.engines.conftest import Run, RunScript

# Each seeded secret ends in a number of its own, so that a leak tells its place.
SEEDED = """
from opentelemetry import trace
from opentelemetry.trace import Link, Status, StatusCode

def s(number):
    return f"Zq9-hunter-{number:03d}"

tracer = trace.get_tracer("script")
with tracer.start_as_current_span("plain") as plain:
    plain.set_attribute("order", "17")
    context = plain.get_span_context()
with tracer.start_as_current_span(
    f"login password={s(1)}",
    attributes={"db.password": s(2), "note": f"token={s(3)}"},
    links=[Link(context, {"x-api-key": s(4), "l": f"secret: {s(5)}"})],
) as span:
    span.set_attribute("url.full", f"https://u:{s(6)}@h/p?access_token={s(7)}&page=2")
    span.set_attribute("db.query.text", f"ALTER USER a WITH PASSWORD '{s(8)}'")
    span.set_attribute("http.request.header.authorization", [f"Bearer {s(9)}"])
    span.set_attribute("list", ["a", f"password={s(10)}"])
    span.set_attribute("bytes", f"password={s(11)}".encode())
    span.set_attributes({"client_secret": s(12), "json": '{"api_key": "%s"}' % s(13)})
    span.add_event(f"event token={s(14)}", {"cookie": f"a={s(15)}", "e": f"pwd={s(16)}"})
    span.add_link(context, {"refreshToken": s(17)})
    try:
        raise ValueError(f"no access with password={s(18)}")
    except ValueError as error:
        span.record_exception(error, {"auth_token": s(19)})
    span.set_status(Status(StatusCode.ERROR, f"failed: apiKey={s(20)}"))
    span.update_name(f"renamed token={s(21)}")
try:
    with tracer.start_as_current_span("raises"):
        raise KeyError(f"secret={s(22)}")
except KeyError:
    pass
"""


def requests(run: Run) -> list[ExportTraceServiceRequest]:
    """What was sent, by the official classes."""
    return [ExportTraceServiceRequest.FromString(body) for body in run.bodies]


def sent(run: Run) -> str:
    """All that was sent, as text; the bytes are searched too."""
    if "Zq9-hunter" not in (text := _text(run)):
        assert not any(b"hunter" in body for body in run.bodies)
    return text


def _text(run: Run) -> str:
    return "\n".join(str(request) for request in requests(run))


def test_no_seeded_secret_is_sent(run_script: RunScript, engine: str) -> None:
    """Names, attributes, events, exceptions, links, status, resource: all are masked."""
    run = run_script(
        SEEDED,
        engine=engine,
        env={"OTEL_RESOURCE_ATTRIBUTES": "team.token=Zq9-hunter-023,team=a"},
    )
    text = sent(run)
    assert "Zq9-hunter" not in text
    assert run.named("plain").attributes["order"] == "17"
    renamed = run.named("renamed token=[masked:token]")
    assert renamed.attributes["db.password"] == "[masked:password]"
    assert renamed.attributes["list"] == ["a", "password=[masked:password]"]
    assert (
        renamed.attributes["url.full"]
        == "https://u:[masked:url_password]@h/p?access_token=[masked:token]&page=2"
    )


def test_a_masker_that_fails_lets_nothing_through(run_script: RunScript, engine: str) -> None:
    """Each text is `[masking failed]`; numbers and ids go on."""
    run = run_script(
        "from clarity_otel import _native\n_native.mask_configure(broken=True)\n" + SEEDED,
        engine=engine,
    )
    text = sent(run)
    assert "hunter" not in text
    assert "[masking failed]" in text
    assert len(run.spans) == 3


def test_masking_can_be_switched_off(run_script: RunScript, engine: str) -> None:
    """CLARITY_MASKING=false sends what the app said."""
    run = run_script(SEEDED, engine=engine, env={"CLARITY_MASKING": "false"})
    assert "Zq9-hunter-021" in sent(run)


def test_the_twin_guards_where_the_native_module_is_missing(run_script: RunScript) -> None:
    """The sdk engine without the extension masks with the Python twin."""
    run = run_script(
        "import sys\nsys.modules['clarity_otel._native'] = None\n"
        "import clarity_otel\nclarity_otel.setup_observability(engine='sdk')\n"
        "from clarity_otel import masking\n"
        "assert masking.mask_text.__module__ == 'clarity_otel.masking.twin'\n" + SEEDED,
        launched=False,
    )
    assert "Zq9-hunter" not in sent(run)
    assert run.spans


def test_a_refused_pattern_is_one_sentence_at_start(run_script: RunScript, engine: str) -> None:
    """It names the pattern; the app runs, and other rules mask."""
    run = run_script(SEEDED, engine=engine, env={"CLARITY_MASK_PATTERNS": "bad=("})
    assert run.stderr.count("'bad'") == 1
    assert "Zq9-hunter" not in sent(run)


@pytest.mark.parametrize("where", ["name", "attributes"])
def test_processors_see_masked_spans(run_script: RunScript, engine: str, where: str) -> None:
    """A span processor written in Python gets in `on_end` what an exporter gets."""
    run = run_script(
        "from opentelemetry import trace\n"
        "class Seen:\n"
        "    def on_start(self, span, parent_context=None): pass\n"
        "    def _on_ending(self, span): pass\n"
        f"    def on_end(self, span): print(span.{where})\n"
        "    def shutdown(self): pass\n"
        "    def force_flush(self, timeout_millis=30000): return True\n"
        "trace.get_tracer_provider().add_span_processor(Seen())\n"
        "with trace.get_tracer('x').start_as_current_span('password=abc') as span:\n"
        "    span.set_attribute('password', 'abc')\n",
        engine=engine,
    )
    assert "[masked:password]" in run.stdout
    assert "abc" not in run.stdout
