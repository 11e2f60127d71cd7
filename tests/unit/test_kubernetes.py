"""The Kubernetes manifests are valid according to Kubernetes' schemas, and use the right names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from harness.batch.cluster import RESOURCE

pytestmark = pytest.mark.release

FOLDER = Path(__file__).parents[2] / "examples" / "kubernetes"
DOCUMENTS = [
    (path.name, document) for path in sorted(FOLDER.glob("*.yaml")) for document in YAML(typ="safe").load_all(path)
]


def commands(document: dict[str, Any]) -> list[str]:
    """Return the command of each container in a document as one line of text."""
    spec = document["spec"].get("template", {}).get("spec", {})
    containers = spec.get("containers", [])
    return [" ".join([*one.get("command", []), *one.get("args", [])]) for one in containers]


@pytest.mark.parametrize("document", [pytest.param(one, id=f"{name}-{one['kind']}") for name, one in DOCUMENTS])
def test_manifest_is_valid_for_kubernetes(document: dict[str, Any]) -> None:
    """The Kubernetes manifests are valid, and contain no unknown keys."""
    kubernetes_validate.validate(document, "1.33", strict=True)


def test_workers_offer_browsers_and_connect_to_the_scheduler() -> None:
    """Dask workers offer the resource that the harness requests, and find the scheduler by its service's name."""
    lines = [line for _, document in DOCUMENTS for line in commands(document)]
    services = {document["metadata"]["name"] for _, document in DOCUMENTS if document["kind"] == "Service"}

    (worker,) = [line for line in lines if line.startswith("dask worker")]
    assert f"--resources={RESOURCE}=1" in worker
    assert {host for line in lines for host in re.findall(r"tcp://([\w-]+):8786", line)} == services
