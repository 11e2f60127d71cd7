"""Write the script that runs first in every frame of another application's page, with all modules that it needs."""

from __future__ import annotations

import functools
import json
import posixpath
import re
from typing import TYPE_CHECKING, Any, Final

from harness.server.web_app import web_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAIN: Final = "attach.js"
# The specifier of a static import, or of a module that is loaded as a worker or worklet.
_SPECIFIER: Final = re.compile(r"(?P<before>\b(?:from|import) |\bnew URL\()'(?P<path>\.[^']+\.js)'")


def attach_script(options: Mapping[str, Any]) -> str:
    """Return hooks.js, with its options and the source code of attach.js and of all modules that attach.js uses.

    The page imports the modules from this script, not over the network. The application's service worker, the test's
    routes and HAR files, extra HTTP headers and a proxy therefore can't affect the modules.
    """
    source = web_folder() / "src"
    hooks = (source / "application" / "hooks.js").read_text(encoding="utf-8")
    return (
        f"(() => {{ const HARNESS = {json.dumps(options)};\nconst MODULES = {_modules_json(source)};\n{hooks}\n}})();"
    )


@functools.cache
def _modules_json(source: Path) -> str:
    return json.dumps(modules(source))


def modules(source: Path) -> list[tuple[str, str]]:
    """Return the path and text of attach.js and of every module that it uses; each module comes after those it uses.

    Each import specifier is replaced with ``harness:`` followed by the module's path. The page replaces these
    specifiers with URLs (hooks.js). Raises ValueError if there is a circular import.
    """
    texts: dict[str, str] = {}
    open_paths: list[str] = []

    def add(path: str) -> None:
        if path in texts:
            return
        if path in open_paths:
            message = f"The page's modules contain a circular import: {' -> '.join([*open_paths, path])}."
            raise ValueError(message)
        open_paths.append(path)
        folder = posixpath.dirname(path)

        def replace(match: re.Match[str]) -> str:
            used = posixpath.normpath(posixpath.join(folder, match["path"]))
            add(used)
            return f"{match['before']}'harness:{used}'"

        text = _SPECIFIER.sub(replace, (source / path).read_text(encoding="utf-8"))
        open_paths.pop()
        texts[path] = text

    add(_MAIN)
    return list(texts.items())
