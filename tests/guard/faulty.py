"""The native module with faults on purpose, built once for each state of its sources.

It is compiled in parts, as it is tested and not measured, into a folder of its own below
`native/target`: only what has changed is compiled again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"


class NoCargoError(RuntimeError):
    """There is no Rust here to build it with."""


def build() -> Path:
    """Return the module's file. Raises NoCargoError, and CalledProcessError with the reason."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise NoCargoError("cargo was not found")
    version = sys.implementation.cache_tag
    target = NATIVE / "target" / f"faults-{version}"
    subprocess.run(
        [
            *(cargo, "build", "--quiet", "--locked", "--lib", "--release"),
            *("--features", "faults", "--manifest-path", NATIVE / "Cargo.toml"),
        ],
        env={
            **os.environ,
            "CARGO_TARGET_DIR": str(target),
            "CARGO_PROFILE_RELEASE_LTO": "off",
            "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
            # As setuptools-rust does: the interpreter's symbols come with the interpreter.
            "PYO3_BUILD_EXTENSION_MODULE": "1",
            "PYO3_PYTHON": sys.executable,
        },
        check=True,
        capture_output=True,
        text=True,
    )
    name = "lib_native.dylib" if sys.platform == "darwin" else "lib_native.so"
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    module = target / f"_native{suffix}"
    shutil.copyfile(target / "release" / name, module)
    return module
