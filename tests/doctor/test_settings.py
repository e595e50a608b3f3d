"""Variables that are misspelt, rejected, unsupported or at odds are each said, with what to do."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from clarity_otel import interpreters
from clarity_otel.doctor import contradictions, engine, names, patches, values, versions
from clarity_otel.doctor.findings import Finding
from clarity_otel.settings import load
from clarity_otel.settings.variables import BY_NAME
from tests.compat.results import KEPT
from tests.packaging.workshop import ROOT

from .conftest import Doctor
from .reports import by_id, only, text_of

OTLP = "OTEL_EXPORTER_OTLP"


def found(environ: Mapping[str, str]) -> list[Finding]:
    """What is said of an environment's settings."""
    settings = load(environ)
    return [
        *values.check(settings, environ),
        *contradictions.check(settings, environ),
        *names.check(environ),
    ]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("OTEL_EXPORTER_OLTP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_EXPORTER_OTLP_TRACE_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ("OTEL_EXPORTER_OTLP_HEADER", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_SERVICENAME", "OTEL_SERVICE_NAME"),
        ("otel_service_name", "OTEL_SERVICE_NAME"),
        ("OPENTELEMETRY_SERVICE_NAME", "OTEL_SERVICE_NAME"),
        ("OTEL_TRACE_SAMPLER", "OTEL_TRACES_SAMPLER"),
        ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHOD", "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"),
        ("OTEL_LOG_RATE_LIMIT", "CLARITY_LOG_RATE_LIMIT"),
        ("CLARITY_SPOL_DIR", "CLARITY_SPOOL_DIR"),
        ("JAEGER_ENPOINT", "JAEGER_ENDPOINT"),
        # What has no prefix, written with one.
        ("CLARITY_LOG_LEVEL", "LOG_LEVEL"),
        ("CLARITY_JSON_LOGS", "JSON_LOGS"),
        ("CLARITY_SLACK_CHANNEL", "SLACK_CHANNEL"),
        ("CLARITY_JAEGER_ENDPOINT", "JAEGER_ENDPOINT"),
        # One word that only one setting ends with.
        ("OTEL_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_SAMPLER", "OTEL_TRACES_SAMPLER"),
        # A slip in the first word.
        ("OTL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OETL_EXPORTER_OTLP_HEADER", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("TEL_SERVICE_NAME", "OTEL_SERVICE_NAME"),
        ("OTELSERVICE_NAME", "OTEL_SERVICE_NAME"),
        ("TOEL_CONFIG_FILE", "OTEL_CONFIG_FILE"),
        ("OTTEL_PROPAGATORS", "OTEL_PROPAGATORS"),
        ("CLRITY_GUARD", "CLARITY_GUARD"),
        ("CLARTIY_GUARD", "CLARITY_GUARD"),
        # As Kubernetes' links to services end, and as other programs' variables begin.
        ("OTEL_EXPORTER_PROMTHEUS_PORT", "OTEL_EXPORTER_PROMETHEUS_PORT"),
        ("CLARITY_METRIICS_PORT", "CLARITY_METRICS_PORT"),
        ("OTEL_COLLECTOR_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        # What has no prefix.
        ("LOG_LEVL", "LOG_LEVEL"),
        ("JSON_LOG", "JSON_LOGS"),
        ("PAGERDUTY_KEY", "PAGERDUTY_INTEGRATION_KEY"),
        ("SLACK_WEBHOOK", "SLACK_WEBHOOK_URL"),
    ],
)
def test_a_misspelt_variable_is_told_the_nearest_right_name(name: str, nearest: str) -> None:
    """The name is shown, its value never."""
    findings = found({name: "hunter2"})
    assert only(findings, "settings.misspelt").evidence == {"variable": name, "nearest": nearest}
    assert "hunter2" not in text_of(findings)


@pytest.mark.parametrize(
    "name",
    [
        "OTEL_COLLECTOR_SERVICE_HOST",  # Kubernetes' links to a service of this name
        "OTEL_COLLECTOR_PORT_4317_TCP_ADDR",
        "OTEL_RESOURCE_ATTRIBUTES_POD_NAME",  # its operator
        "OTEL_JAVAAGENT_ENABLED",  # other languages
        "OTEL_PYTHON_FLASK_EXCLUDED_URLS",
        "HTTP_PROXY",
        "PATH",
    ],
)
def test_a_variable_of_others_is_not_taken_for_a_slip(name: str) -> None:
    """What other programs read or write is passed over."""
    assert names.check({name: "x"}) == []


# What real programs, images and platforms read, and apps of hotels, models and charities.
HARMLESS = """
HOME HOSTNAME LANG LC_ALL PWD SHELL TERM TZ USER PYTHONPATH PYTHONUNBUFFERED VIRTUAL_ENV
PIP_NO_CACHE DEBUG ENV ENVIRONMENT PORT HOST WORKERS WEB_CONCURRENCY SECRET_KEY DATABASE_URL
REDIS_URL BROKER_URL LOGLEVEL LOG_FILE LOG_DIR LOG_FORMAT LOG_JSON APP_LOG_LEVEL DB_LOG_LEVEL
BLOG_LEVEL GLOG_LEVEL RUST_LOG AIRFLOW__LOGGING__LOGGING_LEVEL CELERY_LOG_LEVEL UVICORN_LOG_LEVEL
GUNICORN_CMD_ARGS FORWARDED_ALLOW_IPS DJANGO_SETTINGS_MODULE FLASK_APP FLASK_ENV SENTRY_DSN
SENTRY_ENVIRONMENT SENTRY_TRACES_SAMPLE_RATE DD_SERVICE DD_ENV DD_TRACE_ENABLED DD_AGENT_HOST
NEW_RELIC_LICENSE_KEY NEW_RELIC_APP_NAME ELASTIC_APM_SERVER_URL AWS_REGION AWS_ACCESS_KEY_ID
AWS_LAMBDA_FUNCTION_NAME GOOGLE_APPLICATION_CREDENTIALS AZURE_CLIENT_ID GITHUB_TOKEN
GITHUB_ACTIONS CI CI_COMMIT_SHA HEROKU_APP_NAME DYNO VERCEL_URL KUBERNETES_PORT
KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT_HTTPS POD_NAME POD_NAMESPACE NODE_NAME
SHOP_METRICS_PORT POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB PGHOST MYSQL_ROOT_PASSWORD
RABBITMQ_DEFAULT_USER MINIO_ROOT_USER GF_SECURITY_ADMIN_PASSWORD GF_SERVER_ROOT_URL
PROMETHEUS_MULTIPROC_DIR LOKI_URL TEMPO_ENDPOINT ZIPKIN_ENDPOINT SMTP_USER SMTP_PASS SMTP_SERVER
SMTP_HOSTNAME SFTP_HOST FTP_HOST HTTP_HOST HTTP_PORT NO_PROXY HTTPS_PROXY SLACK_BOT_TOKEN
SLACK_SIGNING_SECRET SLACK_CHANNEL_ID PAGERDUTY_TOKEN PAGERDUTY_API_KEY PAGERDUTY_ROUTING_KEY
JAEGER_AGENT_HOST JAEGER_AGENT_PORT JAEGER_SERVICE_NAME JAEGER_SAMPLER_TYPE JAEGER_SAMPLER_PARAM
JAEGER_TAGS OTELCOL_CONFIG OTEL_COLLECTOR_HOST OTEL_COLLECTOR_PORT OTEL_COLLECTOR_PORT_GRPC
OTEL_NODE_RESOURCE_DETECTORS OTEL_EXPORTER_JAEGER_ENDPOINT OTEL_PYTHON_WSGI_EXCLUDED_URLS
OTEL_GO_AUTO_TARGET_EXE OTEL_DOTNET_AUTO_HOME MODEL_NAME MODEL_PATH MODEL_SERVICE_NAME
MODEL_LOG_LEVEL MODEL_CONFIG_FILE INTEL_LOG_LEVEL NOTE_SERVICE_NAME HOTEL_NAME HOTEL_SERVICE_NAME
HOTEL_CONFIG_FILE HOTEL_PORT MOTEL_SERVICE_NAME TEL_NUMBER CHARITY_TOKEN CHARITY_STORE
"""


def test_names_of_real_programs_are_not_complained_of() -> None:
    """However near some of their letters are to a setting's."""
    found = names.check(dict.fromkeys(HARMLESS.split(), "x"))
    assert [finding.what for finding in found] == []


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("OTEL", "OTEL", 0),
        ("OTL", "OTEL", 1),
        ("OTTEL", "OTEL", 1),
        ("OTAL", "OTEL", 1),
        ("TOEL", "OTEL", 1),
        ("TOEK", "OTEL", 2),
        ("MODEL", "OTEL", 2),
        ("CLARITY", "OTEL", 3),
        ("", "OTEL", 3),
    ],
)
def test_slips_are_counted(one: str, other: str, slips: int) -> None:
    """A letter more, less or another, and two that are turned, are one each; 3 is the most."""
    assert names.distance(one, other) == names.distance(other, one) == slips


@pytest.mark.parametrize("name", ["OTEL_TIMEOUT", "CLARITY_HOSTS", "CLARITY_LIMIT"])
def test_an_end_of_several_settings_is_no_name_of_one(name: str) -> None:
    """None of them is guessed."""
    assert names.nearest(name) == ""


def test_no_setting_is_taken_for_a_slip_of_another() -> None:
    """A name of the table is right."""
    assert [name for name in BY_NAME if names.nearest(name)] == []


def test_unknown_variables_are_told_apart() -> None:
    """One of ours that is none is a warning; another OTEL_ one may be some package's."""
    findings = names.check({"CLARITY_QUUX": "1", "OTEL_QUUX": "1"})
    assert [(one.id, one.level) for one in findings] == [
        ("settings.unknown", "warning"),
        ("settings.unknown", "info"),
    ]


def test_a_right_name_beside_the_wrong_one() -> None:
    """It is said that the right one counts."""
    findings = names.check({"OTEL_SERVICENAME": "a", "OTEL_SERVICE_NAME": "b"})
    assert only(findings, "settings.misspelt").advice.startswith("Remove")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({f"{OTLP}_ENDPOINT": "http://c:4318", f"{OTLP}_PROTOCOL": "grpc"}, "against port 4318"),
        ({f"{OTLP}_ENDPOINT": "http://c:4317/v1/traces"}, "path /v1/traces"),
        (
            {f"{OTLP}_ENDPOINT": "http://c/v1/traces", f"{OTLP}_PROTOCOL": "grpc"},
            "path /v1/traces",
        ),
        (
            {f"{OTLP}_ENDPOINT": "http://c:4317", f"{OTLP}_PROTOCOL": "http/protobuf"},
            "against port 4317",
        ),
        ({f"{OTLP}_ENDPOINT": "http://c:4318/v1/traces"}, "ends in /v1/traces"),
        ({f"{OTLP}_TRACES_ENDPOINT": "http://c:4318"}, "no /v1/traces at its end"),
        (
            {
                f"{OTLP}_ENDPOINT": "http://a:4318",
                f"{OTLP}_LOGS_ENDPOINT": "http://b:4318/v1/logs",
            },
            "logs go to the first",
        ),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, "nothing is sent there"),
        ({"CLARITY_DISABLED": "true", f"{OTLP}_ENDPOINT": "http://c"}, "nothing is sent there"),
        (
            {"OTEL_TRACES_EXPORTER": "none", f"{OTLP}_TRACES_ENDPOINT": "http://c/v1/traces"},
            "nothing goes there",
        ),
        (
            {
                "CLARITY_METRICS_ENABLED": "false",
                f"{OTLP}_METRICS_ENDPOINT": "http://c/v1/metrics",
            },
            "CLARITY_METRICS_ENABLED=false",
        ),
        (
            {"CLARITY_METRICS_ENABLED": "false", "OTEL_METRICS_EXPORTER": "otlp"},
            "OTEL_METRICS_EXPORTER is set, and yet CLARITY_METRICS_ENABLED=false",
        ),
        (
            {f"{OTLP}_ENDPOINT": "http://c", f"{OTLP}_CERTIFICATE": __file__},
            "goes without TLS",
        ),
        (
            {f"{OTLP}_ENDPOINT": "https://c", f"{OTLP}_CLIENT_KEY": __file__},
            "without the other half",
        ),
        ({f"{OTLP}_ENDPOINT": "https://c", f"{OTLP}_INSECURE": "true"}, "does not count"),
        (
            {
                "OTEL_SERVICE_NAME": "a",
                "OTEL_RESOURCE_ATTRIBUTES": "service.name=b",
            },
            "the first counts",
        ),
        ({"OTEL_PYTHON_DISTRO": "clarity"}, "takes half"),
    ],
)
def test_settings_that_contradict_each_other(environ: dict[str, str], words: str) -> None:
    """Both halves are named, with what to change."""
    told = [one for one in found(environ) if one.id == "settings.contradiction"]
    assert any(words in one.what for one in told), [one.what for one in told]
    assert all(one.level in ("warning", "problem") for one in told)


@pytest.mark.parametrize(
    ("environ", "words", "advice"),
    [
        ({"CLARITY_METRICS_ENABLED": "false"}, "=false.", "Unset CLARITY_METRICS_ENABLED"),
        ({"OTEL_METRICS_EXPORTER": "none"}, "=none.", "Set OTEL_METRICS_EXPORTER=otlp"),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, "=prometheus.", "Set OTEL_METRICS_EXPORTER=otlp"),
    ],
)
def test_a_signal_that_is_not_sent_is_told_why(
    environ: dict[str, str], words: str, advice: str
) -> None:
    """The advice names what switches it off."""
    finding = only(found(environ), "settings.not_sent")
    assert finding.what.startswith("Metrics are not sent by OTLP")
    assert finding.what.endswith(words)
    assert finding.advice.startswith(advice)


SDK = {"CLARITY_ENGINE": "sdk"}
NO_METRICS = {"CLARITY_METRICS_ENABLED": "false"}


@pytest.mark.parametrize(
    ("environ", "names", "remedy"),
    [
        ({**SDK, "CLARITY_GUARD": "3"}, ["CLARITY_GUARD"], "native engine"),
        (
            {**SDK, "CLARITY_SPOOL_DIR": "/spool", "CLARITY_SPOOL_LIMIT": "9"},
            ["CLARITY_SPOOL_DIR", "CLARITY_SPOOL_LIMIT"],
            "native engine",
        ),
        (
            {**SDK, "CLARITY_KEEP_SLOWER_THAN_S": "1"},
            ["CLARITY_KEEP_SLOWER_THAN_S"],
            "native engine",
        ),
        ({**NO_METRICS, "CLARITY_GUARD": "3"}, ["CLARITY_GUARD"], "CLARITY_METRICS_ENABLED"),
        ({**NO_METRICS, "CLARITY_METRICS_PORT": "9"}, ["CLARITY_METRICS_PORT"], "_ENABLED"),
    ],
)
def test_a_setting_that_has_no_effect_is_told(
    environ: dict[str, str], names: list[str], remedy: str
) -> None:
    """With why, and with what would let it count."""
    finding = only(found(environ), "settings.no_effect")
    assert finding.level == "warning"
    assert finding.evidence == {"variables": names}
    assert finding.what.startswith(" ".join([", ".join(names), "ha"]))
    assert remedy in finding.advice


def test_the_sdk_engine_by_itself_makes_a_setting_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the native module is missing as well as where CLARITY_ENGINE asks for it."""
    environ = {"CLARITY_GUARD": "3"}
    assert by_id(found(environ), "settings.no_effect") == []
    monkeypatch.setitem(sys.modules, "clarity_otel._native", None)
    assert only(found(environ), "settings.no_effect").evidence == {"variables": ["CLARITY_GUARD"]}


@pytest.mark.parametrize(
    ("environ", "name", "words"),
    [
        ({f"{OTLP}_PROTOCOL": "http/json"}, "settings.rejected", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.1"}, "settings.rejected", "is not used"),
        ({"OTEL_ENTITIES": "service{}"}, "settings.unsupported", "OTEL_ENTITIES"),
        ({"OTEL_SERVICE_NAME": '"shop"'}, "settings.quoted", "quotation mark"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "settings.sampling", "keeps no new trace"),
        ({f"{OTLP}_TIMEOUT": "10"}, "settings.milliseconds", "are milliseconds"),
        ({"OTEL_PROPAGATORS": "tracecontxt"}, "settings.rejected", "tracecontxt"),
        ({"OTEL_PROPAGATORS": "quux"}, "settings.rejected", "quux"),
        ({"CLARITY_PROPAGATION_HOSTS": "a:1"}, "settings.rejected", "a:1"),
        (
            {"CLARITY_CORRELATION_HOSTS": "http://user:hun/ter2@c"},
            "settings.rejected",
            "it is left out",
        ),
        (
            {f"{OTLP}_ENDPOINT": "http://user:hun/ter2@c:4318"},
            "settings.rejected",
            "cannot be read",
        ),
        ({"CLARITY_MASKING": "false"}, "settings.masking", "leave the service as they are"),
        ({"CLARITY_MASK_FILE": "/no/such.toml"}, "settings.masking", "/no/such.toml"),
        (
            {
                f"{OTLP}_ENDPOINT": "http://c.example:4318",
                f"{OTLP}_HEADERS": "authorization=hunter2",
            },
            "settings.clear_text",
            "authorization",
        ),
        (
            {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "fast-api"},
            "settings.misspelt",
            "fast-api",
        ),
    ],
)
def test_settings_that_do_not_do_what_was_meant(
    environ: dict[str, str], name: str, words: str
) -> None:
    """Each is a warning or more that names the setting, and shows no secret."""
    findings = found(environ)
    told = [one for one in findings if one.id == name]
    assert any(words in one.what for one in told), [one.what for one in findings]
    assert all(one.level in ("warning", "problem") and one.advice for one in told)
    assert "hunter2" not in text_of(findings)
    assert "ter2" not in text_of(findings)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CLARITY_MASK_PATTERNS", "badge=([", "'badge' is not usable"),
        ("CLARITY_MASK_RULES_ON", "ipp", 'no rule "ipp"'),
        ("CLARITY_MASK_RULES_OFF", "emial", 'no rule "emial"'),
        ("CLARITY_MASK_FILE", "broken.toml", "cannot be read"),
        ("CLARITY_MASK_FILE", "latin.toml", "cannot be read"),
        ("CLARITY_MASK_FILE", "missing.toml", "is not a file that can be read"),
    ],
)
def test_a_masking_rule_that_is_refused_is_a_problem(
    name: str, value: str, words: str, doctor: Doctor, tmp_path: Path
) -> None:
    """The service would leave it out: said once, with the variable, and the exit code is 1."""
    (tmp_path / "broken.toml").write_text("keys = [")
    (tmp_path / "latin.toml").write_bytes(b'keys = ["\xe4"]')
    off = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    run = doctor("--no-send", **off, **{name: value})
    (finding,) = run.of("settings.masking")
    assert (run.code, finding["level"]) == (1, "problem")
    assert words in finding["what"]
    assert finding["evidence"]["variable"] == name
    assert name in finding["advice"] or "path" in finding["advice"]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {f"{OTLP}_ENDPOINT": "http://otel-collector:4317"},
        {f"{OTLP}_ENDPOINT": "http://otel-collector:4318", f"{OTLP}_PROTOCOL": "http/protobuf"},
        {f"{OTLP}_ENDPOINT": "https://c.example", f"{OTLP}_HEADERS": "authorization=x"},
        {f"{OTLP}_TRACES_ENDPOINT": "http://c:4318/v1/traces"},
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "redis,fastapi"},
    ],
)
def test_usual_settings_are_not_complained_of(environ: dict[str, str]) -> None:
    """What the documentation shows is neither a warning nor a problem."""
    assert [one.what for one in found(environ) if one.level not in ("ok", "info")] == []


@pytest.mark.parametrize(
    "address",
    [
        "http://user:hun/ter2@c:4318",
        "http://user:hun?ter2@c:4318",
        "http://user:hun#ter2@c:4318",
        "http://user:hunter2@c:port",
        "ftp://user:hunter2@c",
        "http://user:hunter2@c:4318/?key=hunter2",
    ],
)
def test_no_part_of_a_password_in_an_address_is_told(address: str) -> None:
    """Neither in its place nor where it was taken for a port or a path."""
    for name in (f"{OTLP}_ENDPOINT", f"{OTLP}_TRACES_ENDPOINT", "JAEGER_ENDPOINT"):
        told = text_of(found({name: address}))
        assert "hun" not in told
        assert "ter2" not in told


def test_a_native_module_that_does_not_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is told, and what is done about it; the sdk engine runs meanwhile."""
    monkeypatch.setitem(sys.modules, "clarity_otel._native", None)
    finding = only(engine.check(load({})), "engine.native")
    assert finding.level == "problem"
    assert finding.evidence["engine"] == "sdk"
    assert "force-reinstall" in finding.advice


def test_a_python_without_a_gil_is_no_broken_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own sentence, as a warning; of the two ways out none is another wheel."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    finding = only(engine.check(load({})), "engine.native")
    assert finding.level == "warning"
    assert str(interpreters.why_no_native()) in finding.what
    assert finding.evidence["engine"] == "sdk"
    assert "PYTHON_GIL=1" in finding.advice
    assert "nstall" not in finding.advice
    assert "without the GIL" in only(versions.check(), "versions.python").what


def test_tested_pythons_are_those_of_the_matrix() -> None:
    """What the doctor calls tested has results, and what has results is called tested."""
    rows = json.loads(KEPT.read_text(encoding="utf-8"))["versions"].values()
    tried = {tuple(map(int, row["python"].split("."))) for row in rows}
    assert (min(tried), max(tried)) == (versions.OLDEST_PYTHON, versions.NEWEST_PYTHON)


def test_tried_versions_are_those_of_the_matrix() -> None:
    """The oldest and the newest minor of each library, and of OpenTelemetry, that have results."""
    rows = json.loads(KEPT.read_text(encoding="utf-8"))["versions"].values()
    tried: dict[str, set[tuple[int, ...]]] = {}
    for row in rows:
        for name, version in row["versions"].items():
            minor = tuple(map(int, version.replace("b", ".").split(".")[:2]))
            tried.setdefault(name, set()).add(minor)
    del tried["opentelemetry-instrumentation"]  # its releases go with the API's
    assert {name: (min(of), max(of)) for name, of in tried.items()} == versions.TRIED


def test_the_oldest_tried_api_is_the_oldest_that_is_asked_for() -> None:
    """An install that pip allows is none that the doctor calls too old."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = next(row for row in project["dependencies"] if "exporter-otlp" in row)
    assert asked.partition(">=")[2] == ".".join(map(str, versions.OLDEST_API))


@pytest.mark.parametrize(
    ("version", "level", "what"),
    [
        ("1.43.2", "warning", "older than 1.44, the oldest that was tried"),
        ("1.44.0", "ok", ""),
        ("1.99.0", "info", "newer than 1.45, the newest that was tried"),
    ],
)
def test_an_api_that_was_not_tried_is_told(
    version: str, level: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old one lacks what we call, which is a warning; a new one may be well."""
    monkeypatch.setattr(versions, "version_of", lambda name: version)
    finding = only(versions.check(), "versions.opentelemetry")
    assert finding.level == level
    assert what in finding.what


@pytest.mark.parametrize("version", [(3, 10), (3, 99)])
def test_a_python_that_was_not_tested_is_a_warning(
    version: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may work: nobody has seen it."""
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    finding = only(versions.check(), "versions.python")
    assert finding.level == "warning"
    assert "not one that was tested" in finding.what


def test_the_engine_and_why() -> None:
    """The native one by default; the sdk one with what asked for it; off with what did that."""
    assert engine.check(load({}))[0].id == "engine.native"
    sdk = engine.check(load({"CLARITY_ENGINE": "sdk"}))[0]
    assert (sdk.id, sdk.level) == ("engine.sdk", "warning")
    by_file = engine.check(load({"OTEL_CONFIG_FILE": "otel.yaml"}))[0]
    assert "OTEL_CONFIG_FILE" in by_file.what
    assert engine.check(load({"OTEL_SDK_DISABLED": "true"}))[0].id == "engine.disabled"


def test_a_library_of_an_unknown_version_is_not_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The installed version, and those that are known, are in the finding."""
    (tmp_path / "redis-99.0.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    finding = only(patches.check(load({})), "patches.version")
    assert "redis is not traced: version 99.0.0" in finding.what
    off = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "redis"}
    assert only(patches.check(load(off)), "patches.switched_off").level == "info"


def test_the_sdk_engine_leaves_an_unknown_version_to_contrib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is traced, and not by us."""
    (tmp_path / "redis-99.0.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    found = only(patches.check(load({"CLARITY_ENGINE": "sdk"})), "patches.patched")
    libraries = found.evidence["libraries"]
    assert isinstance(libraries, dict)
    assert libraries["redis 99.0.0"].startswith("by its contrib instrumentor alone: version 99.0.0")


@pytest.mark.parametrize(
    ("version", "said"),
    [("0.23.0", "older than 0.27"), ("0.27.2", ""), ("0.99.0", "newer than 0.28")],
)
def test_a_traced_version_that_was_not_tried_is_told(
    version: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is patched, and what was tried is older, or newer."""
    (tmp_path / f"httpx-{version}.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    found = {finding.id: finding for finding in patches.check(load({}))}
    assert f"httpx {version}" in found["patches.patched"].what
    if said:
        assert found["patches.untried"].level == "info"
        assert f"httpx {version} ({said}" in found["patches.untried"].what
    else:
        assert "patches.untried" not in found
