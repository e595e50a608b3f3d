"""However an app configures its logging: one masked line a call, nothing lost or doubled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.logs.conftest import ENGINES, Output, parsed

SECRET = "hunter2secret"
# One call for each of three loggers, one with a secret, one with an exception.
CALLS = f"""
import logging
logging.getLogger("shop").warning("one")
logging.getLogger("shop.orders").error("two password={SECRET}")
try:
    raise ValueError("token={SECRET}")
except ValueError:
    logging.getLogger("other").exception("three", extra={{"password": "{SECRET}", "order": 7}})
"""
EXPECTED = ["one", "two password=[masked:password]", "three"]
# So that the lines have ids: each program runs in a span.
IN_A_SPAN = """
from opentelemetry import trace
kept = trace.get_tracer("test").start_as_current_span("test")
kept.__enter__()
"""

CONFIGURATIONS = {
    "nothing": "",
    "basicConfig": "import logging; logging.basicConfig(level=logging.INFO)",
    "basicConfig twice, forced": """
import logging
logging.basicConfig()
logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
""",
    "dictConfig": """
import logging.config
logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": False,
    "formatters": {"short": {"format": "%(levelname)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "short"}},
    "root": {"handlers": ["console"], "level": "INFO"},
})
""",
    "fileConfig": """
import configparser, logging.config
config = configparser.ConfigParser()
config.read_dict({
    "loggers": {"keys": "root"}, "handlers": {"keys": "console"}, "formatters": {"keys": ""},
    "logger_root": {"level": "INFO", "handlers": "console"},
    "handler_console": {"class": "StreamHandler", "args": "(sys.stderr,)"},
})
logging.config.fileConfig(config, disable_existing_loggers=False)
""",
    "own handler": """
import logging
logging.getLogger().addHandler(logging.StreamHandler())
""",
    "handlers at two levels": """
import logging
logging.basicConfig()
logging.getLogger("shop").addHandler(logging.StreamHandler())
""",
    "captured before we start": """
import logging
class Kept(logging.StreamHandler):
    pass
logging.getLogger().addHandler(Kept())
""",
    "queue": """
import logging, logging.handlers, queue, atexit
q = queue.SimpleQueue()
listener = logging.handlers.QueueListener(q, logging.StreamHandler())
logging.getLogger().addHandler(logging.handlers.QueueHandler(q))
listener.start(); atexit.register(listener.stop)
""",
    "record factory": """
import logging
made = logging.getLogRecordFactory()
def factory(*args, **kwargs):
    record = made(*args, **kwargs)
    record.colour = "red"
    return record
logging.setLogRecordFactory(factory)
logging.basicConfig()
""",
    "/dev/stderr": """
import logging
logging.basicConfig(filename="/dev/stderr")
""",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_one_masked_line_a_call(
    configuration: str, engine: str, run_program: Callable[..., Output]
) -> None:
    """Each call is one valid line on stderr, with ids and without secrets."""
    output = run_program(CONFIGURATIONS[configuration] + IN_A_SPAN + CALLS, engine=engine)
    lines = output.lines()
    assert [line["message"].partition("\n")[0] for line in lines] == EXPECTED
    assert all(line["trace_id"] and line["span_id"] and line["correlation_id"] for line in lines)
    assert SECRET not in output.stderr + output.stdout
    if configuration != "queue":  # whose handler makes the exception part of the message
        assert lines[2]["exception.message"] == "token=[masked:token]"
        assert lines[2]["extra"]["order"] == 7
        assert lines[2]["extra"]["password"] == "[masked:password]"


def test_nothing_becomes_louder(run_program: Callable[..., Output]) -> None:
    """Without LOG_LEVEL an app that configures nothing shows warnings and worse, as ever."""
    output = run_program("import logging; logging.info('quiet'); logging.warning('loud')")
    assert output.messages() == ["loud"]
    source = "import logging; x = logging.getLogger('x'); x.info('quiet'); x.warning('loud')"
    assert run_program(source).messages() == ["loud"]


def test_an_apps_own_files_keep_their_format_masked_and_with_ids(
    run_program: Callable[..., Output], tmp_path: Path
) -> None:
    """A FileHandler's format stands, may name the ids, and holds no secret."""
    source = f"""
import logging
handler = logging.FileHandler("app.log")
handler.setFormatter(logging.Formatter("%(levelname)s|%(message)s|%(trace_id)s|%(otelTraceID)s"))
logging.basicConfig(handlers=[handler])
logging.warning("outside")
{IN_A_SPAN}
logging.warning("password={SECRET}")
"""
    output = run_program(source)
    assert output.stderr == ""
    first, second = (tmp_path / "app.log").read_text().splitlines()
    assert first == "WARNING|outside||0"
    level, message, trace_id, otel_id = second.split("|")
    assert (level, message) == ("WARNING", "password=[masked:password]")
    assert len(trace_id) == 32
    assert trace_id == otel_id


def test_stdout_handlers_stay_on_stdout(run_program: Callable[..., Output]) -> None:
    """Where the app writes to stdout, the line goes there, once for each stream."""
    output = run_program("""
import logging, sys
out, err = logging.StreamHandler(sys.stdout), logging.StreamHandler()
err.setLevel(logging.ERROR)
logging.basicConfig(level=logging.INFO, handlers=[out, err])
logging.info("low"); logging.error("high")
""")
    assert output.messages("stdout") == ["low", "high"]
    assert output.messages("stderr") == ["high"]


JSON_LOGGERS = {
    "python-json-logger": """
import logging
from pythonjsonlogger.json import JsonFormatter
handler = logging.StreamHandler()
handler.setFormatter(JsonFormatter("%(levelname)s %(message)s"))
logging.basicConfig(handlers=[handler])
""",
    "its own": """
import json, logging
class Own(logging.Formatter):
    def format(self, record):
        return json.dumps({"message": record.getMessage(), "order": getattr(record, "order", None),
                           "password": getattr(record, "password", None)}, indent=1)
handler = logging.StreamHandler()
handler.setFormatter(Own())
logging.basicConfig(handlers=[handler])
""",
    "a template": """
import logging
logging.basicConfig(format='{"message": "%(message)s", "order": 7}')
""",
    "its own handler": """
import json, logging
class Own(logging.StreamHandler):
    def format(self, record):
        return json.dumps({"message": record.getMessage(), **{k: record.__dict__.get(k)
                           for k in ("order", "password")}})
logging.basicConfig(handlers=[Own()])
""",
    "structlog by logging": """
import logging, structlog
handler = logging.StreamHandler()
handler.setFormatter(structlog.stdlib.ProcessorFormatter(
    processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer()],
    foreign_pre_chain=[structlog.stdlib.ExtraAdder(),
                       structlog.processors.EventRenamer("message")]))
logging.basicConfig(handlers=[handler])
""",
}


@pytest.mark.parametrize("configuration", JSON_LOGGERS)
def test_an_app_that_logs_json_is_not_encoded_again(
    configuration: str, run_program: Callable[..., Output]
) -> None:
    """Its own objects pass through, one a line, masked and with ids."""
    output = run_program(JSON_LOGGERS[configuration] + IN_A_SPAN + CALLS)
    lines = [json.loads(text) for text in output.stderr.splitlines() if text.startswith("{")]
    assert [line["message"] for line in lines] == EXPECTED
    assert all(len(line["trace_id"]) == 32 and len(line["span_id"]) == 16 for line in lines)
    assert SECRET not in output.stderr
    # A template with a stack trace below it is no JSON any more: that line is ours.
    own = lines[:2] if configuration == "a template" else lines
    assert not any("timestamp" in line or "service" in line for line in own)
    if configuration != "a template":
        assert lines[2]["order"] == 7
        assert lines[2]["password"] == "[masked:password]"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_message_that_is_json_is_not_encoded_again(
    engine: str, run_program: Callable[..., Output]
) -> None:
    """As structlog's documentation renders to `logging`, and as apps dump by hand."""
    output = run_program(
        f"""
import json, logging, structlog, sys
structlog.configure(processors=[structlog.stdlib.add_log_level,
                                structlog.processors.JSONRenderer()],
                    logger_factory=structlog.stdlib.LoggerFactory(),
                    wrapper_class=structlog.stdlib.BoundLogger)
{IN_A_SPAN}
def calls():
    structlog.get_logger("shop").warning("placed", order=7, password="{SECRET}")
    made = json.dumps({{"event": "dumped", "password": "{SECRET}"}})
    logging.warning(made)
    logging.warning("%s", made)
    logging.warning("{{no}} %s", "json")
logging.basicConfig(format="%(message)s")
calls()
logging.basicConfig(force=True)
structlog.get_logger("shop").warning("placed", order=7, password="{SECRET}")
""",
        engine=engine,
    )
    *own, no_json, layout = output.stderr.splitlines()
    placed, dumped, formatted = map(json.loads, own)
    assert (placed["event"], placed["order"]) == ("placed", 7)
    assert dumped["event"] == "dumped"
    assert dumped == formatted
    assert all(line["password"] == "[masked:password]" for line in (placed, dumped))
    assert all(len(line["trace_id"]) == 32 for line in (placed, dumped))
    assert parsed(no_json)["message"] == "{no} json"
    assert parsed(layout)["message"] == "placed"
    assert parsed(layout)["extra"] == {"order": 7, "password": "[masked:password]"}


def test_a_formatter_that_hides_something_still_does(run_program: Callable[..., Output]) -> None:
    """A formatter with code of its own runs: what it hides is hidden in our line."""
    output = run_program("""
import logging
class Redacting(logging.Formatter):
    def format(self, record):
        return super().format(record).replace("codename", "***")
handler = logging.StreamHandler()
handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(message)s"))
logging.basicConfig(handlers=[handler])
logging.warning("about codename, no more")
""")
    assert output.messages() == ["about ***, no more"]


REDACTING = """
import logging, re, sys
def redacted(text):
    return re.sub("codename", "***", text)
class Redacting(logging.Formatter):
    def format(self, record):
        return redacted(super().format(record))
"""
REDACTS = {
    "a formatter": "handler.setFormatter(Redacting('%(levelname)s %(message)s'))",
    "a handler's class": """
class Own(logging.StreamHandler):
    def format(self, record):
        return redacted(super().format(record))
handler = Own()
""",
    "one formatter": """
formatter = logging.Formatter()
format = formatter.format
formatter.format = lambda record: redacted(format(record))
handler.setFormatter(formatter)
""",
    "one handler": """
format = handler.format
handler.format = lambda record: redacted(format(record))
""",
    "rich's": """
from rich.logging import RichHandler
from rich.console import Console
handler = RichHandler(console=Console(file=sys.stderr))
handler.setFormatter(Redacting("%(message)s"))
""",
}


@pytest.mark.parametrize("json_logs", ["true", "false"])
@pytest.mark.parametrize("redacts", REDACTS)
def test_what_the_app_hides_is_nowhere_in_the_line(
    redacts: str, json_logs: str, run_program: Callable[..., Output]
) -> None:
    """Neither in the exception, nor in the stack, nor in a dict that is the message."""
    output = run_program(
        f"""{REDACTING}
handler = logging.StreamHandler()
{REDACTS[redacts]}
logging.basicConfig(handlers=[handler], level=0)
try:
    raise ValueError("no codename")
except ValueError:
    logging.exception("lost %s", "codename", stack_info="codename" in "codename")
logging.info({{"event": "seen", "who": "codename"}})
""",
        env={"JSON_LOGS": json_logs},
    )
    text = output.stderr.replace('"codename"', "").replace("'no codename'", "")
    assert "codename" not in text, text
    assert text.count("***") >= 3
    if json_logs == "true":
        lost, seen = output.lines()
        assert "lost ***" in lost["message"]
        assert lost["exception.type"] == "ValueError"
        assert "ValueError: no ***" in lost["exception.stacktrace"]
        assert "***" in seen["message"]


def test_a_layout_without_exceptions_hides_none(run_program: Callable[..., Output]) -> None:
    """It does not look at them: the line has them, masked by the rules."""
    output = run_program(f"""
import logging
class Short(logging.Formatter):
    def format(self, record):
        return f"{{record.levelname}} {{record.getMessage()}}"
handler = logging.StreamHandler()
handler.setFormatter(Short())
logging.basicConfig(handlers=[handler])
try:
    raise ValueError("password={SECRET}")
except ValueError:
    logging.exception("failed")
""")
    (line,) = output.lines()
    assert line["exception.message"] == "password=[masked:password]"
    assert "ValueError: password=[masked:password]" in line["exception.stacktrace"]


def test_what_a_formatter_writes_into_a_record_is_there_once(
    run_program: Callable[..., Output],
) -> None:
    """The usual way to colours and prefixes; the level is the level's name."""
    output = run_program("""
import logging
class Coloured(logging.Formatter):
    def format(self, record):
        record.levelname = f"\x1b[32m{record.levelname}\x1b[0m"
        record.msg = f"[shop] {record.msg}"
        return super().format(record)
handler = logging.StreamHandler()
handler.setFormatter(Coloured("%(levelname)s %(message)s"))
logging.basicConfig(handlers=[handler])
logging.warning("order %d", 7)
""")
    (line,) = output.lines()
    assert (line["level"], line["message"]) == ("WARNING", "[shop] order 7")


def test_what_a_formatter_would_have_made_is_on_the_record(
    run_program: Callable[..., Output],
) -> None:
    """Handlers that come after the console's read `message` and `asctime`, as documented."""
    source = """
import logging, sys
class Alert(logging.StreamHandler):
    def emit(self, record):
        before = hasattr(record, "message")
        super().emit(record)
        print(before, record.message, len(record.asctime), "message" in dir(record))
logging.basicConfig(handlers=[Alert()], format="%(asctime)s %(message)s")
logging.warning("disk %s", "full")
"""
    assert run_program(source).stdout == "False disk full 23 True\n"


def test_a_line_that_could_not_be_written_is_written_by_the_next(
    run_program: Callable[..., Output],
) -> None:
    """By the same handler again, and by another one of the same console."""
    output = run_program("""
import errno, logging, sys
class Busy:
    encoding, fails = "utf-8", 2
    def fileno(self): return 2
    def write(self, text):
        Busy.fails -= 1
        if Busy.fails >= 0:
            raise BlockingIOError(errno.EAGAIN, "would block")
        sys.stderr.write(text)
    def flush(self): pass
class Retrying(logging.StreamHandler):
    def handleError(self, record):
        if Busy.fails == 1:
            self.emit(record)
logging.basicConfig(handlers=[Retrying(Busy()), logging.StreamHandler()])
logging.warning("first")
logging.warning("second")
""")
    assert output.messages() == ["first", "second"]


def test_handlers_are_copied_and_pickled_as_before(run_program: Callable[..., Output]) -> None:
    """Those that leave their lock and stream out, as the ones for processes do."""
    output = run_program("""
import copy, logging, pickle, sys
class Portable(logging.StreamHandler):
    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k not in ("lock", "stream")}
    def __setstate__(self, state):
        self.__dict__.update(state)
        self.stream = sys.stderr
        self.createLock()
handler = Portable()
logging.basicConfig(handlers=[handler])
logging.warning("one")
for other in (pickle.loads(pickle.dumps(handler)), copy.deepcopy(handler)):
    logging.root.handlers[:] = [other]
    logging.warning("another")
""")
    assert output.messages() == ["one", "another", "another"]


def test_what_a_test_takes_from_print_is_not_the_console(
    run_program: Callable[..., Output],
) -> None:
    """structlog's default logger prints to what `sys.stdout` is by then."""
    output = run_program("""
import contextlib, io, structlog
taken = io.StringIO()
with contextlib.redirect_stdout(taken):
    structlog.get_logger().info("placed", order=7)
assert "order=7" in taken.getvalue(), taken.getvalue()
assert "timestamp" not in taken.getvalue()
structlog.get_logger().info("shown")
""")
    assert output.messages("stdout") == ["shown"]


STRUCTLOG = {
    "print logger": "",
    "logging": """
import logging
logging.basicConfig(format="%(message)s", stream=__import__("sys").stdout)
structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
""",
    "processor formatter": """
import logging, sys
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(structlog.stdlib.ProcessorFormatter(
    processor=structlog.dev.ConsoleRenderer()))
logging.basicConfig(handlers=[handler])
structlog.configure(
    processors=[structlog.stdlib.add_log_level,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory())
""",
    "key values": """
structlog.configure(processors=[structlog.processors.add_log_level,
                                structlog.processors.KeyValueRenderer()])
""",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("configuration", STRUCTLOG)
def test_structlogs_events_are_our_lines(
    configuration: str, engine: str, run_program: Callable[..., Output]
) -> None:
    """One line an event on stdout, its fields below `extra`, masked, with ids."""
    source = f"""
import structlog
{STRUCTLOG[configuration]}
{IN_A_SPAN}
log = structlog.get_logger("shop")
log.warning("placed", order=7, password="{SECRET}")
try:
    raise ValueError("token={SECRET}")
except ValueError:
    log.exception("failed")
"""
    output = run_program(source, engine=engine)
    placed, failed = output.lines("stdout")
    assert (placed["message"], placed["level"]) == ("placed", "WARNING")
    assert placed["extra"] == {"order": 7, "password": "[masked:password]"}
    assert failed["message"] == "failed"
    assert "ValueError" in json.dumps(failed)
    assert placed["trace_id"] == failed["trace_id"]
    assert SECRET not in output.stdout + output.stderr


def test_structlogs_json_passes_through(run_program: Callable[..., Output]) -> None:
    """JSONRenderer's object stays the app's, masked, with ids."""
    output = run_program(f"""
import structlog
structlog.configure(processors=[structlog.processors.add_log_level,
                                structlog.processors.JSONRenderer()])
{IN_A_SPAN}
structlog.get_logger().info("placed", order=7, note="password={SECRET}")
""")
    line = json.loads(output.stdout)
    assert (line["event"], line["order"]) == ("placed", 7)
    assert line["note"] == "password=[masked:password]"
    assert len(line["trace_id"]) == 32


LOGURU = f"""
{IN_A_SPAN}
from loguru import logger
logger.info("placed {{}}", 7)
logger.bind(order=7, password="{SECRET}").warning("bound")
try:
    raise ValueError("token={SECRET}")
except ValueError:
    logger.exception("failed")
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "sink",
    [
        "",
        "logger.remove(); logger.add(sys.stderr, enqueue=True, backtrace=True, diagnose=True)",
    ],
    ids=["default", "enqueued"],
)
def test_logurus_messages_are_our_lines(
    sink: str, engine: str, run_program: Callable[..., Output]
) -> None:
    """One line a message on stderr, with ids, also from loguru's own thread."""
    source = f"import sys; from loguru import logger; {sink}\n{LOGURU}\nlogger.complete()"
    output = run_program(source, engine=engine)
    placed, bound, failed = output.lines()
    assert placed["message"] == "placed 7"
    assert bound["extra"] == {"order": 7, "password": "[masked:password]"}
    assert failed["exception.type"] == "ValueError"
    assert failed["exception.message"] == "token=[masked:token]"
    assert all(line["trace_id"] == placed["trace_id"] for line in (bound, failed))
    assert SECRET not in output.stderr


def test_loguru_files_and_json_are_masked(
    run_program: Callable[..., Output], tmp_path: Path
) -> None:
    """A file sink keeps its format; serialised messages pass through with ids."""
    output = run_program(f"""
import sys
from loguru import logger
logger.remove()
logger.add("app.log", format="{{level}}|{{message}}")
logger.add(sys.stderr, serialize=True)
{IN_A_SPAN}
logger.info("password={SECRET}")
""")
    assert (tmp_path / "app.log").read_text() == "INFO|password=[masked:password]\n"
    line = json.loads(output.stderr)
    assert line["record"]["message"] == "password=[masked:password]"
    assert len(line["trace_id"]) == 32


def test_loguru_shows_no_variable_that_is_secret_by_its_name(
    run_program: Callable[..., Output], tmp_path: Path
) -> None:
    """`diagnose=True`, loguru's default, writes the values of a frame's variables."""
    run_program(f"""
from loguru import logger
logger.remove()
logger.add("app.log")
password = "".join(["{SECRET[:4]}", "{SECRET[4:]}"])
class User:
    token = password
def login(password, user):
    raise ValueError(password != user.token)
try:
    login(password, User)
except ValueError:
    logger.exception("failed")
""")
    written = (tmp_path / "app.log").read_text()
    assert "[masked:password]" in written
    assert "[masked:token]" in written
    assert SECRET not in written


@pytest.mark.parametrize("logs", ["off", "on"])
def test_logurus_records_hold_nothing_of_ours(
    logs: str, run_program: Callable[..., Output]
) -> None:
    """Sinks that write the whole record write what they wrote before, each of them once."""
    source = """
import sys
from loguru import logger
logger.remove()
given, asked = [], []
def keep(record):
    asked.append(record)
    if len(asked) == 2:
        logger.info("from the second sink's filter")
    return True
def sink(message):
    given.append(sorted(message.record))
for _ in range(2):
    logger.add(sink, catch=False, filter=keep)
logger.info("x")
print(len(given), set(map(str, given)))
"""
    env = {"CLARITY_LOGS": logs, "OTEL_LOGS_EXPORTER": "otlp" if logs == "on" else "none"}
    traced = run_program(source, env=env).stdout
    count, _, names = traced.partition(" ")
    assert count == "4"
    assert "'elapsed'" in names
    assert names.count("elapsed") == 1, "two kinds of records"
    assert "clarity_decided" not in names


def test_loguru_intercepting_logging_writes_one_line(run_program: Callable[..., Output]) -> None:
    """The InterceptHandler of its documentation: a stdlib call is one line, of its place."""
    output = run_program("""
import inspect, logging, sys
from loguru import logger
class InterceptHandler(logging.Handler):
    def emit(self, record):
        frame, depth = inspect.currentframe(), 0
        while frame:
            filename = frame.f_code.co_filename
            is_frozen = "importlib" in filename and "_bootstrap" in filename
            if depth > 0 and not (filename == logging.__file__ or is_frozen):
                break
            frame = frame.f_back
            depth += 1
        logger.opt(depth=depth, exception=record.exc_info).log(
            record.levelname, record.getMessage())
logging.basicConfig(handlers=[InterceptHandler()], level=0, force=True)
logger.add(sys.stdout, serialize=True)
def place():
    logging.getLogger("shop").warning("one")
place()
""")
    (line,) = output.lines()
    assert (line["message"], line["logger"]) == ("one", "__main__")
    record = json.loads(output.stdout)["record"]
    assert (record["function"], record["line"]) == ("place", 19)


def test_what_loguru_hands_on_is_masked_with_ids(run_program: Callable[..., Output]) -> None:
    """To functions, to coroutine functions, and to handlers of `logging`."""
    output = run_program(f"""
import asyncio, logging, sys
from loguru import logger
async def later(message):
    print(message, end="")
async def main():
    logger.add(later, format="{{message}}")
    logger.info("password={SECRET}")
    await logger.complete()
logger.remove()
logger.add(lambda message: print(message, end=""), format="{{message}}")
asyncio.run(main())
logger.remove()
logger.add(logging.StreamHandler(), format="{{message}}")
{IN_A_SPAN}
logger.info("token={SECRET}")
""")
    assert output.stdout == "password=[masked:password]\n" * 2
    (line,) = output.lines()
    assert line["message"] == "token=[masked:token]"
    assert len(line["trace_id"]) == 32


def test_rich_writes_our_line(run_program: Callable[..., Output]) -> None:
    """RichHandler, as `fastapi run` uses it, draws nothing on the console."""
    output = run_program("""
import logging
from rich.logging import RichHandler
logging.basicConfig(handlers=[RichHandler(rich_tracebacks=True)])
logging.warning("one [red]")
""")
    assert output.messages("stdout") == ["one [red]"]


@pytest.mark.parametrize("engine", ENGINES)
def test_off_leaves_all_but_the_ids(engine: str, run_program: Callable[..., Output]) -> None:
    """CLARITY_LOGS=off: the app's format, unmasked, and ids for those who name them."""
    output = run_program(
        f"""
import logging
logging.basicConfig(format="%(message)s|%(trace_id)s|%(correlation_id)s|%(otelTraceID)s")
logging.warning("outside", extra={{"span_id": "mine"}})
{IN_A_SPAN}
logging.warning("password={SECRET}")
""",
        env={"CLARITY_LOGS": "off"},
        engine=engine,
    )
    outside, inside = output.stderr.splitlines()
    assert outside == "outside|||0"
    message, trace_id, correlation_id, otel_id = inside.split("|")
    assert message == f"password={SECRET}"
    assert trace_id == correlation_id == otel_id
    assert len(trace_id) == 32


def test_readable_text_has_the_ids_at_its_end(run_program: Callable[..., Output]) -> None:
    """JSON_LOGS=false: text without colours where there is no terminal, masked."""
    output = run_program(f"{IN_A_SPAN}{CALLS}", env={"JSON_LOGS": "false"})
    first, second, *rest = output.stderr.splitlines()
    assert " WARNING  shop  one  [correlation_id=" in first
    assert first.endswith("]")
    assert "\x1b" not in output.stderr
    assert "password=[masked:password]" in second
    assert rest[-1] == "ValueError: token=[masked:token]"
    assert SECRET not in output.stderr


def test_colours_are_for_terminals_without_no_color() -> None:
    """NO_COLOR, and a stream that is no terminal, mean none."""
    import os
    import pty

    from clarity_otel.logs import console

    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        environment = dict(os.environ)
        try:
            os.environ.pop("NO_COLOR", None)
            os.environ["TERM"] = "xterm"
            assert console.is_coloured(terminal)
            os.environ["NO_COLOR"] = "1"
            assert not console.is_coloured(terminal)
        finally:
            os.environ.clear()
            os.environ.update(environment)
    os.close(master)


def test_a_handler_that_fails_is_told_of_in_one_line(run_program: Callable[..., Output]) -> None:
    """What a handler raises reaches nobody but the log; nothing of the record leaks."""
    output = run_program(f"""
import logging
class Failing(logging.Handler):
    def emit(self, record):
        try:
            raise OSError("disk full, password={SECRET}")
        except OSError:
            self.handleError(record)
logging.basicConfig(handlers=[Failing()])
logging.warning("token=%s", "{SECRET}")
logging.raiseExceptions = False
logging.warning("silent")
""")
    (line,) = output.lines()
    assert line["message"] == "a record of root could not be written by Failing"
    assert line["exception.type"] == "OSError"
    assert SECRET not in output.stderr


def test_a_strict_handler_still_raises(run_program: Callable[..., Output]) -> None:
    """An app whose handler raises on a bad call gets its exception."""
    output = run_program("""
import logging
class Strict(logging.StreamHandler):
    def handleError(self, record):
        raise
logging.basicConfig(handlers=[Strict()])
try:
    logging.warning("%d", "x")
except TypeError:
    print("raised")
""")
    assert (output.stdout, output.stderr) == ("raised\n", "")


def test_extra_fields_may_have_the_ids_names(run_program: Callable[..., Output]) -> None:
    """extra={"trace_id": …} raises no KeyError and stays the app's."""
    output = run_program(f"""
import logging
{IN_A_SPAN}
logging.warning("x", extra={{"trace_id": "mine", "span_id": 7, "correlation_id": "order-7"}})
""")
    (line,) = output.lines()
    assert line["extra"]["trace_id"] == "mine"


def test_logging_is_not_imported_for_its_sake(run_program: Callable[..., Output]) -> None:
    """A process that does not log pays for no logging module."""
    output = run_program("import sys; print('logging' in sys.modules)")
    assert output.stdout == "False\n"


def test_forked_and_threaded_records_are_whole(run_program: Callable[..., Output]) -> None:
    """Children and threads of a request write whole lines with its ids."""
    output = run_program(f"""
import logging, os, threading, warnings
logging.basicConfig()
{IN_A_SPAN}
def work(n):
    for i in range(50):
        logging.warning("%d of %d", i, n)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
# One that was joined may be about to end yet, of which Python >= 3.12 warns.
warnings.filterwarnings("ignore", "This process", DeprecationWarning)
pid = os.fork()
if pid == 0:
    logging.warning("child")
    os._exit(0)
os.waitpid(pid, 0)
""")
    lines: list[dict[str, Any]] = output.lines()
    assert len(lines) == 201
    assert len({line["trace_id"] for line in lines}) == 1
    assert lines[-1]["message"] == "child"


def test_sockets_and_http_send_masked_attributes(run_program: Callable[..., Output]) -> None:
    """Handlers that send attributes instead of text send no secret."""
    output = run_program(f"""
import logging, logging.handlers, pickle, sys
try:
    raise ValueError("token={SECRET}")
except ValueError:
    failure = sys.exc_info()
record = logging.LogRecord("x", 30, "f", 1, "password=%s", ("{SECRET}",), failure)
record.password = "{SECRET}"
record.headers = [(b"cookie", b"a={SECRET}")]
sent = logging.handlers.SocketHandler("localhost", 1).makePickle(record)
print(pickle.loads(sent[4:]), logging.handlers.HTTPHandler("h", "/").mapLogRecord(record))
""")
    assert SECRET not in output.stdout
    assert "[masked:password]" in output.stdout
    assert "[masked:token]" in output.stdout
