"""``python scripts/cli_docs.py``: writes docs/cli.md, every command's own help; ``--check`` only says if it differs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before Rich is imported: the same page whatever terminal it is made in.
os.environ.update(TERM="dumb", COLUMNS="110", NO_COLOR="1")
os.environ.pop("FORCE_COLOR", None)

from typer.testing import CliRunner

from harness.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """# The command line

Made by `python scripts/cli_docs.py` from the program's own help. `harness --install-completion` lets the shell complete
commands and options. Each option can be given by its environment variable, too.

With `--json` a command prints exactly one JSON object on stdout, also where it fails: `ok` is false then, and `error`
is the line that stderr has. Only a mistake in the options themselves has no answer but the usage on stderr. Where a
report can't be written (`--html`, `--junit`), the others are, and the answer is still printed, with that error.

| exit code | meaning |
| --- | --- |
| 0 | every check passed |
| 1 | a check failed, a scenario failed, or a recording broke |
| 2 | wrong usage: an option, a scenario or a file that can't be used |
| 3 | the environment lacks something, as a Chrome |
| 129, 130, 143 | interrupted by SIGHUP, Ctrl-C or SIGTERM; what was recorded until then is finished and named first |

A file that `harness verify` can't read is wrong usage (2) where it is the only one. Among several it has a report that
failed, the others have theirs, and the exit code is 1. A scenario that can't begin, or whose worker process dies, is an
error of its own (1), and `harness run` goes on with the others; where none of them can begin for the same reason, the
exit code is that reason's.
"""


def main() -> int:
    """Write the page, or compare it; exit 1 where it differs."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        if text == PAGE.read_text(encoding="utf-8"):
            return 0
        sys.stderr.write(f"{PAGE.name} is not what the help says: run python scripts/cli_docs.py.\n")
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
