"""The wheel: built, installed into an empty environment, it records."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_installed_into_an_empty_environment_records(tmp_path: Path) -> None:
    """The page travels in the package; nothing of the checkout is needed."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    program = tmp_path / "venv" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", program.parent], check=True)
    pip = [sys.executable, "-m", "pip", "--python", program / "python"]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", wheel], check=True, capture_output=True)

    result = subprocess.run(
        [program / "harness", "record", "alice", "--recorder", "local", "--seconds", "2", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    answer = json.loads(result.stdout)
    assert 0 == result.returncode, result.stderr
    assert tmp_path / "recordings" == Path(answer["recordings"][0]["path"]).parent
