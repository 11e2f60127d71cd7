"""The documents as a site: it builds without a warning, and its reference contains the whole public API."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel

import harness
from harness import verification
from harness.recording.manifest import Manifest
from harness.session.participant import RecordingStatus
from harness.session.venue import VenueOptions
from harness.verification.verify import VerifyOptions

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[2]
PUBLIC: dict[str, Any] = {name: getattr(module, name) for module in (harness, verification) for name in module.__all__}
# Methods of public classes that only other parts of the harness call; the reference leaves them out.
INTERNAL = ("access", "at", "for_member", "for_page", "from_page", "problem")
NEEDS_MKDOCS = pytest.mark.skipif(
    find_spec("mkdocs") is None, reason="the documents' tools are not installed: pip install -e '.[docs]'"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Return the folder of the site, and the process that built it."""
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
    """A dead link, a page outside the menu and an unknown name in the reference are warnings."""
    _, build = site

    assert 0 == build.returncode, build.stderr


@NEEDS_MKDOCS
def test_reference_contains_every_public_name_field_and_option(
    site: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Each name has a heading, each field of a value a row, and each option of a function a row."""
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
    """This holds for public functions, and for the methods of public classes."""
    found = PUBLIC[name]
    members = inspect.getmembers(found, inspect.isroutine) if inspect.isclass(found) else [(name, found)]
    # The fields of a TypedDict have their own descriptions.
    undescribed = [
        f"{method}: {parameter}"
        for method, function in members
        if not method.startswith("_") and getattr(function, "__module__", "").startswith("harness.")
        for parameter, kind in inspect.signature(function).parameters.items()
        if parameter != "self" and "Unpack" not in str(kind.annotation) and method not in INTERNAL
        if not re.search(rf"^ +\**{parameter}: ", function.__doc__ or "", re.MULTILINE)
    ]

    assert [] == undescribed


def values_in(*roots: Any) -> set[Any]:
    """Return the models and dataclasses among some types, and among the types of their fields."""
    found: set[Any] = set()
    queue = list(roots)
    while queue:
        one = queue.pop()
        queue += get_args(one)
        # The page on output files describes the manifest.
        if one not in found and one is not Manifest and fields_of(one):
            found.add(one)
            queue += get_type_hints(one, include_extras=True).values()
    return found


def fields_of(value: Any) -> list[str]:
    """Return the names of the fields of a model or a dataclass of ours."""
    if not inspect.isclass(value) or not value.__module__.startswith("harness."):
        return []
    if is_dataclass(value):
        return [field.name for field in fields(value)]
    return list(value.model_fields) if issubclass(value, BaseModel) else []
