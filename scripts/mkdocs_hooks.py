"""Add the changelog and the contributing guide, which are in the root folder, to the documentation site."""

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
    """Add one page for the changelog and one for the contributing guide.

    MkDocs calls this function after it has listed the files in docs/.
    """
    repository = config.extra["social"][0]["link"]
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        page = RELATIVE_LINK.sub(lambda link: f"]({_target(link[1], repository)})", text)
        files.append(File.generated(config, name.lower(), content=page))
    return files


def _target(link: str, repository: str) -> str:
    """Return the target of a link in the changelog or the guide: a page on the site, or a file in the repository."""
    return link.removeprefix("docs/") if link.startswith("docs/") else f"{repository}/blob/main/{link}"
