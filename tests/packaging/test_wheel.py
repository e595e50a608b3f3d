"""What a wheel and an sdist hold, and that a wheel works in an environment of its own."""

import importlib.machinery
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import not_tested

from .workshop import ROOT, Environment, clean_environ, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # builds the crate


def names_in(wheel: Path) -> set[str]:
    """The files that a wheel holds."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def sources(folder: str, installed_as: str) -> set[str]:
    """The Python files below a folder of the checkout, by the names an install gives them."""
    top = ROOT / folder
    return {
        f"{installed_as}/{path.relative_to(top).as_posix()}"
        for path in top.rglob("*")
        if path.suffix in (".py", ".pyi") or path.name == "py.typed"
    }


def test_a_wheel_holds_one_top_level_package(wheel: Path) -> None:
    """Nothing but clarity_otel and its metadata lands in site-packages."""
    tops = {name.split("/")[0] for name in names_in(wheel)}
    metadata = {top for top in tops if top.endswith(".dist-info")}
    assert tops - metadata == {"clarity_otel"}
    assert len(metadata) == 1


def test_a_wheel_holds_every_source_file(wheel: Path) -> None:
    """Each .py, .pyi and py.typed of the two source folders is in the wheel, and no other."""
    expected = sources("clarity_otel", "clarity_otel") | sources(
        "entry_points", "clarity_otel/entry_points"
    )
    held = {n for n in names_in(wheel) if n.endswith((".py", ".pyi", "/py.typed"))}
    assert held == expected
    assert "clarity_otel/py.typed" in held


def test_a_wheel_holds_the_licence(wheel: Path) -> None:
    """The licence text travels with the metadata."""
    (name,) = (n for n in names_in(wheel) if n.endswith(".dist-info/licenses/LICENSE"))
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_a_wheel_holds_the_notices_and_the_bill_of_materials(wheel: Path) -> None:
    """Of all that it ships of others, where PEP 639 and PEP 770 have them looked for."""
    for name, file in (("licenses", "THIRD-PARTY-NOTICES.txt"), ("sboms", "sbom.cdx.json")):
        (held,) = (n for n in names_in(wheel) if n.endswith(f".dist-info/{name}/{file}"))
        with zipfile.ZipFile(wheel) as archive:
            assert archive.read(held) == (ROOT / file).read_bytes()


def test_a_wheel_holds_the_extension_exactly_where_cargo_is(wheel: Path) -> None:
    """One extension module, named for this Python version (not abi3), or none without cargo."""
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    expected = {f"clarity_otel/_native{suffix}"} if shutil.which("cargo") else set()
    assert {n for n in names_in(wheel) if n.endswith((".so", ".pyd"))} == expected


def test_a_wheel_holds_the_pages(wheel: Path) -> None:
    """All that was built of dashboard/, compressed files included: an install needs no Node."""
    pages = ROOT / "clarity_otel" / "web" / "static"
    if not (pages / "index.html").is_file():
        not_tested("the pages are not built: make dashboard", "that the wheel holds the pages")
    built = {p.relative_to(ROOT).as_posix() for p in pages.rglob("*") if p.is_file()}
    assert {n for n in names_in(wheel) if n.startswith("clarity_otel/web/static/")} == built
    assert {Path(name).suffix for name in built} >= {".html", ".js", ".css", ".gz", ".br"}


def test_a_wheel_holds_the_messages_of_alerts(wheel: Path) -> None:
    """`clarity stack` works from an install: Alertmanager's templates are in it."""
    folder = ROOT / "clarity_otel" / "stack" / "templates"
    templates = {path.relative_to(ROOT).as_posix() for path in folder.iterdir()}
    assert templates
    assert templates <= set(names_in(wheel))


def test_an_sdist_holds_what_a_build_needs(sdist: Path) -> None:
    """The crate, both source folders and the build's own files are in the source distribution."""
    with tarfile.open(sdist) as archive:
        held = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    crate = [ROOT / "native" / "Cargo.toml", ROOT / "native" / "Cargo.lock"]
    crate += [ROOT / "native" / "build.rs", ROOT / "native" / "link_order.ld"]
    crate += (ROOT / "native" / "src").rglob("*.rs")
    code = list((ROOT / "entry_points").rglob("*.py"))
    code += (ROOT / "clarity_otel").rglob("*.py")
    build = [ROOT / "pyproject.toml", ROOT / "setup.py", ROOT / "LICENSE", ROOT / "README.md"]
    build += [ROOT / "THIRD-PARTY-NOTICES.txt", ROOT / "sbom.cdx.json"]
    assert {p.relative_to(ROOT).as_posix() for p in crate + code + build} <= held


def test_an_installed_wheel_works_on_its_own(wheel: Path, environment: Environment) -> None:
    """With only the declared dependencies, every entry point loads and the engine imports."""
    environment.install(wheel)
    loaded = environment.evaluate(
        "from importlib.metadata import distribution\n"
        "points = distribution('clarity-otel').entry_points\n"
        # pytest is no dependency: its plugin is loaded by pytest alone.
        "print(sorted({p.group for p in points if p.group != 'pytest11' and p.load()}))"
    )
    assert loaded == str(
        [
            "console_scripts",
            "opentelemetry_configurator",
            "opentelemetry_context",
            "opentelemetry_distro",
            "opentelemetry_instrumentor",
        ]
    )
    if shutil.which("cargo"):
        environment.evaluate("import clarity_otel._native")


def test_an_installed_wheel_leaves_common_names_alone(
    wheel: Path, environment: Environment
) -> None:
    """No install of ours answers to `import entry_points`, `tests`, `benchmarks` or `examples`."""
    environment.install("--no-deps", wheel)
    assert environment.evaluate(
        "from importlib.util import find_spec\n"
        "names = ['entry_points', 'tests', 'benchmarks', 'examples', 'tools', 'native']\n"
        "print([name for name in names if find_spec(name)])"
    ) == str([])


def test_an_installed_wheel_demonstrates_itself(
    wheel: Path, environment: Environment, tmp_path: Path
) -> None:
    """`clarity demo` needs the extra `dashboard` and no checkout; without it, it says which."""
    clarity = environment.folder / "bin" / "clarity"
    environment.install(wheel)
    command = [clarity, "demo", "--no-open", "--for", "3s"]
    without = subprocess.run(
        list(map(str, command)),
        env=clean_environ(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert without.returncode == 1
    assert "pip install 'clarity-otel[dashboard]'" in without.stderr
    environment.install(f"{wheel}[dashboard]")
    assert "Dashboard: http://127.0.0.1:" in run(*command, cwd=tmp_path)
