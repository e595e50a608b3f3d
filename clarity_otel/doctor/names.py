"""Variables that nothing reads because their name is misspelt, with the nearest right one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from clarity_otel.doctor.findings import Finding, info, plain, warning
from clarity_otel.settings.variables import BY_NAME, INTERNAL, NOT_SUPPORTED, SIGNALS

_PREFIXES = ("OTEL_", "CLARITY_")
# Settings of ours without such a beginning; SMTP_ is everybody's.
_OTHER_PREFIXES = ("JAEGER_", "SLACK_", "PAGERDUTY_")
# Beginnings that are taken for ours, such as OTLP_EXPORTER_… or OPENTELEMETRY_SERVICE_NAME.
_SLIPS = {"OTLP": "OTEL", "OLTP": "OTEL", "OPENTELEMETRY": "OTEL", "CLARITYOTEL": "CLARITY"}
# What is often written for OTEL_EXPORTER_OTLP_ENDPOINT.
_INVENTED = re.compile(r"OTEL_COLLECTOR_(ENDPOINT|URL)")
# As near as a letter or two in a name of ten, where the beginning is ours.
_NEAR = 0.84
# Where it is anything: one slip, and two in a name as long as OTEL_RESOURCE_ATTRIBUTES. Two in a
# shorter one make another word of its beginning: MODEL_LOG_LEVEL.
_LONG = 24
# Words that are one slip away from a beginning of ours.
_WORDS = ("HOTEL_", "MOTEL_", "CHARITY_")
_MOST = 20

# What others read, or write: other languages' agents, the operator of Kubernetes, other packages.
_OF_OTHERS = re.compile(
    r"OTEL_(JAVA|JAVAAGENT|NODE|DOTNET|GO|PHP|RUBY|RUST|ERLANG|SWIFT|CPP|LAMBDA|AWS)_"
    r"|OTEL_RESOURCE_ATTRIBUTES_|OTEL_INSTRUMENTATION_[A-Z0-9]+_|OTEL_INJECTOR|OTEL_OPERATOR"
    r"|OTEL_EXPORTER_(JAEGER|OTLP_[A-Z]+_MTLS)|OTEL_SEMCONV|OTEL_EBPF_|OTEL_COLLECTOR"
)
# Kubernetes tells each container of the services of its namespace, by their names. One that is
# a slip of ours, such as CLARITY_METRIICS_PORT, is taken for it.
_SERVICE_LINK = re.compile(r"[A-Z0-9_]+_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")
_PYTHON_FAMILY = re.compile(
    r"OTEL_PYTHON_[A-Z0-9_]+_(EXCLUDED_URLS|TRACED_REQUEST_ATTRS|INSTRUMENT)"
)


def check(environ: Mapping[str, str]) -> list[Finding]:
    """Return a finding for each variable that is like one of ours, and is none."""
    found = []
    for name in sorted(environ):
        if name in BY_NAME or not environ[name].strip():
            continue
        right = nearest(name)
        if right:
            found.append(_misspelt(name, right, environ))
        elif name.startswith("CLARITY_"):
            found.append(
                warning(
                    "settings.unknown",
                    f"{plain(name, 100)} is set, and Clarity OTel has no such setting.",
                    "Look its name up in docs/settings.md (`clarity config` prints all), or "
                    "remove it.",
                    {"variable": name},
                )
            )
        elif name.startswith("OTEL_") and not _is_known_elsewhere(name):
            found.append(
                info(
                    "settings.unknown",
                    f"{plain(name, 100)} is set, and nothing that is known here reads it.",
                    {"variable": name},
                    "Check its name, unless a package of yours reads it.",
                )
            )
    if len(found) > _MOST:
        left_out = len(found) - _MOST
        found[_MOST:] = [
            info(
                "settings.unknown", f"{left_out} more variables are like these.", {"more": left_out}
            )
        ]
    return found


def nearest(name: str) -> str:
    """Return the setting that a name was probably meant to be; empty where it is like none."""
    if name in BY_NAME or _PYTHON_FAMILY.fullmatch(name):
        return ""
    upper = name.upper()
    if upper in BY_NAME:
        return upper
    if _INVENTED.fullmatch(upper):
        return "OTEL_EXPORTER_OTLP_ENDPOINT"
    first, _, rest = upper.partition("_")
    wanted = f"{_SLIPS.get(first, first)}_{rest}"
    if first in _SLIPS and wanted in BY_NAME:
        return wanted
    if upper.startswith(_PREFIXES) and rest in BY_NAME:
        return rest  # LOG_LEVEL, and others that have no prefix
    candidates = [
        known
        for known, variable in BY_NAME.items()
        if variable.status != INTERNAL and "<" not in known
    ]
    slip = _slip_of(upper, candidates)
    if slip or _is_known_elsewhere(upper):
        return slip
    if wanted.startswith(_PREFIXES):
        near = difflib.get_close_matches(wanted, candidates, 1, _NEAR)
        return near[0] if near else _with_this_end(upper, candidates)
    if wanted.startswith(_OTHER_PREFIXES):
        return _with_these_words(upper, candidates)
    return ""


def _slip_of(name: str, candidates: list[str]) -> str:
    """Return the setting that is a slip or two away from a name, whatever it begins with."""
    if name.startswith(_WORDS):
        return ""
    near = [
        (slips, known)
        for known in candidates
        if _may_be_of(name, known) and (slips := distance(name, known)) <= _most_slips(known)
    ]
    return min(near, default=(0, ""))[1]


def _may_be_of(name: str, known: str) -> bool:
    """Whether a setting's name may be meant at all."""
    most = _most_slips(known)
    if known.startswith("SMTP_") or abs(len(name) - len(known)) > most:
        return False
    # A slip brings a letter at most, and takes one away. 2 us; the distance takes 200.
    if len(set(name) ^ set(known)) > 2 * most:
        return False
    if known.startswith((*_PREFIXES, *_OTHER_PREFIXES)):
        return True
    # LOG_LEVEL: others have BLOG_LEVEL, and LOGLEVEL.
    return name[0] == known[0] and name.count("_") == known.count("_")


def _most_slips(known: str) -> int:
    return 2 if len(known) >= _LONG else 1


def distance(one: str, other: str) -> int:
    """Return how many slips lie between two names: a letter more, less, another, or two turned.

    The optimal string alignment; 3 for three and more, as soon as that is known.
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            least = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        if min(*row, *last) > 2:
            return 3
        before, last = last, row
    return min(last[-1], 3)


def _with_these_words(name: str, candidates: list[str]) -> str:
    """Return the one setting that has all words of a name and more, as PAGERDUTY_KEY."""
    words = set(name.split("_"))
    found = [
        known
        for known in candidates
        if known.startswith(f"{name.partition('_')[0]}_") and words < set(known.split("_"))
    ]
    return found[0] if len(found) == 1 and len(words) > 1 else ""


def _with_this_end(name: str, candidates: list[str]) -> str:
    """Return the setting whose end the name is: OTEL_EXPORTER_OTLP_ENDPOINT for OTLP_ENDPOINT."""
    prefix, _, rest = name.partition("_")
    found = [
        known
        for end in (name, rest)
        if "_" in end
        for known in candidates
        if known.endswith(f"_{end}")
    ]
    if found or "_" in rest or rest == "ENABLED":
        return min(found, key=len, default="")
    # One word is the end of many (ENABLED of any switch): it has to be that of one setting
    # alone. What a setting is for one signal does not count beside what it is for all.
    found = [
        known
        for known in candidates
        if known.startswith(f"{prefix}_")
        and known.endswith(f"_{rest}")
        and BY_NAME[known].status != NOT_SUPPORTED
        and not _is_one_signals(known)
    ]
    return found[0] if len(found) == 1 else ""


def _is_one_signals(name: str) -> bool:
    """Whether a setting is another one's for one signal."""
    return any(
        f"_{signal.upper()}_" in name and name.replace(f"_{signal.upper()}_", "_") in BY_NAME
        for signal in SIGNALS
    )


def _is_known_elsewhere(name: str) -> bool:
    return bool(
        _OF_OTHERS.match(name) or _SERVICE_LINK.fullmatch(name) or _PYTHON_FAMILY.fullmatch(name)
    )


def _misspelt(name: str, right: str, environ: Mapping[str, str]) -> Finding:
    shown = plain(name, 100)
    if environ.get(right, "").strip():
        what = f"{shown} is set beside {right}, and is not read: it looks misspelt."
        advice = f"Remove {shown}; {right} counts."
    else:
        what = f"{shown} is not read: did you mean {right}?"
        advice = f"Rename it to {right}."
    return warning("settings.misspelt", what, advice, {"variable": name, "nearest": right})
