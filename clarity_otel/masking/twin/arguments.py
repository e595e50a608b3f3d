"""What an item of a list of arguments says of the next one; see native/src/mask/arguments.rs."""

from __future__ import annotations

from collections.abc import Callable

from clarity_otel.masking.twin import keys
from clarity_otel.masking.twin.words import ALNUM, DIGITS, run

_WHOLE = ("any", "line", "scheme")
# Options before `user:password`.
_USER = ("-u", "-U", "--user", "--proxy-user")
_NAME = ALNUM | frozenset("_-.@")


class Arguments:
    """The arguments of one command, seen in order."""

    def __init__(self, lookup: Callable[[str], tuple[str, str] | None]) -> None:
        self._lookup = lookup
        self._password = ""
        self._is_docker = False

    def next(self, argument: str) -> tuple[str, str] | None:
        """Return the rule for what follows `argument`."""
        if not argument.startswith("-"):
            self._command(argument)
            return None
        if argument in _USER:
            return "password", "user"
        if len(argument) > 2:
            name = keys.option_key(argument)
            rule = self._lookup(name) if name else None
            return rule if rule and rule[1] in _WHOLE else None
        return ("password", "any") if argument == self._password else None

    def _command(self, argument: str) -> None:
        match argument[argument.rfind("/") + 1 :]:
            case "sshpass":
                self._password = "-p"
            case "redis-cli":
                self._password = "-a"
            case "docker":
                self._is_docker = True
            # Of any other of its commands -p are ports.
            case "login" if self._is_docker:
                self._password = "-p"


def is_user(value: str) -> bool:
    """Whether a text is `ann:password`; two numbers are a user's and a group's id."""
    name = run(value, 0, 64, _NAME)
    password = value[name + 1 :]
    return (
        name > 0
        and value.startswith(":", name)
        and bool(password)
        and not set(password) <= DIGITS
        and " " not in password
        and not keys.is_placeholder(password, quoted=False)
    )
