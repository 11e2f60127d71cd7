"""The documents: every block of Python in them runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
# The README's test is run from the wheel: tests/e2e/test_wheel.py.
ELSEWHERE = {("README.md", 0)}

BLOCKS = [
    pytest.param(text, id=f"{path.name}-{number}")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
    for number, text in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")))
    if (path.name, number) not in ELSEWHERE
]


@pytest.mark.parametrize("text", BLOCKS)
def test_a_block_of_python_runs_as_it_stands(text: str, tmp_path: Path) -> None:
    """Pasted into a file of its own: a test under pytest, all else as a program."""
    is_test = "def test_" in text
    file = tmp_path / ("test_block.py" if is_test else "block.py")
    file.write_text(text, encoding="utf-8")
    command = ["-m", "pytest", "-p", "no:cacheprovider", file.name] if is_test else [file.name]

    ran = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert list((tmp_path / "recordings").glob("*.webm"))
