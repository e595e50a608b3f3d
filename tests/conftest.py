"""Fixtures: the real programs and the scripted stubs, each on loopback ports.

A program that cannot be had here skips its tests with a sentence; with
``CLARITY_REQUIRE_BACKENDS=1`` (CI) it fails them.
"""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.backends.aws_server import AwsServer
from tests.backends.build import RECIPES, BuildError, UnavailableError, build
from tests.backends.collector import Collector
from tests.backends.go_module import GoModule, module
from tests.backends.jaeger import Jaeger
from tests.backends.otlp_grpc_stub import OtlpGrpcStub
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process
from tests.backends.redis_server import RedisCluster, RedisServer
from tests.backends.tls import Certificates, make_certificates
from tests.sharing import Sharing


class HasOutput(Protocol):
    @property
    def output(self) -> str: ...


STARTED = pytest.StashKey[list[HasOutput]]()
BUILT = pytest.StashKey[dict[str, Path | UnavailableError | BuildError]]()


def pytest_configure() -> None:
    """Let programs that tests start be ended by SIGINT, and know nothing of pytest-xdist.

    A shell starts what it puts in the background with that signal ignored, and a program
    inherits it; a pytest that a test starts would take itself for a worker.
    """
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A busy machine is slow, and says nothing of what is tested. The rest is Hypothesis' own
    # profile, which CI has one of.
    settings.register_profile(
        "tests", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("tests")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """`pytest -n 2`: see :mod:`tests.sharing`."""
    return Sharing(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the processes that it started have printed."""
    report = yield
    if report.failed and report.when == "call":
        programs = item.stash.get(STARTED, list[HasOutput]())
        for number, program in enumerate(programs, start=1):
            report.sections.append((f"process {number}", program.output))
    return report


@pytest.fixture
def started(request: pytest.FixtureRequest) -> list[HasOutput]:
    """What this test has started so far, for the report of its failure."""
    programs: list[HasOutput] = request.node.stash.setdefault(STARTED, [])
    return programs


@pytest.fixture(scope="session", autouse=True)
def _without_limit_of_cost() -> Iterator[None]:
    """Tests in this process see all telemetry: beside so little else it costs too much."""
    from clarity_otel.cost import limit

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limit, "begin", lambda settings: None)
        yield


def not_tested(reason: object, what: str) -> NoReturn:
    """Skips with a sentence that says what was not tested."""
    sentence = f"not tested: {what}: {reason}"
    if os.environ.get("CLARITY_REQUIRE_BACKENDS") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for a built program is marked ``backend``."""
    for item in items:
        if programs_of(item):
            item.add_marker("backend")


def programs_of(item: pytest.Item) -> list[str]:
    """The recipes whose binary the test's fixtures ask for, or a mark of its parameter."""
    fixtures = getattr(item, "fixturenames", ())
    marked = [name for mark in item.iter_markers("program") for name in mark.args]
    return [name for name in RECIPES if f"{name}_binary" in fixtures or name in marked]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds what the selected tests need: here no test's time limit runs.

    A first build takes minutes. Its progress is shown, its failure is each test's.
    """
    results = session.config.stash.setdefault(BUILT, {})
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in programs_of(item)}
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else ExitStack():
        for name in sorted(wanted):
            try:
                results[name] = build(name)
            except (UnavailableError, BuildError) as error:
                results[name] = error


def built(name: str, what: str, config: pytest.Config) -> Path:
    """The program's binary; ``what`` is not tested without it."""
    result = config.stash[BUILT][name]
    if isinstance(result, UnavailableError):
        not_tested(result, what)
    if isinstance(result, BuildError):
        pytest.fail(str(result), pytrace=False)
    return result


def binary_of(name: str, what: str) -> Any:
    """The fixture of a built program's binary; ``what`` is not tested without it."""

    @pytest.fixture(scope="session", name=f"{name}_binary")
    def binary(pytestconfig: pytest.Config) -> Path:
        return built(name, what, pytestconfig)

    return binary


collector_binary = binary_of("collector", "that a real OpenTelemetry Collector takes what we send")
jaeger_binary = binary_of("jaeger", "that a real Jaeger shows our traces")
loki_binary = binary_of("loki", "that a real Loki gives back our log records")
# A Prometheus 3: the one that takes OTLP.
prometheus_binary = binary_of("prometheus", "what a Prometheus 3 makes of our OTLP metrics")
promtool_binary = binary_of("promtool", "what Prometheus makes of our configuration")
# Of the version that Compose has.
alertmanager_binary = binary_of("alertmanager", "what Alertmanager sends")
amtool_binary = binary_of("amtool", "whom Alertmanager tells")
# It reads files without an engine.
compose_binary = binary_of("compose", "that Compose takes our file")
kustomize_binary = binary_of("kustomize", "that kustomize builds the manifests")
kubeconform_binary = binary_of("kubeconform", "that kubeconform finds the manifests valid")
# A program that sends by the OpenTelemetry SDK for Go.
gosender_binary = binary_of(
    "gosender", "that the dashboard's receiver takes what the SDK for Go sends"
)


@pytest.fixture(scope="session")
def operator_crds() -> GoModule:
    """The Prometheus operator's own definitions of its objects."""
    try:
        return module("operator_crds", "github.com/prometheus-operator/prometheus-operator")
    except UnavailableError as reason:
        not_tested(reason, "the objects of the Prometheus operator")
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def collector(
    collector_binary: Path, tmp_path: Path, started: list[HasOutput]
) -> Iterator[Callable[..., Collector]]:
    """``collector(certificates=…, client_certificates=…)`` starts a real Collector."""
    with ExitStack() as stack:

        def start(**options: Any) -> Collector:
            folder = tmp_path / f"collector-{len(started)}"
            running = Collector(collector_binary, folder, **options)
            stack.callback(running.kill)
            started.append(running)
            return running

        yield start


@pytest.fixture
def jaeger(
    jaeger_binary: Path, tmp_path: Path, started: list[HasOutput]
) -> Iterator[Callable[[], Jaeger]]:
    """``jaeger()`` starts a real Jaeger that keeps traces in memory."""
    with ExitStack() as stack:

        def start() -> Jaeger:
            running = Jaeger(jaeger_binary, tmp_path / f"jaeger-{len(started)}")
            stack.callback(running.kill)
            started.append(running)
            return running

        yield start


@pytest.fixture
def run_process(tmp_path: Path, started: list[HasOutput]) -> Iterator[Callable[..., Process]]:
    """``run_process([program, …], env=…, ready_port=…)`` starts a :class:`Process`."""
    with ExitStack() as stack:

        def run(command: list[str | Path], **options: Any) -> Process:
            process = Process(command, tmp_path / "processes", **options)
            stack.enter_context(process)
            started.append(process)
            return process

        yield run


@pytest.fixture(scope="session")
def _redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    try:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
    except UnavailableError as reason:
        not_tested(reason, "the Redis patches against a real server")
    yield server
    server.stop()


@pytest.fixture
def redis_server(_redis_server: RedisServer) -> RedisServer:
    """The real Redis, running and empty; a test may stop and restart it."""
    _redis_server.reset()
    return _redis_server


@pytest.fixture(scope="session")
def _redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    try:
        cluster = RedisCluster(tmp_path_factory.mktemp("redis-cluster"))
    except UnavailableError as reason:
        not_tested(reason, "the Redis patches against a real cluster")
    yield cluster
    cluster.stop()


@pytest.fixture
def redis_cluster(_redis_cluster: RedisCluster) -> RedisCluster:
    """A real Redis cluster of three masters, empty."""
    _redis_cluster.reset()
    return _redis_cluster


@pytest.fixture(scope="session")
def _aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    server = AwsServer(tmp_path_factory.mktemp("aws"))
    yield server
    server.stop()


@pytest.fixture
def aws_server(_aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """AWS as moto serves it, empty; boto3 in this process is already sent there."""
    _aws_server.reset()
    for name, value in _aws_server.env.items():
        monkeypatch.setenv(name, value)
    return _aws_server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority of our own and what it signed."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def client_tls(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A client's TLS context that trusts our authority and shows no certificate.

    The stock exporter's HTTP library prefers a bundle named in the environment to the
    one that the exporter is given: such names are gone for the test.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return ssl.create_default_context(cafile=certificates.authority)


@pytest.fixture
def otlp_http_stub() -> Iterator[Callable[..., OtlpHttpStub]]:
    """``otlp_http_stub(certificates, client_certificates=…)`` starts a stub."""
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> OtlpHttpStub:
            stub = OtlpHttpStub(*arguments, **options)
            stack.callback(stub.stop)
            return stub

        yield start


@pytest.fixture
def otlp_grpc_stub() -> Iterator[Callable[..., OtlpGrpcStub]]:
    """``otlp_grpc_stub(certificates, client_certificates=…)`` starts a stub."""
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> OtlpGrpcStub:
            stub = OtlpGrpcStub(*arguments, **options)
            stack.callback(stub.stop)
            return stub

        yield start
