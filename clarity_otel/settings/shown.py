"""Values as text for people: `clarity config`, `--dry-run` and the documentation."""

from __future__ import annotations

from clarity_otel.settings.kinds import RATE, RATE_UNITS
from clarity_otel.settings.otlp import without_userinfo
from clarity_otel.settings.variables import BY_NAME, Variable

MASKED = "****"
# What a name says about a value that this table does not know.
_SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "KEY", "HEADERS", "CREDENTIAL", "WEBHOOK")


def shown(variable: Variable, value: object) -> str:
    """Return a value as one would write it in the environment, secrets masked."""
    if value is None or value in ((), {}, ""):
        return ""
    if variable.secret:
        return MASKED
    if isinstance(value, bool):
        return str(value).lower()
    if variable.kind is RATE and isinstance(value, tuple):
        count, period_s = value
        return f"{count}/{RATE_UNITS[period_s]}"
    if isinstance(value, tuple):
        return masked(",".join(map(str, value)))
    if isinstance(value, dict):
        return ",".join(f"{key}={_masked(key, text)}" for key, text in value.items())
    text = str(value)
    return masked(without_userinfo(text) if _is_address(variable.name) else text)


def shown_text(name: str, text: str) -> str:
    """Return the text of any environment variable, masked where it may be a secret."""
    variable = BY_NAME.get(name)
    if variable is None:
        return _masked(name, text)
    if variable.secret:
        return MASKED
    return masked(without_userinfo(text) if _is_address(name) else text)


def masked(text: str) -> str:
    """Return text without what the masking rules know to be secret, whatever its name says."""
    from clarity_otel.masking import mask_text

    return mask_text(text)


def _is_address(name: str) -> bool:
    return "ENDPOINT" in name or name.endswith("_URL")


def _masked(name: str, text: str) -> str:
    upper = name.upper()
    return MASKED if any(word in upper for word in _SECRET_WORDS) else masked(text)
