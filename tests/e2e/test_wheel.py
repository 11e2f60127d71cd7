"""Install the wheel in an empty environment, and run the README's first test there."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]


def lay_out(requirements: list[str], site: Path) -> None:
    """Link a package's direct and indirect dependencies into an environment, but nothing else.

    The links point to packages that are already installed, because installing copies would take too long.
    """
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = metadata.distribution(requirement.name)
        assert requirement.specifier.contains(found.version), requirement
        parts = {Path(file).parts[0] for file in found.files or ()} - {"..", "__pycache__"}
        if all((site / part).exists() for part in parts):
            continue
        for part in parts:
            if not (site / part).exists():
                (site / part).symlink_to(Path(str(found.locate_file(part))))
        lay_out(found.requires or [], site)


def test_the_readme_example_runs_as_written_from_the_wheel(tmp_path: Path) -> None:
    """The README's first test passes if only the wheel, which includes the page and the pytest plugin, is installed."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "test_standup.py").write_text(next(block for block in blocks if "def test_" in block))
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    program = tmp_path / "venv" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", program.parent], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(program / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", wheel], check=True, capture_output=True)
    (site,) = program.parent.glob("lib/*/site-packages")
    (declared,) = metadata.distributions(name="recording-harness", path=[str(site)])
    lay_out(declared.requires or [], site)

    test = subprocess.run(
        [program / "python", "-m", "pytest", "test_standup.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == test.returncode, test.stdout
    (recording,) = tmp_path.glob("recordings/*.webm")
    verified = subprocess.run(
        [program / "harness", "verify", recording, "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == verified.returncode, verified.stderr
    (report,) = json.loads(verified.stdout)["reports"]
    assert ["alice", "bob"] == [one["name"] for one in report["participants"]]
