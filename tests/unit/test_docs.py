"""Check that every test, option, message and file mentioned in the docs exists."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.cli.commands.serve import _invitation
from harness.scenario.steps import KINDS, VERBS, RecordOptions
from harness.server.serve_options import ServeOptions
from harness.verification.values.expectations import read_expected

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
# A citation looks like tests/e2e/test_guide.py::test_something or web/test/room/room.test.js::the test's title.
CITATION = re.compile(r"`((?:tests|web/test)/[\w./]+)::([^`]+)`")

CITATIONS = [
    (document.name, path, name)
    for document in sorted((ROOT / "docs").glob("*.md"))
    for path, name in CITATION.findall(document.read_text(encoding="utf-8"))
]


def test_supply_tools_are_pinned_to_one_version() -> None:
    """scripts/supply pins each tool to one version, so that a version changes only if somebody edits scripts/supply."""
    wanted = re.findall(r"'([\w-]+)([=~<>]+)[\d.]+'", (ROOT / "scripts" / "supply").read_text(encoding="utf-8"))

    assert {"uv", "pip-audit", "cyclonedx-bom", "pip-licenses"} == {name for name, _ in wanted}
    assert {"=="} == {operator for _, operator in wanted}


@pytest.mark.parametrize(("path", "name"), sorted({(path, name) for _, path, name in CITATIONS}))
def test_every_test_cited_in_the_docs_exists(path: str, name: str) -> None:
    """Every test that the docs cite exists under the cited name."""
    definition = rf"^def {name}\(" if path.endswith(".py") else rf"\btest\(\s*(['\"`]){re.escape(name)}\1"

    assert re.search(definition, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_row_of_the_nertc_guide_cites_a_test() -> None:
    """Each row in the tables of docs/nertc.md cites the test that checks its claim."""
    lines = (ROOT / "docs" / "nertc.md").read_text(encoding="utf-8").splitlines()
    rows = [
        line
        for line, below in pairwise(lines)
        if line.startswith("| ") and not line.startswith("| ---") and not below.startswith("| ---")
    ]

    assert len(rows) > 50
    # Rows about conversion cite no test, because the guide states that users must do the conversion themselves.
    assert [] == [row for row in rows if not CITATION.search(row) and "需要您自行完成" not in row]


# ---- blocks of code -------------------------------------------------------------------------------------------------


def test_home_page_shows_the_first_test_from_the_quickstart() -> None:
    """The home page shows the first test from the quickstart, which tests/e2e/test_documents.py runs."""
    first = next(text for language, text in blocks("quickstart.md") if language == "python")

    assert ("python", first) in blocks("index.md")


def test_recording_room_guide_shows_the_output_of_serve() -> None:
    """The code block in docs/recording-room.md shows what ``harness serve`` prints when it starts."""
    ((_, shown),) = blocks("recording-room.md")

    expected = _invitation(["http://127.0.0.1:8080"], Path("/home/you/recordings"), ServeOptions())

    assert f"$ harness serve\n{expected}\n" == shown


def test_pytest_configuration_in_the_docs_is_valid(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """The docs' example for pytest uses only options that the plugin defines, and its expectations file can be read."""
    configuration, expected = (text for language, text in blocks("pytest.md") if language == "toml")
    (tmp_path / "expect.toml").write_text(expected, encoding="utf-8")

    lines = tomllib.loads(configuration)["tool"]["pytest"]["ini_options"]

    assert [] == [name for name in lines if name not in pytestconfig._parser._inidict]
    assert 120 == read_expected(tmp_path / "expect.toml").limits.audio_late_ms


@pytest.mark.parametrize("document", [*sorted(path.name for path in (ROOT / "docs").glob("*.md")), "../README.md"])
def test_every_option_mentioned_in_the_docs_exists(document: str) -> None:
    """Each option that the docs use with a `harness` command is listed in that command's help."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    helps = dict(re.findall(r"^## `harness ([\w ]+)`\n(.*?)(?=^## |\Z)", CLI, flags=re.DOTALL | re.MULTILINE))
    used = re.findall(r"\bharness (record|verify|run|serve|convert|recover|doctor)\b([^`|\n]*)", text)

    lacking = [
        f"harness {command} {option}"
        for command, rest in used
        for option in re.findall(r"--[a-z][a-z-]+", rest)
        if option not in helps[command]
    ]

    assert [] == lacking


def test_workflow_for_projects_is_valid_and_uploads_failures() -> None:
    """The example CI workflow keeps the recordings of failed tests, and uploads them."""
    ((_, text),) = [block for block in blocks("ci.md") if block[0] == "yaml"]
    steps = YAML(typ="safe").load(text)["jobs"]["record"]["steps"]

    commands = "\n".join(step["run"] for step in steps if "run" in step)

    assert "--recordings-keep=retain-on-failure" in commands
    assert_recovered_and_uploaded(steps)


def test_our_own_workflow_runs_the_commands_in_the_readme_and_uploads_failures() -> None:
    """CI runs `make record` and `make test` on Ubuntu 24.04 and minimal Debian, and uploads failed tests' artifacts."""
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))

    for name in ("ubuntu", "debian"):
        job = workflow["jobs"][name]
        commands = [step["run"].split(" #")[0] for step in job["steps"] if "run" in step]
        assert "ubuntu-24.04" == job["runs-on"]
        assert "make record" in commands
        assert any(command.startswith("make test") for command in commands)
        assert_recovered_and_uploaded(job["steps"])


def assert_recovered_and_uploaded(steps: list[dict[str, Any]]) -> None:
    """Check that a job's only upload also runs after a cancellation, and contains the recovered recordings."""
    (number,) = [number for number, step in enumerate(steps) if "upload-artifact" in step.get("uses", "")]
    recovery, upload = steps[number - 1 : number + 1]

    assert "always()" == recovery["if"]
    assert "failure() || cancelled()" == upload["if"]
    (folder,) = re.findall(r"\bharness recover .*--into (\S+)", recovery["run"])
    assert f"{folder}/" in upload["with"]["path"].split()


def test_our_own_workflow_records_in_the_image_as_different_users() -> None:
    """CI runs the image as its own user, and as an unknown user with a read-only root, and verifies a recording."""
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for step in workflow["jobs"]["image"]["steps"] if "run" in step]
    runs = [command for command in commands if command.startswith("docker run ")]

    assert "docker build --tag recording-harness ." in commands
    assert ["doctor", "doctor", "record", "verify"] == re.findall(r" recording-harness (\w+)", "\n".join(runs))
    assert [False, True, True, True] == ["--user 12345 --read-only --tmpfs /tmp " in command for command in runs]


def test_docker_image_runs_as_a_user() -> None:
    """The image runs as a user other than root, and every user can write to the folder for recordings."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert ["pwuser"] == re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)
    assert "RUN mkdir --mode=1777 /recordings\n" in dockerfile
    assert re.search(r"^ENV HOME=/tmp HARNESS_RECORDINGS=/recordings ", dockerfile, re.MULTILINE)


def test_docker_image_contains_the_package_sources() -> None:
    """The Docker image has the Playwright version that the package requires."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    not_ignored = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    copied = {name for line in re.findall(r"^COPY (.*) \S+$", dockerfile, re.MULTILINE) for name in line.split()}

    assert {"pyproject.toml", "README.md", "LICENSE", "harness", "web"} == copied == not_ignored
    (required,) = [one for one in project["project"]["dependencies"] if one.startswith("playwright")]
    (version,) = re.findall(r"^ARG PLAYWRIGHT=(\S+)$", dockerfile, re.MULTILINE)
    assert required == f"playwright>={version.rpartition('.')[0]}"


def test_troubleshooting_quotes_messages_word_for_word() -> None:
    """Each message that is quoted in the first column of a troubleshooting table exists in the source code."""
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `([^`]+)`(?: \(a warning\))? \|", text, re.MULTILINE)
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder, kind in (("harness", "*.py"), ("web/src", "*.js"))
        for path in (ROOT / folder).rglob(kind)
    )

    assert len(quoted) > 20
    assert [] == [one for one in quoted if one not in sources]


def test_scenario_guide_lists_every_step_with_its_keys() -> None:
    """The table of scenario steps lists every step's keys, except ``label`` and the options in RecordConfig."""
    text = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    table = text.partition("## Steps")[2].partition("## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    described = {verb: row for row in rows for verb in re.findall(r"`(\w+)`", row.split(" | ")[0])}

    assert set(VERBS) == set(described)
    for kind in KINDS:
        keys = set(kind.model_fields) - set(RecordOptions.model_fields) - {"label", kind.verb}
        assert [] == [key for key in sorted(keys) if f"`{key}" not in described[kind.verb]], kind.verb


def blocks(document: str) -> list[tuple[str, str]]:
    """Return the language and text of each code block in a document, except blocks without a language."""
    return BLOCK.findall((ROOT / "docs" / document).read_text(encoding="utf-8"))
