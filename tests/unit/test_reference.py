"""The documentation site is built without warnings, and its reference describes every public name."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel

import harness
from harness import verification
from harness.recording.manifest import Manifest, ObservationManifest
from harness.recording.timeline import Event
from harness.session.participant import RecordingStatus
from harness.session.venue import VenueOptions
from harness.verification import Limits, verify
from harness.verification.checks.catalogue import CHECKS
from harness.verification.checks.descriptions import DESCRIPTIONS
from harness.verification.values.expectations import Expected
from harness.verification.verify import VerifyOptions
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.program import run_harness

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[2]
PUBLIC: dict[str, Any] = {name: getattr(module, name) for module in (harness, verification) for name in module.__all__}
# The reference omits these methods of public classes, because only the harness itself calls them.
INTERNAL = ("access", "at", "for_member", "for_page", "from_page", "problem")
NEEDS_MKDOCS = pytest.mark.skipif(
    find_spec("mkdocs") is None, reason="the documents' tools are not installed: pip install -e '.[docs]'"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Build the documentation site, and return its folder and the completed process."""
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return folder, build


@NEEDS_MKDOCS
def test_site_is_built_without_a_warning(site: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Building the site causes no warnings about dead links, pages that are missing from the menu, or unknown names."""
    _, build = site

    assert 0 == build.returncode, build.stderr


@NEEDS_MKDOCS
def test_reference_contains_every_public_name_field_and_option(
    site: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """In the reference, each public name has a heading, and each field or option has a table row."""
    html = (site[0] / "reference.html").read_text(encoding="utf-8")
    headings = {anchor.rpartition(".")[2] for anchor in re.findall(r'id="(harness\.[\w.]+)"', html)}
    rows = {".".join(anchor.split(".")[-2:]) for anchor in re.findall(r'<tr [^>]*id="(harness\.[\w.]+)"', html)}
    values = values_in(RecordingStatus, *PUBLIC.values())

    missing = {f"{value.__name__}.{field}" for value in values for field in fields_of(value)} - rows
    options = {*VenueOptions.__annotations__, *VerifyOptions.__annotations__}

    assert [] == sorted(PUBLIC.keys() - headings)
    assert len(values) > 15
    assert [] == sorted(missing)
    assert [] == [name for name in sorted(options) if f"<td><code>{name}</code></td>" not in html]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring_describes_every_parameter(name: str) -> None:
    """The docstrings of public functions, and of public classes' methods, describe every parameter."""
    found = PUBLIC[name]
    members = inspect.getmembers(found, inspect.isroutine) if inspect.isclass(found) else [(name, found)]
    # Parameters in a TypedDict are skipped, because each field has its own description.
    undescribed = [
        f"{method}: {parameter}"
        for method, function in members
        if not method.startswith("_") and getattr(function, "__module__", "").startswith("harness.")
        for parameter, kind in inspect.signature(function).parameters.items()
        if parameter != "self" and "Unpack" not in str(kind.annotation) and method not in INTERNAL
        if not re.search(rf"^ +\**{parameter}: ", function.__doc__ or "", re.MULTILINE)
    ]

    assert [] == undescribed


@pytest.mark.parametrize("script", ["checks_docs", "output_docs"])
def test_generated_page_is_up_to_date(script: str) -> None:
    """Each generated page is up to date.

    A generated page must be regenerated if a check, a limit or a field changes.
    """
    compared = subprocess.run(
        [sys.executable, f"scripts/{script}.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (0, "") == (compared.returncode, compared.stderr)


def test_every_check_and_limit_has_a_description() -> None:
    """The page on checks has a section for each check, and each limit is used by at least one check."""
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    used = {limit for description in DESCRIPTIONS.values() for limit in description.limits}

    assert [check.name for check in CHECKS] == list(DESCRIPTIONS)
    assert Limits.model_fields.keys() == used
    assert [] == [check.name for check in CHECKS if f"\n### `{check.name}`\n" not in page]
    assert [] == [limit for limit in used if f"| `{limit}` | {Limits().model_dump()[limit]:g} " not in page]


def test_examples_on_the_pages_are_valid() -> None:
    """The docs' examples of an expectations file, of limits and of a timeline contain only known names."""
    checks = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    (expected,) = re.findall(r"```toml\n(.*?)```", checks, re.DOTALL)
    (limits,) = re.findall(r"Limits\((\w.*?)\)\)", checks)
    output = (ROOT / "docs" / "output-files.md").read_text(encoding="utf-8")
    (events,) = re.findall(r"```json\n(.*?)```", output, re.DOTALL)

    assert 120 == Expected.model_validate(tomllib.loads(expected)).chosen_profile().limits.audio_late_ms
    assert set(re.findall(r"(\w+)=", limits)) <= Limits.model_fields.keys()
    assert [one["event"] for one in json.loads(events)] == [
        Event.model_validate(one).event for one in json.loads(events)
    ]


def test_every_key_in_a_manifest_and_a_report_is_documented(tmp_path: Path) -> None:
    """The page on output files describes every key of a real manifest, a real report and real JSON output."""
    scene = Scene(participants=participants("alice"), width=240, height=136, frame_rate=15, seconds=1.5)
    recording = write_recording(tmp_path / "alice.webm", scene)
    answer = json.loads(run_harness("recover", "--json", folder=tmp_path).stdout)
    manifest = json.loads(recording.manifest.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "output-files.md").read_text(encoding="utf-8")

    keys = keys_in(answer) | keys_in(verify(recording).as_json()) | keys_in(manifest)

    assert {"ok", "lost", "findings", "ticks_missed"} <= keys
    assert [] == sorted(key for key in keys if f"| `{key}` |" not in page)


def test_error_tree_is_complete() -> None:
    """The tree of errors in the reference shows each error class below its base class."""
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    drawn = [(len(line) - len(line.lstrip(" ├└─│")), line.lstrip(" ├└─│")) for line in tree.splitlines()]

    bases: dict[str, str] = {}
    above: dict[int, str] = {}
    for depth, name in drawn:
        above[depth] = name
        bases[name] = above.get(depth - 3, "Exception")

    errors = [one for one in PUBLIC.values() if inspect.isclass(one) and issubclass(one, Exception)]
    assert {one.__name__: one.__bases__[0].__name__ for one in errors} == bases


def keys_in(value: Any) -> set[str]:
    """Return all keys in a JSON value, except those inside "config" and "versions"."""
    if isinstance(value, list):
        return {key for one in value for key in keys_in(one)}
    if not isinstance(value, dict):
        return set()
    inner = (one for key, one in value.items() if key not in {"config", "versions"})
    return {*value, *(key for one in inner for key in keys_in(one))}


def values_in(*roots: Any) -> set[Any]:
    """Return the models and dataclasses among the given types and, recursively, among the types of their fields."""
    found: set[Any] = set()
    queue = list(roots)
    while queue:
        one = queue.pop()
        queue += get_args(one)
        # The manifests are skipped, because the page on output files describes them.
        if one not in found and one not in {Manifest, ObservationManifest} and fields_of(one):
            found.add(one)
            queue += get_type_hints(one, include_extras=True).values()
    return found


def fields_of(value: Any) -> list[str]:
    """Return the field names of one of our models or dataclasses, or an empty list for other types."""
    if not inspect.isclass(value) or not value.__module__.startswith("harness."):
        return []
    if is_dataclass(value):
        return [field.name for field in fields(value)]
    return list(value.model_fields) if issubclass(value, BaseModel) else []
