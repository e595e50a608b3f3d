"""OTEL_CONFIG_FILE: whether the service can use it, asked of a process that is started like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clarity_otel.doctor import child
from clarity_otel.doctor.findings import Finding, info, plain, problem, sentence

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_MODULE = "clarity_otel.doctor.configured"
_TIMEOUT_S = 25.0


def check(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Return an info where the file is used, else a problem. Raises OSError.

    `is_used` of its evidence is false where the service goes on with the other variables.
    """
    told = child.run(_MODULE, [], environ, {}, _TIMEOUT_S)
    file = plain(settings.config_file, 200)
    if "failure" not in told.result:
        return [
            problem(
                "target.config_file",
                f"Whether OTEL_CONFIG_FILE={file} is used is not known: a process with it "
                f"{'did not start in time' if told.is_late else 'ended before it could tell'}.",
                "Look at what it printed last; run it by hand: clarity-instrument python -c pass",
                {"file": file, "exit_code": told.exit_code, "printed": told.said},
            )
        ]
    failure = told.result["failure"]
    if failure:
        return [
            problem(
                "target.config_file",
                f"OTEL_CONFIG_FILE={file} is not used, the other variables are: "
                f"{sentence(plain(failure, 300))}",
                "Mend what it says, or unset OTEL_CONFIG_FILE where the variables are enough.",
                {"file": file, "is_used": False, "error": plain(failure, 300)},
            )
        ]
    return [
        info(
            "target.config_file",
            "Targets were not looked at: they stand in OTEL_CONFIG_FILE.",
            {"file": file, "is_used": True},
            "Set OTEL_EXPORTER_OTLP_ENDPOINT instead, if you need no more than that.",
        )
    ]
