"""Settings from their sources: defaults, environment, options, Python.

Nothing here raises for a wrong value in the environment: the app must run. What
is wrong becomes a sentence in `Settings.warnings`, and the default is used.
"""

from __future__ import annotations

from clarity_otel.settings import otlp
from clarity_otel.settings.kinds import why_no_host
from clarity_otel.settings.shown import masked, shown_text
from clarity_otel.settings.values import Settings
from clarity_otel.settings.variables import (
    BY_FIELD,
    BY_NAME,
    HOST_LISTS,
    NOT_SUPPORTED,
    PATTERN_LISTS,
    SIGNALS,
    STANDARD_SAMPLERS,
    VARIABLES,
    Variable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT = "default"
ENVIRONMENT = "environment"
OPTION = "option of clarity-instrument"
PYTHON = "setup_observability"

SHORTEST_EXPORT_INTERVAL_MS = 100
_BUILT_IN_EXPORTERS = ("otlp", "console", "none")
# /metrics is there anyway.
_SHOWN_ALONE = {"metrics": "prometheus"}
# Exporters named by their transport, as the stock distro knows them.
_OTLP_NAMES = {"otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}


def load(environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Settings:
    """Read all settings. Fast (under 1 ms) and without side effects.

    `overrides` are values given in Python, by field; they win over the environment.
    They come from the app's own code, so a wrong one raises: TypeError or ValueError
    with the setting's name, TypeError for a name that no setting has. Wrong values in
    `environ` become warnings.
    """
    reader = _Reader(environ)
    if not overrides:
        return reader.settings()
    reader.override(overrides)
    settings = reader.settings()
    _raise_for_what_python_gave(settings.warnings, overrides)
    return settings


def _raise_for_what_python_gave(warnings: Iterable[str], overrides: Mapping[str, object]) -> None:
    """Raise ValueError for a value whose kind is right and that cannot be used all the same."""
    given = {BY_FIELD[field].name: field for field in overrides if field in BY_FIELD}
    for sentence in warnings:
        name = sentence.partition("=")[0].partition(" ")[0]
        # What contradicts the environment is no mistake of the app's.
        if name in given and "is not used, because" not in sentence:
            what = sentence.removeprefix(name).rpartition("; ")[0]
            raise ValueError(given[name] + what)


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.values: dict[str, object] = {}
        self.sources: dict[str, str] = {}
        self.warnings: list[str] = []
        self.notes: list[str] = []
        by_option = environ.get("CLARITY_LAUNCH_OPTIONS", "").split(",")
        for variable in VARIABLES:
            name = variable.name
            text = environ.get(name)
            # An empty variable counts as unset (specification, Parsing empty value).
            if not text or not text.strip():
                self._use_default(variable)
                continue
            if variable.status == NOT_SUPPORTED:
                self.warnings.append(f"{name} is not supported: {variable.note}.")
            try:
                self.values[name] = variable.kind.from_text(text)
            except ValueError as error:
                self._reject(variable, text, str(error))
            else:
                self.sources[name] = OPTION if name in by_option else ENVIRONMENT

    def _use_default(self, variable: Variable) -> None:
        self.values[variable.name] = variable.default
        self.sources[variable.name] = DEFAULT

    def _reject(self, variable: Variable, text: str, reason: str) -> None:
        self._use_default(variable)
        # A header list holds credentials: its value is not repeated, right or wrong.
        shown = variable.name
        if not variable.secret:
            shown += f"={shown_text(variable.name, text)[:80]}"
        default = _shown_default(variable)
        self.warnings.append(f"{shown} {reason}; {default} is used.")

    def override(self, overrides: Mapping[str, object]) -> None:
        for field, value in overrides.items():
            if field == "trace_sampling_rate":
                self._override_sampling_rate(value)
                continue
            variable = BY_FIELD.get(field)
            if variable is None or variable.status in (NOT_SUPPORTED, "internal", "passed on"):
                raise TypeError(
                    f"{field} is not a setting of setup_observability; "
                    "`clarity config` lists all of them"
                )
            if value is None:
                self._use_default(variable)
            else:
                self.values[variable.name] = _checked(variable, field, value)
            self.sources[variable.name] = PYTHON

    def _override_sampling_rate(self, value: object) -> None:
        from clarity_otel.settings.kinds import RATIO

        try:
            rate = RATIO.from_value(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"trace_sampling_rate={value!r} {error}") from None
        for name, text in (
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", str(rate)),
        ):
            self.values[name] = text
            self.sources[name] = PYTHON

    def settings(self) -> Settings:
        values = self.values
        self._choose_engine()
        ratio = self._sampling_ratio()
        exporters = self._exporters("traces")
        if self.values["OTEL_TRACE_CONSOLE"]:
            exporters = tuple(dict.fromkeys((*exporters, "console")))
        log_exporters = self._exporters("logs")
        metric_exporters = self._exporters("metrics") if values["CLARITY_METRICS_ENABLED"] else ()
        self._check_export_interval()
        self._check_files()
        self._check_hosts()
        self._check_patterns()
        self._check_batch_size()
        timeout = values["OTEL_BSP_EXPORT_TIMEOUT"] or otlp.NO_LIMIT_MS
        configs = {
            signal: otlp.resolve(signal, values, self.warnings.append, self.notes.append)
            for signal in SIGNALS
        }
        attributes: dict[str, object] = {
            variable.field: values[variable.name] for variable in VARIABLES
        }
        attributes.update(
            is_disabled=bool(values["CLARITY_DISABLED"] or values["OTEL_SDK_DISABLED"]),
            sampling_ratio=ratio,
            exporters=exporters,
            log_exporters=log_exporters,
            metric_exporters=metric_exporters,
            metrics_temporality=values["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"],
            metrics_exponential=str(
                values["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"]
            ).startswith("base2"),
            # Design bound: nobody waits for telemetry longer than 5 s at the end.
            shutdown_timeout_ms=min(int(timeout), 5000),  # type: ignore[call-overload]
            # The generic endpoint's warning would come once for each signal.
            warnings=tuple(dict.fromkeys(self.warnings)),
            notes=tuple(dict.fromkeys(self.notes)),
            sources=self.sources,
            _values=values,
            _exporter_configs=configs,
        )
        return Settings(attributes)

    def _choose_engine(self) -> None:
        """Hand over to the sdk engine where a setting needs code written in Python."""
        values = self.values
        if values["OTEL_CONFIG_FILE"] is None:
            values["OTEL_CONFIG_FILE"] = values["OTEL_EXPERIMENTAL_CONFIG_FILE"]
            self.sources["OTEL_CONFIG_FILE"] = self.sources["OTEL_EXPERIMENTAL_CONFIG_FILE"]
        if values["OTEL_CONFIG_FILE"]:
            self._use_sdk("OTEL_CONFIG_FILE is set", "the SDK reads that file")
        sampler = str(values["OTEL_TRACES_SAMPLER"]).lower()
        values["OTEL_TRACES_SAMPLER"] = sampler
        if sampler not in STANDARD_SAMPLERS:
            if _is_installed("opentelemetry_traces_sampler", sampler):
                self._use_sdk(f"OTEL_TRACES_SAMPLER={sampler}", "that sampler is written in Python")
            else:
                self._reject(
                    BY_NAME["OTEL_TRACES_SAMPLER"],
                    sampler,
                    f"is neither a standard sampler ({', '.join(STANDARD_SAMPLERS)}) "
                    "nor an installed one",
                )
        if values["OTEL_PYTHON_ID_GENERATOR"] != "random":
            self._use_sdk("OTEL_PYTHON_ID_GENERATOR is set", "that generator is written in Python")
        if values["OTEL_PYTHON_TRACER_CONFIGURATOR"]:
            self._use_sdk(
                "OTEL_PYTHON_TRACER_CONFIGURATOR is set", "that function is written in Python"
            )

    def _use_sdk(self, setting: str, reason: str) -> None:
        if self.values["CLARITY_ENGINE"] != "sdk":
            self.values["CLARITY_ENGINE"] = "sdk"
            self.notes.append(f"{setting}: {reason}, so the sdk engine is used.")

    def _sampling_ratio(self) -> float:
        sampler = str(self.values["OTEL_TRACES_SAMPLER"])
        argument = self.values["OTEL_TRACES_SAMPLER_ARG"]
        if sampler.endswith("always_off"):
            return 0.0
        if not sampler.endswith("traceidratio"):
            if argument is not None and sampler in STANDARD_SAMPLERS:
                self.warnings.append(
                    f"OTEL_TRACES_SAMPLER_ARG={argument} is not used, because "
                    f"OTEL_TRACES_SAMPLER is {sampler}; set it to parentbased_traceidratio."
                )
            return 1.0
        if argument is None:
            return 1.0
        from clarity_otel.settings.kinds import RATIO

        try:
            return float(RATIO.from_text(str(argument)))  # type: ignore[arg-type]
        except ValueError as error:
            self._reject(BY_NAME["OTEL_TRACES_SAMPLER_ARG"], str(argument), str(error))
            return 1.0

    def _exporters(self, signal: str) -> tuple[str, ...]:
        variable = f"OTEL_{signal.upper()}_EXPORTER"
        names: list[str] = []
        for name in self.values[variable]:  # type: ignore[attr-defined]
            if name in _OTLP_NAMES:
                protocol = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL"
                self.values[protocol] = _OTLP_NAMES[name]
                self.sources[protocol] = self.sources[variable]
                names.append("otlp")
            elif name in (*_BUILT_IN_EXPORTERS, _SHOWN_ALONE.get(signal)) or _is_installed(
                f"opentelemetry_{signal}_exporter", name
            ):
                names.append(name)
            else:
                hint = "; write console" if name == "logging" else ""
                self.warnings.append(
                    f"{variable} names {name}, which is neither otlp, console or none "
                    f"nor an installed exporter; it is left out{hint}."
                )
        if "none" in names:
            return ()
        names = names or ["otlp"]
        return tuple(name for name in dict.fromkeys(names) if name != _SHOWN_ALONE.get(signal))

    def _check_files(self) -> None:
        """Replace a certificate file that cannot be read, while a sentence can still say so."""
        from os import R_OK, access

        for variable in VARIABLES:
            path = self.values[variable.name]
            if not path or not variable.name.endswith(("CERTIFICATE", "CLIENT_KEY")):
                continue
            if not access(str(path), R_OK):
                self._use_default(variable)
                self.warnings.append(
                    f"{variable.name}={path} is not a file that can be read; it is left out."
                )

    def _check_hosts(self) -> None:
        """Leave out what no host is ever called. A list of which nothing is left names no host."""
        for name in HOST_LISTS:
            entries: tuple[str, ...] = self.values[name]  # type: ignore[assignment]
            # A comma in a password cuts an address in two: neither half is shown.
            has_user = any("@" in entry for entry in entries)
            for entry in entries:
                reason = why_no_host(entry)
                if reason:
                    shown = "an entry with a user" if has_user else masked(entry)[:80]
                    self.warnings.append(f"{name} names {shown}, {reason}; it is left out.")
            self.values[name] = tuple(entry for entry in entries if not why_no_host(entry))

    def _check_patterns(self) -> None:
        """Take what is no regular expression as the text that it is.

        What an entry is to keep back stays back: a header, a path with a lone bracket.
        """
        for name in PATTERN_LISTS:
            entries: tuple[str, ...] | None = self.values[name]  # type: ignore[assignment]
            if not entries:
                continue
            # Only for those who set one: re takes 6 ms at the start of a process.
            import re

            usable = list(entries)
            for at, entry in enumerate(entries):
                try:
                    re.compile(entry)
                except (re.error, OverflowError, RecursionError) as error:
                    self.warnings.append(
                        f"{name} names {masked(entry)[:80]}, which is no regular expression "
                        f"({error}); it is taken literally."
                    )
                    usable[at] = re.escape(entry)
            self.values[name] = tuple(usable)

    def _check_export_interval(self) -> None:
        variable = BY_NAME["OTEL_METRIC_EXPORT_INTERVAL"]
        interval_ms = self.values[variable.name]
        if isinstance(interval_ms, int) and interval_ms < SHORTEST_EXPORT_INTERVAL_MS:
            self._reject(
                variable, str(interval_ms), f"is below {SHORTEST_EXPORT_INTERVAL_MS} milliseconds"
            )

    def _check_batch_size(self) -> None:
        for largest, most in (
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "OTEL_BLRP_MAX_QUEUE_SIZE"),
        ):
            batch, queue = self.values[largest], self.values[most]
            if isinstance(queue, int) and isinstance(batch, int) and batch > queue:
                self._reject(BY_NAME[largest], str(batch), f"is more than {most} ({queue})")


def _shown_default(variable: Variable) -> str:
    default = variable.default
    if default is None or default == () or default == {}:
        return "no value"
    if isinstance(default, bool):
        default = str(default).lower()
    if isinstance(default, tuple):
        default = ",".join(default)
    return f"the default {default}"


def _checked(variable: Variable, field: str, value: object) -> object:
    try:
        return variable.kind.from_value(value)
    except (TypeError, ValueError) as error:
        shown = field if variable.secret else f"{field}={masked(repr(value))}"
        raise type(error)(f"{shown} {error}") from None


def _is_installed(group: str, name: str) -> bool:
    # Imported only for names that are not standard: importlib.metadata takes 30 ms.
    from importlib.metadata import entry_points

    return bool(tuple(entry_points(group=group, name=name)))
