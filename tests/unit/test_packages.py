"""The wheel and the sdist can be built from the checkout, and pass the checks of a package index."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
from email import message_from_string
from pathlib import Path
from zipfile import Path as PathInZip

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both packages with the installed build backend, and return their folder."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_packages_pass_the_strict_check_of_twine(packages: Path) -> None:
    """Twine renders the description like a package index, and reports no warnings."""
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, packages.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert 2 == checked.stdout.count("PASSED")


def test_description_on_a_package_index_has_no_relative_links(packages: Path) -> None:
    """Links and images in the README point to the same version's source, and each target exists in the checkout."""
    (wheel,) = packages.glob("*.whl")
    (folder,) = (one for one in PathInZip(wheel).iterdir() if one.name.endswith(".dist-info"))
    description = message_from_string((folder / "METADATA").read_text(encoding="utf-8")).get_payload()
    assert isinstance(description, str)
    links = re.findall(r"\]\(([^)\s]+)\)", description)

    own = [one for one in links if one.startswith(PROJECT["urls"]["Source"] + "/")]

    assert [] == [one for one in links if not one.startswith("https://")]
    assert len(own) > 8
    for link in own:
        kind, version, path = link.removeprefix(PROJECT["urls"]["Source"] + "/").split("/", 2)
        assert (kind, version) in {("raw", f"v{PROJECT['version']}"), ("blob", f"v{PROJECT['version']}")}
        assert (ROOT / path.partition("#")[0]).exists(), link


def test_sdist_contains_the_sources_of_the_wheel_and_the_documents(packages: Path) -> None:
    """The wheel can be built from the sdist."""
    (archive,) = packages.glob("*.tar.gz")

    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "web/index.html", "harness/__init__.py"} <= names


def test_changelog_has_a_section_for_the_version() -> None:
    """The changelog has a heading for the current version, which the release workflow requires."""
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_release_is_published_only_if_it_was_checked_and_publishing_is_enabled() -> None:
    """A release is published only if its checks pass and publishing is enabled.

    No step of the release workflow uses a password.
    """
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    jobs = YAML(typ="safe").load(text)["jobs"]
    commands = [step["run"] for step in jobs["build"]["steps"] if "run" in step]

    assert "build" == jobs["publish"]["needs"]
    assert "vars.PUBLISH == 'true'" == jobs["publish"]["if"]
    assert {"id-token": "write"} == jobs["publish"]["permissions"]
    assert "secrets." not in text
    assert any("twine check --strict" in command for command in commands)


def test_every_supported_python_is_a_classifier_and_runs_in_the_workflow() -> None:
    """CI and the classifiers list the same Python versions, and requires-python contains the lowest of them."""
    matrix = YAML(typ="safe").load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["ubuntu"]
    versions = matrix["strategy"]["matrix"]["python"]

    listed = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", one)]

    assert versions == listed
    assert f">={versions[0]}" == PROJECT["requires-python"]
