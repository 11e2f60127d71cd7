"""Join a module of the page and all modules that it imports into one script.

A page that loads its modules one by one makes dozens of requests. Each of them costs time in Chrome's processes, in
Playwright's driver and in the server.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_IMPORT: Final = re.compile(r"^import (?:\{(?P<names>[^}]*)\} from )?'(?P<path>\.[^']+\.js)';", re.MULTILINE)
# A type in a comment looks like an import, but follows a brace, a bracket or `typeof`.
_DYNAMIC_IMPORT: Final = re.compile(r"(?<=\s)(?<!typeof )import\('(?P<path>\.[^']+\.js)'\)")
_WORKER: Final = re.compile(r"\bnew URL\('(?P<path>\.[^']+\.js)', import\.meta\.url\)")
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (?P<name>[\w$]+))", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import\b(?!\()|export\b).*", re.MULTILINE)
_START: Final = """const $loaded = {};
const $use = (path) => ($loaded[path] ??= $modules[path]());
const $modules = {
"""


@dataclass(frozen=True)
class Bundle:
    """A module with everything that it imports. ``workers`` are the modules that it starts as workers or worklets."""

    text: str
    workers: tuple[str, ...]


def bundle(source: Path, entry: str, worker_url: Callable[[str], str]) -> Bundle:
    """Return the bundle of the module ``entry``, a path relative to the folder ``source``.

    Each module becomes a function, which runs when the module is first imported, and returns the module's exports.
    ``worker_url`` returns the URL with which the bundle loads a worker, given the path of the worker's module.

    Raises:
        ValueError: Modules import each other, or an import or export has a form that is not supported.
    """
    modules = _Modules(source, worker_url)
    modules.add(entry)
    names = modules.exports[entry]
    end = f"export const {{ {', '.join(names)} }} = $use('{entry}');\n" if names else f"$use('{entry}');\n"
    functions = "".join(f"'{path}': () => {{\n{text}\n}},\n" for path, text in modules.texts.items())
    return Bundle(f"{_START}{functions}}};\n{end}", tuple(modules.workers))


def bundle_with_workers(source: Path, entry: str, worker_url: Callable[[str], str]) -> dict[str, str]:
    """Return the texts of the bundles of the workers that ``entry`` starts, and then of ``entry`` itself, by path."""
    main = bundle(source, entry, worker_url)
    workers = {path: bundle(source, path, worker_url).text for path in main.workers}
    return {**workers, entry: main.text}


@dataclass
class _Modules:
    """The modules of a bundle: their texts as bodies of functions, and the names that they export."""

    source: Path
    worker_url: Callable[[str], str]
    texts: dict[str, str] = field(default_factory=dict)
    exports: dict[str, list[str]] = field(default_factory=dict)
    workers: dict[str, None] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _dynamic: list[str] = field(default_factory=list)

    def add(self, path: str) -> None:
        """Add a module after all modules that it imports."""
        self._add(path)
        # Modules that are imported later may import modules that are being added now.
        while self._dynamic:
            self._add(self._dynamic.pop())

    def _add(self, path: str) -> None:
        if path in self.texts:
            return
        if path in self._open:
            message = f"The page's modules contain a circular import: {' -> '.join([*self._open, path])}."
            raise ValueError(message)
        self._open.append(path)
        folder = posixpath.dirname(path)
        names: list[str] = []

        def resolve(match: re.Match[str]) -> str:
            return posixpath.normpath(posixpath.join(folder, match["path"]))

        def replace_import(match: re.Match[str]) -> str:
            used = resolve(match)
            self._add(used)
            imported = match["names"]
            return (f"const {{{imported.replace(' as ', ': ')}}} = " if imported else "") + f"$use('{used}');"

        def replace_dynamic_import(match: re.Match[str]) -> str:
            used = resolve(match)
            self._dynamic.append(used)
            return f"Promise.resolve().then(() => $use('{used}'))"

        def replace_worker(match: re.Match[str]) -> str:
            worker = resolve(match)
            self.workers[worker] = None
            return f"new URL('{self.worker_url(worker)}', import.meta.url)"

        def replace_export(match: re.Match[str]) -> str:
            names.append(match["name"])
            return ""

        text = (self.source / path).read_text(encoding="utf-8")
        text = _IMPORT.sub(replace_import, text)
        text = _DYNAMIC_IMPORT.sub(replace_dynamic_import, text)
        text = _WORKER.sub(replace_worker, text)
        text = _EXPORT.sub(replace_export, text)
        if other := _OTHER.search(text):
            message = f"{path} contains an import or export that a bundle does not support: {other[0]}"
            raise ValueError(message)
        self._open.pop()
        self.exports[path] = names
        self.texts[path] = f"{text}return {{ {', '.join(names)} }};" if names else text
