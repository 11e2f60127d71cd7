"""The Docker image can be built, and its users can record in it; this requires Docker and network access."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
FILES = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")
FOLDERS = ("harness", "web")


def docker_works() -> bool:
    """Return whether Docker is installed and its daemon responds."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, timeout=60, check=False).returncode == 0


def test_commands_of_the_workflow_build_the_image_and_record_in_it(tmp_path: Path) -> None:
    """All commands of the workflow's job ``image`` succeed in a copy of the sources."""
    if not docker_works():
        pytest.skip("No Docker daemon responds, so the image can't be built.")
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for step in workflow["jobs"]["image"]["steps"] if "run" in step]

    for command in commands:
        ran = subprocess.run(["bash", "-ec", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert 0 == ran.returncode, f"{command}\n{ran.stdout}{ran.stderr}"

    assert (tmp_path / "recordings" / "image.webm").exists()
