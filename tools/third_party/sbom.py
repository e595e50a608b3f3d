"""sbom.cdx.json: the bill of materials of a wheel, CycloneDX 1.6.

Without a time and with a serial number made from its content: the same parts give the same
file. The library of CycloneDX holds it to the schema.
"""

from __future__ import annotations

import json
import tomllib
import uuid
from typing import Any

from tools.third_party.parts import ROOT, Part

_NAMESPACE = uuid.UUID("6f1f1d5e-0f0c-5a38-9d3c-0c8a3c1f2b77")


def sbom(parts: list[Part], dependencies: list[Part]) -> str:
    """Return the document; `parts` are shipped, `dependencies` are asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    every = [*parts, *dependencies]
    is_needed = {needed for part in every for needed in part.needs}
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [_component(part) for part in every],
        "dependencies": [
            {"ref": own, "dependsOn": [p.purl for p in every if p.purl not in is_needed]},
            *({"ref": part.purl, "dependsOn": list(part.needs)} for part in every),
        ],
    }
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"
    return json.dumps(document, indent=1) + "\n"


def _component(part: Part) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "scope": "optional" if part.optional else "required",
    }
    if part.licence:
        component["licenses"] = [{"expression": part.licence}]
    if part.kind == "pypi":
        # Not in the wheel: an install brings it, in this version or a later one.
        component["properties"] = [{"name": "clarity-otel:shipped", "value": "false"}]
    return component


def errors(document: str) -> str:
    """Return what CycloneDX's own schema says against a document; empty where nothing."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(document)
    return "" if found is None else str(found)
