"""THIRD-PARTY-NOTICES.txt and docs/third-party.md: who made what a wheel ships."""

# ruff: noqa: E501 - a paragraph of Markdown is one line

from __future__ import annotations

from tools.third_party.parts import Part

_LINE = "=" * 80
_KINDS = {"cargo": "crate", "npm": "npm package"}
_HEAD = """\
Clarity OTel is licensed under the Apache License 2.0 (LICENSE). Its wheels contain
parts of others: the crates linked into clarity_otel._native, and the packages built
into clarity_otel/web/static. Their licences follow, each text once. Where a part may
be used under several licences, it is used under the one that stands here.

The native module also contains the Rust standard library, copyright the Rust project's
contributors, used under the Apache License 2.0.
"""
_PAGE = """\
# Third-party parts

<!-- Written by `python -m tools.third_party` from the lock files. -->

What a wheel ships of others: crates linked into the native module, and packages built into the dashboard's pages. Their licence texts are in `THIRD-PARTY-NOTICES.txt`, which an install keeps in `clarity_otel-*.dist-info/licenses`. `sbom.cdx.json`, in `.dist-info/sboms` ([PEP 770](https://peps.python.org/pep-0770/)), is the same as a [CycloneDX](https://cyclonedx.org) 1.6 bill of materials, with what an install asks for beside it, in the versions it is tested with.

The check of these files (`make check`) fails for a licence that is not on the list of `tools/third_party/parts.py`, and for a part that does not come from crates.io or the npm registry. The build's own tools (setuptools, Vite, macros that run in the compiler) are not shipped, and not listed.

| Part | Version | Kind | Licence |
|---|---|---|---|
"""


def notices(parts: list[Part]) -> str:
    """Return the whole text: each licence text once, with the parts that it is of."""
    owners: dict[str, list[Part]] = {}
    for part in parts:
        for text in part.texts():
            owners.setdefault(text, []).append(part)
    blocks = [_HEAD]
    for text, of in sorted(owners.items(), key=lambda item: item[1]):
        names = "\n".join(f"{part.name} {part.version} ({_KINDS[part.kind]})" for part in of)
        blocks.append(f"{_LINE}\n{names}\n\n{text}\n")
    return "\n".join(blocks)


def page(parts: list[Part]) -> str:
    """Return docs/third-party.md."""
    rows = (
        f"| {part.name} | {part.version} | {_KINDS[part.kind]} | {part.licence} |\n"
        for part in parts
    )
    return _PAGE + "".join(rows)
