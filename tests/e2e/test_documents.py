"""Run every code block in the documentation as written."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
STEPS = "quickstart.md"
# Code blocks that this file does not run separately: the document and language of each, with the reason.
TESTED_ELSEWHERE = {
    ("README.md", "console"): "run in order, below",
    ("README.md", "sh"): "`make setup` and tests/e2e/test_wheel.py install the package",
    (STEPS, "python"): "run in order, below",
    (STEPS, "console"): "run in order, below",
    ("scenarios.md", "toml"): "tests/unit/scenario/test_scenario.py reads it",
    (
        "scenarios.md",
        "sh",
    ): "tests/e2e/test_scenarios.py plays the examples, and `harness run` with each of these options",
    ("installation.md", "sh"): "`make setup` and tests/e2e/test_wheel.py install the package",
    ("cli.md", "sh"): "tests/unit/cli/test_help.py compares it with the program's help",
    ("index.md", "python"): "the first test of the quickstart; tests/unit/test_docs.py compares them",
    ("recording-room.md", "console"): "tests/unit/test_docs.py compares it with the program's output",
    ("checks.md", "python"): "tests/unit/test_reference.py checks the limits",
    ("checks.md", "toml"): "tests/unit/test_reference.py reads it",
    (
        "checks.md",
        "sh",
    ): "tests/unit/verification/test_verify.py and tests/plugin/test_plugin.py use an expectations file",
    ("output-files.md", "json"): "tests/unit/test_reference.py reads it",
    ("output-files.md", "text"): "file names, which tests/unit/recording/test_names.py checks",
    ("reference.md", "text"): "tests/unit/test_reference.py compares it with the errors",
    ("pytest.md", "toml"): "tests/unit/test_docs.py reads it",
    ("ci.md", "yaml"): "tests/unit/test_docs.py reads it and checks its commands",
    ("ci.md", "sh"): "tests/unit/test_docs.py checks the options",
    ("applications.md", "python"): "tests/attach makes the same calls with its own test applications",
    ("applications.md", "toml"): "tests/plugin/test_recording_browser.py sets the same option",
    ("applications.md", "sh"): "tests/attach/test_record_url.py",
    ("other-recorders.md", "python"): "tests/attach/test_observe.py makes the same calls with another recorder",
    ("other-recorders.md", "sh"): "tests/attach/test_observe.py and tests/unit/cli/test_observe.py",
    ("several-files.md", "console"): "tests/unit/verification/test_call_files.py makes the same calls",
    ("several-files.md", "python"): "tests/unit/verification/test_call_files.py makes the same calls",
    ("media-servers.md", "python"): "tests/sfu makes the same calls with a Janus server",
    ("media-servers.md", "sh"): "tests/sfu and tests/remote do the same",
    ("clusters.md", "sh"): "tests/cluster does the same; tests/unit/test_kubernetes.py reads the manifests",
    ("troubleshooting.md", "sh"): "the quickstart runs `harness doctor`",
    ("security.md", "sh"): "tests/security/test_beyond.py serves over https, and checks the refused requests",
    (
        "docker.md",
        "sh",
    ): "tests/e2e/test_image.py builds the image and records in it, if Docker works on this machine",
}
# tests/e2e/test_wheel.py runs the README's first test from the wheel.
FROM_THE_WHEEL = ("README.md", "python", 0)
# The output of this command depends on the machine.
MACHINE_DEPENDENT = "harness doctor"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document: Path) -> list[tuple[str, str]]:
    """Return the language and text of every code block that names a language."""
    return BLOCK.findall(document.read_text(encoding="utf-8"))


PYTHON = [
    pytest.param(text, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, text in enumerate(text for language, text in blocks(document) if language == "python")
    if (document.name, "python") not in TESTED_ELSEWHERE and (document.name, "python", number) != FROM_THE_WHEEL
]


def test_every_kind_of_code_block_is_run_or_listed() -> None:
    """Every code block either contains Python or is listed in TESTED_ELSEWHERE."""
    found = {(document.name, language) for document in DOCUMENTS for language, _ in blocks(document)}

    assert [] == [one for one in sorted(found) if one[1] != "python" and one not in TESTED_ELSEWHERE]


@pytest.mark.parametrize("text", PYTHON)
def test_a_python_block_runs_as_written(text: str, tmp_path: Path) -> None:
    """Each block becomes its own file. pytest runs blocks that contain a test, and Python runs the others."""
    is_test = "def test_" in text
    file = tmp_path / ("test_block.py" if is_test else "block.py")
    file.write_text(text, encoding="utf-8")
    command = ["-m", "pytest", "-p", "no:cacheprovider", file.name] if is_test else [file.name]

    ran = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert list((tmp_path / "recordings").glob("*.webm"))


@pytest.mark.parametrize("document", ["README.md", f"docs/{STEPS}"])
def test_the_commands_in_a_document_run_as_written(document: str, tmp_path: Path) -> None:
    """All commands in a document run in order in the same folder.

    The commands' exit codes and the words in their output match the document.
    """
    text = (ROOT / document).read_text(encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in BLOCK.finditer(text):
        language, lines = block.groups()
        if language == "python":
            name = re.findall(r"Save .{1,20} as `(test_\w+\.py)`", text[: block.start()])[-1]
            (tmp_path / name).write_text(lines, encoding="utf-8")
        if language != "console":
            continue
        for command, shown in steps(lines):
            ran = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=os.environ | {"PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert (1 if "1 failed" in shown else 0) == ran.returncode, f"{command}\n{ran.stdout}"
            if command != MACHINE_DEPENDENT:
                # If other tests keep the machine busy, recordings are compared with the default limits.
                expected = words(shown.replace("/home/you", str(tmp_path))) - {"strict"}
                assert set() == expected - words(ran.stdout), f"{command}\n{ran.stdout}"


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """The notebook's kernel runs an event loop in the same thread as the cells. The last cell plays the recording."""
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)

    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    printed, shown = (cell["outputs"] for cell in notebook.cells[-2:])
    assert "notebook.webm" in "".join(output["text"] for output in printed)
    assert "video/webm" in shown[-1]["data"]["text/html"]


def steps(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command in a console block, together with the output that the block shows for it."""
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = step.partition("\n")
        yield command, shown


def words(text: str) -> set[str]:
    """Return the words in a command's output, but not the numbers, which differ between runs."""
    return set(re.findall(r"[A-Za-z][A-Za-z_./-]+", text))
