"""Add the changelog and the guide for contributors, which are in the top folder, to the documentation site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md")
RELATIVE_LINK = re.compile(r"\]\((?!https?:|#)([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file; MkDocs calls this function when it has listed the files of docs/."""
    repository = config.extra["social"][0]["link"]
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        page = RELATIVE_LINK.sub(lambda link: f"]({_target(link[1], repository)})", text)
        files.append(File.generated(config, name.lower(), content=page))
    return files


def _target(link: str, repository: str) -> str:
    """Return the address of a link of these files: a page of the site, or a file of the repository."""
    return link.removeprefix("docs/") if link.startswith("docs/") else f"{repository}/blob/main/{link}"
