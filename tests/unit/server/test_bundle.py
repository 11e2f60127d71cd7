"""A bundle contains a module and everything that it imports, and behaves like the separate modules."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from playwright._impl._driver import compute_driver_executable

from harness.server.bundle import bundle
from harness.server.web_app import page_scripts, web_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.parallel

NODE = compute_driver_executable()[0]


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write modules, given by path and text, and return their folder."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def output(folder: Path, entry: str) -> str:
    """Run the bundle of a module in Node.js, and return what it prints."""
    script = folder / "bundle.mjs"
    script.write_text(bundle(folder, entry, "/src/{}".format).text, encoding="utf-8")
    return subprocess.run([NODE, script], capture_output=True, text=True, timeout=60, check=True).stdout


FILES = {
    "main.js": """
import {
  one,
  two as second,
} from './part/a.js';
import './b.js';
console.log(one(), second);
""",
    "part/a.js": """
import { shared } from '../b.js';
export const two = 2;
export function one() {
  return shared.value;
}
""",
    "b.js": """
console.log('b runs');
export class Shared {
  value = 1;
}
export const shared = new Shared();
""",
}
LATER = {
    "main.js": """
import { state } from './state.js';
state.from = 'main';
const run = async () => {
  const { read } = await import('./later.js');
  console.log(read());
};
void run();
""",
    "later.js": """
import { state } from './state.js';
console.log('later runs');
export const read = () => state.from;
""",
    "state.js": "export const state = { from: '' };",
}
EXPORTS = """
/** @typedef {import('./missing.js').Type} Type */
/** @type {Promise<typeof import('./missing.js')>} */
export const value = 3;
export async function later() {}
"""


def test_bundle_runs_each_module_once_and_in_the_order_of_the_imports(tmp_path: Path) -> None:
    """Imports with other names, with several lines, and only for their effect are supported."""
    assert "b runs\n1 2\n" == output(write(tmp_path, FILES), "main.js")


def test_module_that_is_imported_later_shares_the_other_modules(tmp_path: Path) -> None:
    """An import in a function runs the module when the function is called."""
    assert "later runs\nmain\n" == output(write(tmp_path, LATER), "main.js")


def test_bundle_exports_what_its_module_exports(tmp_path: Path) -> None:
    """Another script can import the bundle in place of the module. Types in comments are not imports."""
    text = bundle(write(tmp_path, {"main.js": EXPORTS}), "main.js", "/src/{}".format).text

    assert text.endswith("export const { value, later } = $use('main.js');\n")
    assert "import('./missing.js')" in text


def test_workers_are_listed_and_have_an_absolute_url(tmp_path: Path) -> None:
    """A worker has its own modules, so it is not part of the bundle that starts it."""
    source = write(
        tmp_path,
        {
            "main.js": "import { start } from './part/start.js';\nstart();\n",
            "part/start.js": "export const start = () => new Worker(new URL('./worker.js', import.meta.url));\n",
        },
    )

    made = bundle(source, "main.js", "/src/{}".format)

    assert ("part/worker.js",) == made.workers
    assert "new URL('/src/part/worker.js', import.meta.url)" in made.text


def test_modules_that_import_each_other_are_refused(tmp_path: Path) -> None:
    """If modules import each other, no order ensures that each module runs before it is used."""
    source = write(tmp_path, {"main.js": "import './a.js';\n", "a.js": "import './main.js';\n"})

    with pytest.raises(ValueError, match=r"circular import: main\.js -> a\.js -> main\.js"):
        bundle(source, "main.js", str)


@pytest.mark.parametrize(
    "line",
    [
        "export default class {}",
        "export * from './a.js';",
        "export let changing = 1;",
        "import * as all from './a.js';",
        "import all from './a.js';",
    ],
)
def test_other_imports_and_exports_are_refused(tmp_path: Path, line: str) -> None:
    """The error names the module and the line, instead of a bundle that does not work."""
    source = write(tmp_path, {"main.js": f"{line}\n", "a.js": "export const a = 1;\n"})

    with pytest.raises(ValueError, match=r"main\.js contains an import or export that a bundle does not support"):
        bundle(source, "main.js", str)


def test_bundles_of_the_page_are_valid_modules(tmp_path: Path) -> None:
    """Node.js can parse the main module and every worker; none of them imports anything."""
    scripts = page_scripts()
    for number, text in enumerate(scripts.values()):
        path = tmp_path / f"{number}.mjs"
        path.write_bytes(text)
        subprocess.run([NODE, "--check", path], capture_output=True, timeout=60, check=True)

    assert {"main.js", "mixer/video/worker.js", "mixer/audio/worker.js", "media/synthetic-worker.js"} <= set(scripts)
    assert all((web_folder() / "src" / path).is_file() for path in scripts)
