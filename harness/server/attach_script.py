"""Write the script that runs first in every frame of another application's page, with all modules that it needs."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Final

from harness.server.bundle import bundle_with_workers
from harness.server.web_app import web_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAIN: Final = "attach.js"


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
    """Return the path and text of attach.js and of each worker, in which all imported modules are included.

    The workers come first. attach.js contains ``harness:`` and a worker's path in place of the worker's URL, which the
    page inserts (hooks.js). Raises ValueError if the modules can't be bundled.
    """
    return list(bundle_with_workers(source, _MAIN, "harness:{}".format).items())
