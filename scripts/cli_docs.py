"""``python scripts/cli_docs.py``: write docs/cli.md from the help of every command; ``--check`` only compares it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Rich reads these variables when it is imported; they make the page independent of the terminal.
os.environ.update(TERM="dumb", COLUMNS="110", NO_COLOR="1")
os.environ.pop("FORCE_COLOR", None)

from typer.testing import CliRunner

from harness.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """# The command line

`python scripts/cli_docs.py` generates this page from the program's own help. `harness --install-completion` makes the
shell complete commands and options. Each option can also be set by its environment variable.

With `--json` a command prints exactly one JSON object on stdout. If the command fails, `ok` is false and `error` is
the error line from stderr. For a mistake in the options themselves, the command prints only the usage on stderr. If
one report can't be written (`--html`, `--junit`), the command still writes the others and prints the JSON object with
that error.

| exit code | meaning |
| --- | --- |
| 0 | every check passed |
| 1 | a check, a scenario or a recording failed |
| 2 | wrong usage: an option, a scenario or a file that can't be used |
| 3 | the environment lacks something, such as Chrome |
| 129, 130, 143 | interrupted by SIGHUP, Ctrl-C or SIGTERM; the command first finishes the recordings and names them |

If `harness verify` gets only one file and can't read it, that is wrong usage (2). Among several files, an unreadable
one gets a failed report, the others are verified, and the exit code is 1. If a scenario can't begin or its worker
process crashes, that scenario fails (1), and `harness run` continues with the others. If no scenario can begin, all
for the same reason, the exit code is that of the reason.
"""


def main() -> int:
    """Write the page, or compare it; return 1 if it differs."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        if text == PAGE.read_text(encoding="utf-8"):
            return 0
        sys.stderr.write(f"{PAGE.name} differs from the help. Run python scripts/cli_docs.py.\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """Return the whole page."""
    sections = [HEAD]
    for command in ((), *commands()):
        shown = " ".join(("harness", *command))
        answer = CliRunner().invoke(app, [*command, "--help"], prog_name="harness")
        lines = [line.rstrip() for line in answer.output.strip("\n").splitlines()]
        sections.append("\n".join((f"## `{shown}`", "", "```text", *lines, "```", "")))
    return "\n".join(sections)


def commands() -> list[tuple[str, ...]]:
    """Return every command, in the order of the help."""
    found = [(one.name,) for one in app.registered_commands if one.name]
    for group in app.registered_groups:
        instance = group.typer_instance
        if instance and group.name:
            found += [(group.name, one.name) for one in instance.registered_commands if one.name]
    return found


if __name__ == "__main__":
    sys.exit(main())
