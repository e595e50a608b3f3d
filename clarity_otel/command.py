"""What a command line runs: the program, the tool it may be, the service's name.

Works on `sys.orig_argv` of a Python process and on the arguments of
clarity-instrument, with builtins only. Nothing of a command line but the name
found here is ever sent: arguments hold secrets.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Programs that take the application as `module:attribute` or `module`.
_WEB_SERVERS = ("uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "fastapi", "flask")
_TASK_SERVERS = ("celery", "dramatiq", "arq", "faststream", "taskiq")
_SERVERS = frozenset((*_WEB_SERVERS, *_TASK_SERVERS))
_APP_OPTIONS = ("-A", "--app")
_INTERPRETERS = ("python", "pypy")


class Command:
    """A Python program and its arguments.

    `kind` is script, module (-m), code (-c) or none (standard input, the prompt);
    `target` is the script's path, the module's name or the code.
    """

    __slots__ = ("arguments", "kind", "target")

    def __init__(self, kind: str, target: str, arguments: Sequence[str]) -> None:
        self.kind = kind
        self.target = target
        self.arguments = tuple(arguments)


def parse(argv: Sequence[str]) -> Command:
    """Read a command line that begins with an interpreter, or with a script itself."""
    if not argv:
        return Command("none", "", ())
    if program_name(argv[0]).startswith(_INTERPRETERS):
        return parse_interpreter(argv)
    return Command("script", argv[0], argv[1:])


def parse_interpreter(argv: Sequence[str]) -> Command:
    """Read a command line whose first item is the interpreter, whatever it is called."""
    index = 1
    while index < len(argv):
        argument = argv[index]
        index += 1
        if argument == "--check-hash-based-pycs":
            index += 1
        elif argument == "-":
            return Command("none", "", argv[index:])
        elif argument == "--":
            break
        elif argument.startswith("--"):
            continue
        elif argument.startswith("-"):
            # Options may stand together, as in -Ic; the first that takes a value ends them.
            for at, option in enumerate(argument[1:], start=2):
                if option in "cmWX":
                    value = argument[at:]
                    if not value and index < len(argv):
                        value = argv[index]
                        index += 1
                    if option in "cm":
                        return Command("code" if option == "c" else "module", value, argv[index:])
                    break
        else:
            return Command("script", argument, argv[index:])
    if index < len(argv):
        return Command("script", argv[index], argv[index + 1 :])
    return Command("none", "", ())


def program_name(path: str) -> str:
    """Return a program's name without its folder and extension."""
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    for extension in (".py", ".pyw", ".pyz", ".exe"):
        name = name.removesuffix(extension)
    return name


def tool_name(command: Command) -> str:
    """Return the name under which a tool is listed: pip for pip3.12 and for -m pip."""
    if command.kind == "module":
        return command.target.partition(".")[0]
    if command.kind == "script":
        return program_name(command.target).rstrip("0123456789.")
    return ""


def is_multiprocessing_worker(command: Command) -> bool:
    """Whether this is a worker that multiprocessing starts anew (not its resource tracker)."""
    return command.kind == "code" and (
        "multiprocessing.spawn import spawn_main" in command.target
        or "multiprocessing.forkserver import main" in command.target
    )


def service_name(command: Command) -> str | None:
    """Return the name of the app's package or module, None where the command does not tell.

    `uvicorn shop.app:app` is shop, `python app.py` is app, `python -m shop.cli` is shop.
    """
    if command.kind == "module":
        name = command.target
    elif command.kind == "script":
        name = program_name(command.target)
        if name == "__main__":
            name = program_name(command.target.replace("\\", "/").rpartition("/")[0])
    else:
        return None
    if name.partition(".")[0] in _SERVERS:
        module = _application(command.arguments)
        return _package_of(module) if module else None
    return _package_of(name) if command.kind == "module" else name or None


def _application(arguments: Sequence[str]) -> str | None:
    """Return the module of the app among a server's arguments."""
    without_attribute = None
    previous = ""
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if option in _APP_OPTIONS and equals:
            return value.partition(":")[0] or None
        module, colon, attribute = argument.partition("(")[0].partition(":")
        if _is_dotted_name(module):
            # `--bind unix:app.sock` is a socket.
            if colon and module != "unix" and _is_dotted_name(attribute):
                return module
            if previous in _APP_OPTIONS:
                return module
            # The word after an option is most often its value.
            if not colon and not previous.startswith("-"):
                without_attribute = module
        elif argument.endswith(".py") and not argument.startswith("-") and previous[:1] != "-":
            without_attribute = program_name(argument)
        previous = argument
    return without_attribute


def _package_of(module: str) -> str:
    """Return the package that holds a module, by its own name; a lone module is itself."""
    package, _, _ = module.rpartition(".")
    return (package or module).rpartition(".")[2]


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
