"""The native module built in another way than a wheel's, once for each state of its sources.

It is compiled without optimisation, as it is tested and not measured (66 s where the other takes
113), into a folder of its own below `native/target`: only what has changed is compiled again, and
what it stands on once for all. An overflow, and what a debug build asserts, are faults too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[2] / "native"


class NoCargoError(RuntimeError):
    """There is no Rust here to build it with."""


def built(name: str, *options: str, flags: tuple[str, ...] = ()) -> Path:
    """Return the module's file; `options` are cargo's, `flags` those of the crate's compiler.

    With `--release` among the options it is optimised, but in parts.

    Raises NoCargoError, and CalledProcessError with the reason.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        raise NoCargoError("cargo was not found")
    target = NATIVE / "target" / f"extension-{sys.implementation.cache_tag}"
    subprocess.run(
        [
            *(cargo, "rustc", "--quiet", "--locked", "--lib", "--crate-type", "cdylib"),
            *(*options, "--manifest-path", NATIVE / "Cargo.toml", "--", *flags),
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
    library = "lib_native.dylib" if sys.platform == "darwin" else "lib_native.so"
    module = target / name / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    module.parent.mkdir(exist_ok=True)
    # In one step: another test's process may have the last one loaded, and a library that is
    # written over while it is mapped ends its process.
    fresh = module.with_suffix(f".{os.getpid()}")
    shutil.copyfile(target / ("release" if "--release" in options else "debug") / library, fresh)
    fresh.replace(module)
    return module
