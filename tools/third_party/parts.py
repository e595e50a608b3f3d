"""The parts of others in a wheel: crates in the native module, packages in the pages.

And what it asks for when it is installed, which it does not ship: `dependencies`.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# The platform that wheels are built for; others link other crates.
PLATFORM = "x86_64-unknown-linux-gnu"
# Code of theirs is in what they build: the CSS reset, and the loader of chunks.
_BUILT_IN = ("tailwindcss", "vite")
# What may be shipped inside of an Apache-2.0 package without more than its notice.
ALLOWED = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0"}
    | {"Unlicense", "Zlib"}
)
_NPM = "https://registry.npmjs.org/"
_LICENCE_FILE = re.compile(r"(?:UN)?LICEN[CS]E|COPYING|NOTICE", re.IGNORECASE)
# Notices of what a package has taken in, whichever licence is chosen.
_ALWAYS = re.compile(r"THIRD|NOTICE|OTHER", re.IGNORECASE)


class MissingError(Exception):
    """What the parts are read from is not here; its message is a sentence."""


class NotAllowedError(Exception):
    """A part may not be shipped; its message is a sentence."""


@dataclass(frozen=True, order=True)
class Part:
    """A package of others. `kind` is that of package URLs: cargo, npm or pypi."""

    kind: str
    name: str
    version: str
    licence: str = ""  # an SPDX expression
    folder: Path | None = None  # where its licence files are
    needs: tuple[str, ...] = ()  # purls
    optional: bool = False

    @property
    def purl(self) -> str:
        """Its package URL."""
        return purl_of(self.kind, self.name, self.version)

    def texts(self) -> list[str]:
        """Return its licence files' texts, those of the licence that is chosen."""
        if self.folder is None:
            return []
        found = sorted(
            path
            for path in self.folder.iterdir()
            if path.is_file() and _LICENCE_FILE.search(path.name)
        )
        # Of several to choose from, MIT: its text names the authors, as Apache's does not.
        if " OR " in self.licence and any("MIT" in path.name.upper() for path in found):
            found = [p for p in found if "MIT" in p.name.upper() or _ALWAYS.search(p.name)]
        if not found:
            raise MissingError(f"{self.purl} has no licence file in {self.folder}")
        texts = [path.read_text(encoding="utf-8").strip() for path in found]
        # What Vite itself bundles is not in what it builds.
        return [text.partition("\n# Licenses of bundled dependencies")[0] for text in texts]


def purl_of(kind: str, name: str, version: str) -> str:
    """Return a package URL."""
    return f"pkg:{kind}/{name.replace('@', '%40')}@{version}"


def crates() -> list[Part]:
    """Return the crates that are linked into the native module.

    NotAllowedError for a licence that is not on the list, or a crate from elsewhere than
    crates.io. MissingError where cargo is not there.
    """
    try:
        done = subprocess.run(
            [
                *("cargo", "metadata", "--format-version", "1", "--locked"),
                *("--filter-platform", PLATFORM, "--manifest-path", "native/Cargo.toml"),
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
    except FileNotFoundError:
        raise MissingError("the crates are not looked at: no cargo") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1]
        raise MissingError(f"the crates are not looked at: cargo says {reason!r}") from None
    metadata = json.loads(done.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

    def linked(of: str) -> list[str]:
        return [
            needed["pkg"]
            for needed in nodes[of]["deps"]
            if any(kind["kind"] is None for kind in needed["dep_kinds"])
            # A macro runs in the compiler, and nothing of it is linked.
            and not any("proc-macro" in t["kind"] for t in packages[needed["pkg"]]["targets"])
        ]

    waiting, seen = linked(metadata["resolve"]["root"]), set()
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += linked(one)
    parts = []
    for one in seen:
        package = packages[one]
        if package["source"] != "registry+https://github.com/rust-lang/crates.io-index":
            raise NotAllowedError(f"the crate {package['name']} does not come from crates.io")
        needs = [purl_of("cargo", packages[n]["name"], packages[n]["version"]) for n in linked(one)]
        parts.append(
            _allowed(
                Part(
                    "cargo",
                    package["name"],
                    package["version"],
                    (package["license"] or "").replace(" / ", " OR "),
                    Path(package["manifest_path"]).parent,
                    tuple(sorted(needs)),
                )
            )
        )
    return sorted(parts)


def packages() -> list[Part]:
    """Return the packages whose code is in the dashboard's pages. As `crates`."""
    folder = ROOT / "dashboard"
    locked = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    chosen = {
        path: row
        for path, row in locked.items()
        if path
        and (not row.get("dev") or path.removeprefix("node_modules/") in _BUILT_IN)
        and "/@types/" not in path
    }
    versions = {path.rpartition("node_modules/")[2]: row["version"] for path, row in chosen.items()}
    parts = []
    for path, row in chosen.items():
        name = path.rpartition("node_modules/")[2]
        # Where the lock file names no address it is the registry's, held by its hash.
        if not row.get("resolved", _NPM).startswith(_NPM) or "integrity" not in row:
            raise NotAllowedError(f"the package {name} does not come from the npm registry")
        if not (folder / path).is_dir():
            raise MissingError("the pages' packages are not looked at: run make dashboard")
        needs = [
            purl_of("npm", needed, versions[needed])
            for needed in (*row.get("dependencies", ()), *row.get("peerDependencies", ()))
            if needed in versions and name not in _BUILT_IN
        ]
        licence = row.get("license", "")
        parts.append(
            _allowed(
                Part("npm", name, row["version"], licence, folder / path, tuple(sorted(needs)))
            )
        )
    return sorted(parts)


def dependencies() -> list[Part]:
    """Return what an install brings, by the versions of uv.lock, with which it is tested."""
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    by_name: dict[str, dict[str, Any]] = {package["name"]: package for package in locked}
    own = by_name["clarity-otel"]
    extras = [one for extra in own["optional-dependencies"].values() for one in extra]
    required = _closure(by_name, own["dependencies"])
    optional = _closure(by_name, extras) - required
    return sorted(
        Part(
            "pypi",
            name,
            by_name[name]["version"],
            needs=tuple(
                sorted(
                    purl_of("pypi", needed["name"], by_name[needed["name"]]["version"])
                    for needed in by_name[name].get("dependencies", ())
                )
            ),
            optional=name in optional,
        )
        for name in required | optional
        if name != "clarity-otel"
    )


def _closure(by_name: dict[str, dict[str, Any]], first: list[dict[str, Any]]) -> set[str]:
    found: set[str] = set()
    waiting = [one["name"] for one in first]
    while waiting:
        name = waiting.pop()
        if name not in found and name != "clarity-otel":
            found.add(name)
            waiting += [needed["name"] for needed in by_name[name].get("dependencies", ())]
    return found


def _allowed(part: Part) -> Part:
    words = re.findall(r"[A-Za-z0-9.+-]+", part.licence)
    named = [word for word in words if word not in ("OR", "AND", "WITH")]
    either = " OR " in part.licence and " AND " not in part.licence
    if not named or not (any if either else all)(word in ALLOWED for word in named):
        raise NotAllowedError(
            f"{part.purl} has the licence {part.licence or 'unknown'!r}, which is not on the list "
            "of tools/third_party/parts.py"
        )
    return part
