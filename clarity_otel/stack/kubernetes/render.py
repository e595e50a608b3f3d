"""A user's own overlay: who is told of alerts, with the secrets in a Secret."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clarity_otel.stack import alertmanager
from clarity_otel.stack.render import private_folder, write_secrets
from clarity_otel.stack.yaml_text import to_yaml

from .programs import ALERTMANAGER, NAMESPACE, SECRETS

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_COMMENT = """\
Written by `clarity stack render --kubernetes`. Apply it: kubectl apply -k THIS_FOLDER
The files in secrets/ become the Secret alertmanager: keep them out of version control."""


def for_kubernetes(folder: Path, settings: Settings, below: Path) -> None:
    """Write a kustomization over `below` (an overlay, or the base) with receivers of alerts.

    Raises MissingError where a receiver is set by half, OSError where nothing can be written,
    ValueError where `below` is no kustomization.
    """
    if not (below / "kustomization.yaml").exists():
        raise ValueError(
            f"{below} has no kustomization.yaml: name observability/k8s/overlays/prod, or your own"
        )
    receivers = alertmanager.Receivers.of(settings, PurePosixPath(SECRETS))
    private_folder(folder)
    write_secrets(folder / "secrets", receivers.secrets)
    texts = alertmanager.files(receivers, settings.dashboard_url)
    names = []
    for path, text in texts.items():
        name = PurePosixPath(path).name
        (folder / name).write_text(text, encoding="utf-8")
        names.append(name)
    place = {"name": ALERTMANAGER.name, "namespace": NAMESPACE}
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(below.resolve(), folder.resolve())],
        "configMapGenerator": [{**place, "behavior": "merge", "files": names}],
    }
    if receivers.secrets:
        files = [f"secrets/{name}" for name in receivers.secrets]
        content["secretGenerator"] = [{**place, "files": files}]
    text = to_yaml(content, _COMMENT)
    (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
