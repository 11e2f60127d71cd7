"""The wheel: built, installed into an empty environment, it does what the README shows."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_in_the_readme_runs_as_written_from_the_wheel(tmp_path: Path) -> None:
    """The first Python block that is a test passes; page and plugin travel in the package, nothing else is needed."""
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
    pip = [sys.executable, "-m", "pip", "--python", program / "python"]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", wheel], check=True, capture_output=True)

    # Each program compiles all that it imports unless the first one keeps what it compiled.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    test = subprocess.run(
        [program / "python", "-m", "pytest", "test_standup.py"],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = subprocess.run(
        [program / "harness", "verify", "recordings/standup.webm", "--json"],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == test.returncode, test.stdout
    assert 0 == verdict.returncode, verdict.stderr
    (report,) = json.loads(verdict.stdout)["reports"]
    assert ["alice", "bob"] == [one["name"] for one in report["participants"]]
