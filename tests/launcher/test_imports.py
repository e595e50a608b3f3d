"""Post-import hooks: a library is patched when the app imports it, and notices nothing."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import runpy
import sys
import threading
import traceback
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from types import ModuleType

import pytest

from clarity_otel import guard, imports


class Library:
    """A package of its own name in a temporary folder, and what was called for it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.calls: list[ModuleType] = []

    def write(self, path: str, text: str) -> None:
        file = self.folder / self.name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()

    def hook(self, submodule: str = "") -> str:
        name = f"{self.name}.{submodule}" if submodule else self.name
        imports.when_imported(name, self.calls.append)
        return name


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """An importable package that leaves nothing behind."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(guard, "_raises", True)
    made = Library(tmp_path, f"library_{tmp_path.name.replace('-', '_')}")
    yield made
    for name in [*sys.modules]:
        if name.partition(".")[0] == made.name:
            del sys.modules[name]
    imports.forget(made.name, made.calls.append)


def test_callback_runs_right_after_the_import(library: Library) -> None:
    """Once, with the complete module, before the importer goes on; never before."""
    library.write("__init__.py", "a = 1\n")
    name = library.hook()
    assert library.calls == []
    assert name not in sys.modules
    module = importlib.import_module(name)
    assert library.calls == [module]
    assert module.a == 1
    importlib.import_module(name)
    assert library.calls == [module]


def test_callback_runs_at_once_for_what_is_imported(library: Library) -> None:
    """An app that imports first and sets up later is served too."""
    library.write("__init__.py", "")
    module = importlib.import_module(library.name)
    library.hook()
    assert library.calls == [module]


def test_submodule_has_its_own_callback(library: Library) -> None:
    """Importing the package is not importing its parts."""
    library.write("__init__.py", "")
    library.write("inner/__init__.py", "")
    library.write("inner/part.py", "b = 2\n")
    library.hook("inner.part")
    importlib.import_module(library.name)
    assert library.calls == []
    importlib.import_module(f"{library.name}.inner.part")
    assert [module.b for module in library.calls] == [2]


def test_circular_import(library: Library) -> None:
    """The callback waits for the end of the outermost import of its module."""
    library.write("__init__.py", f"from {library.name} import other\nlate = 1\n")
    library.write("other.py", f"import {library.name}\n")
    library.hook()
    importlib.import_module(library.name)
    assert [module.late for module in library.calls] == [1]


def test_module_that_is_half_imported_is_served_when_complete(library: Library) -> None:
    """Asked for in the middle of its own import, it comes with the next import of anything."""
    library.write(
        "__init__.py",
        "from clarity_otel import imports\n"
        "calls = []\n"
        f"imports.when_imported({library.name!r}, lambda module: calls.append(module.late))\n"
        "late = 1\n",
    )
    library.write("other.py", "")
    module = importlib.import_module(library.name)
    importlib.import_module(f"{library.name}.other")
    assert module.calls == [1]


def test_reload_calls_again(library: Library) -> None:
    """A reloaded module has lost its patches."""
    library.write("__init__.py", "")
    library.hook()
    module = importlib.import_module(library.name)
    importlib.reload(module)
    importlib.reload(module)
    assert library.calls == [module] * 3


def test_namespace_package(library: Library) -> None:
    """A package without __init__.py is imported as it always is."""
    library.write("inner/part.py", "")
    library.hook()
    module = importlib.import_module(library.name)
    assert library.calls == [module]
    assert module.__file__ is None
    assert isinstance(module.__loader__, importlib.machinery.NamespaceLoader)
    importlib.import_module(f"{library.name}.inner.part")


def test_loader_that_modules_share() -> None:
    """Frozen and built-in modules have a class as their loader: it is not changed."""
    calls: list[ModuleType] = []
    sys.modules.pop("__hello__", None)
    imports.when_imported("__hello__", calls.append)
    module = importlib.import_module("__hello__")
    assert calls == [module]
    assert module.__spec__ is not None
    assert module.__loader__ is module.__spec__.loader is importlib.machinery.FrozenImporter
    imports.forget("__hello__", calls.append)


def test_loader_is_the_real_one(library: Library) -> None:
    """Data files, sources and specs are found as without us, before and after the import."""
    library.write("__init__.py", "a = 1\n")
    library.write("data.txt", "data")
    name = library.hook()
    before = importlib.util.find_spec(name)
    assert before is not None
    assert isinstance(before.loader, importlib.machinery.SourceFileLoader)
    assert name not in sys.modules
    module = importlib.import_module(name)
    assert isinstance(module.__loader__, importlib.machinery.SourceFileLoader)
    assert "exec_module" not in vars(module.__loader__)
    assert inspect.getsource(module) == "a = 1\n"
    assert pkgutil.get_data(name, "data.txt") == b"data"
    assert resources.files(name).joinpath("data.txt").read_text() == "data"


def test_failing_callback_does_not_reach_the_importer(
    library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The import succeeds, later callbacks run, one line says what happened."""
    monkeypatch.setattr(guard, "_raises", False)
    monkeypatch.setattr(guard, "_reported_at", {})
    library.write("__init__.py", "")

    def fails(module: ModuleType) -> None:
        raise RuntimeError("hunter2")

    imports.when_imported(library.name, fails)
    library.hook()
    module = importlib.import_module(library.name)
    assert library.calls == [module]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "RuntimeError" in said
    assert "hunter2" not in said


def test_failing_import_fails_as_without_us(library: Library) -> None:
    """The module's own exception reaches the importer; the callback does not run."""
    library.write("__init__.py", "raise KeyError('mine')\n")
    name = library.hook()
    with pytest.raises(KeyError, match="mine"):
        importlib.import_module(name)
    assert library.calls == []
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{library.name}_missing")


def test_a_warning_of_a_module_is_its_importers(library: Library) -> None:
    """`stacklevel=2` looks above the import system: filters by module go on to match."""
    library.write("__init__.py", "import warnings\nwarnings.warn('old', stacklevel=2)\n")
    name = library.hook()
    with pytest.warns(UserWarning, match="old") as caught:
        importlib.import_module(name)
    assert "importlib" in caught[0].filename


def test_a_traceback_shows_the_module_alone(library: Library) -> None:
    """Python leaves the frames of the import system out."""
    library.write("__init__.py", "1 / 0\n")
    library.write("user.py", "")
    (library.folder / "importer_of_it.py").write_text(f"import {library.hook()}\n")
    with pytest.raises(ZeroDivisionError) as caught:
        runpy.run_path(str(library.folder / "importer_of_it.py"))
    files = [Path(entry.filename).name for entry in traceback.extract_tb(caught.tb)]
    assert files[-2:] == ["importer_of_it.py", "__init__.py"]


def test_forgotten_callback_does_not_run(library: Library) -> None:
    """forget takes back a hook."""
    library.write("__init__.py", "")
    name = library.hook()
    imports.forget(name, library.calls.append)
    importlib.import_module(name)
    assert library.calls == []


def test_threads_that_import_at_once_call_once(library: Library) -> None:
    """However many threads import and ask, each callback runs once for one import."""
    library.write("__init__.py", "import threading\nthreading.Event().wait(0.05)\n")
    barrier = threading.Barrier(8)
    calls: list[list[ModuleType]] = [[] for _ in range(8)]

    def import_and_ask(own: list[ModuleType]) -> None:
        barrier.wait()
        imports.when_imported(library.name, own.append)
        importlib.import_module(library.name)

    threads = [threading.Thread(target=import_and_ask, args=(own,)) for own in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    imports._finder.find_spec("any_next_import")
    assert [len(own) for own in calls] == [1] * 8
