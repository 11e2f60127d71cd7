"""``python scripts/cli_docs.py``: writes docs/cli.md from the program's own commands; ``--check`` only compares it.

Typer's command objects provide usage, help, options, defaults and environment variables.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import typer

from harness.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD: Final = """# Command line

`python scripts/cli_docs.py` writes this page from the program's own commands and options. `harness COMMAND --help`
(or `-h`) shows the same text in the terminal, and `harness --install-completion` installs the completion of commands
and options for your shell.

An option on the command line overrides its environment variable, which overrides the default. For an option that may be
repeated, the environment variable contains the values separated by spaces. For a flag, it is `1` or `0`.
"""
REST: Final = """## Exit codes

| code | meaning |
| --- | --- |
| 0 | Every check passed. |
| 1 | A check failed, a scenario failed, or a recording broke. |
| 2 | Wrong usage: an option, a scenario or a file can't be used. |
| 3 | The environment lacks something, for example a Chrome. |
| 129, 130, 143 | SIGHUP, Ctrl-C or SIGTERM interrupted the command. The part of the recording made until then is finished, and its path is printed first. |

If the only file of `harness verify` can't be read, that is wrong usage (2). If one of several files can't be read, its
report has failed, the other files still get their reports, and the exit code is 1.

If a scenario of `harness run` can't start, or if its worker process crashes, that scenario has failed (1), and the others
still run. If no scenario can start, and all for the same reason, the exit code is the one of that reason.

## JSON output

With `--json` a command prints exactly one JSON object on stdout. `ok` is true if nothing failed. If something besides a
check failed, `ok` is false and `error` is the message that stderr has, also if the rest of the object is missing. If an
option itself is wrong, the usage is printed on stderr, and nothing on stdout. If a report file (`--html`, `--junit`)
can't be written, the other files and the object are still written, and `error` gives the reason.

| command | keys of the object |
| --- | --- |
| `harness record` | `ok`, `recordings`, `reports` |
| `harness verify` | `ok`, `reports` |
| `harness run` | `ok`, `recordings`, `reports`, `scenarios` |
| `harness convert` | `ok`, `path`, `warnings`, `report` |
| `harness recover` | `ok`, `recordings`, `lost` |
| `harness doctor` | `ok`, and the keys of the [doctor report](output-files.md#doctor-report) |

[Output files](output-files.md#json-of-the-commands) describes every key, with its type and unit.
"""  # noqa: E501 - rows of tables
# The placeholders for values of Python's types.
_PLACEHOLDERS: Final = {str: "TEXT", int: "N", float: "NUMBER", Path: "PATH"}


def main() -> int:
    """Write the page, or compare it; exit 1 if it differs."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        if text == PAGE.read_text(encoding="utf-8"):
            return 0
        sys.stderr.write(f"{PAGE.name} differs from the program's help: run python scripts/cli_docs.py.\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """Return the whole page."""
    program = typer.main.get_command(app)
    found = list(commands(program, "harness"))
    overview = ["| command | what it does |", "| --- | --- |"]
    overview += [
        f"| [`{name}`](#{name.replace(' ', '-')}) | {_first_line(command)} |"
        for name, command in found
        if name != "harness"
    ]
    return "\n".join((HEAD, "\n".join(overview), "", REST, *(section(name, command) for name, command in found)))


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the program and every command that does something, with their full names, in the order of the help."""
    inner = getattr(command, "commands", {})
    if not inner or name == "harness":
        yield name, command
    for each, one in inner.items():
        yield from commands(one, f"{name} {each}")


def section(name: str, command: Any) -> str:
    """Return the section of one command: purpose, usage, examples, and a table for each group of options."""
    text, _, examples = (command.help or "").partition("For example:\n")
    parts = [f"## `{name}`", _usage(name, command), text.strip()]
    # The examples are a list in the docstring, and lines to copy on the page.
    lines = [line.removeprefix("- ").strip() for line in examples.strip().splitlines()]
    if lines:
        parts.append("\n".join(("```sh", *lines, "```")))
    types = _types_of(command.callback)
    groups: dict[str, list[Any]] = {}
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            default = "Arguments" if parameter.param_type_name == "argument" else "Options"
            groups.setdefault(getattr(parameter, "rich_help_panel", None) or default, []).append(parameter)
    for title, parameters in groups.items():
        parts.append(f"**{title}**")
        parts.append(_table(parameters, types, arguments=parameters[0].param_type_name == "argument"))
    return "\n\n".join(part for part in parts if part) + "\n"


def _usage(name: str, command: Any) -> str:
    parts = [name, "[OPTIONS]"]
    for one in command.params:
        if one.param_type_name == "argument":
            metavar = one.metavar.removesuffix("...")
            parts.append((metavar if one.required else f"[{metavar}]") + ("..." if one.nargs < 0 else ""))
    if hasattr(command, "commands"):
        parts.append("COMMAND [ARGUMENTS]...")
    return f"Usage: `{' '.join(parts)}`"


def _table(parameters: list[Any], types: dict[str, Any], *, arguments: bool) -> str:
    if arguments:
        rows = ["| argument | what it is |", "| --- | --- |"]
        rows += [f"| `{one.metavar.removesuffix('...')}` | {_described(one)} |" for one in parameters]
        return "\n".join(rows)
    rows = ["| option | value | what it does | environment variable |", "| --- | --- | --- | --- |"]
    for one in parameters:
        names = ", ".join(f"`{name}`" for name in sorted((*one.opts, *one.secondary_opts), key=len, reverse=True))
        variable = f'<span class="variable">`{one.envvar}`</span>' if one.envvar else ""
        rows.append(f"| {names} | {_value(one, types.get(one.name))} | {_described(one)} | {variable} |")
    return "\n".join(rows)


def _described(parameter: Any) -> str:
    """Return the help of a parameter, followed by its default."""
    text = " ".join((parameter.help or "").split()).replace("|", "\\|")
    shown = parameter.show_default
    default = parameter.default
    if isinstance(shown, str):
        return f"{text} Default: {shown}."
    if default is None or isinstance(default, bool) or shown is False or callable(default) or default in ((), []):
        return text
    number = f"{default:g}" if isinstance(default, float) else str(default)
    return f"{text} Default: `{number}`."


def _value(parameter: Any, annotation: Any) -> str:
    """Return the allowed values of an option: its choices, its range, or a placeholder."""
    if parameter.is_flag:
        return "flag"
    if parameter.metavar:
        values = parameter.metavar.split("|")
    elif get_origin(annotation) is Literal:
        values = list(get_args(annotation))
    else:
        values = [_PLACEHOLDERS.get(annotation, "TEXT")]
    shown = ", ".join(f"`{value}`" for value in values)
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if low is not None and high is not None:
        return f"{shown}, {low} to {high}"
    return f"{shown}, at least {low:g}" if low is not None else shown


def _types_of(callback: Any) -> dict[str, Any]:
    """Return the type of each parameter of a command, without None and without Typer's options."""
    return {name: _bare(hint) for name, hint in get_type_hints(callback, include_extras=False).items()}


def _bare(annotation: Any) -> Any:
    """Return the type of one value: without None, and without the list around it."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        (annotation,) = (one for one in get_args(annotation) if one is not type(None))
    return get_args(annotation)[0] if get_origin(annotation) is list else annotation


def _first_line(command: Any) -> str:
    return " ".join((command.help or "").strip().partition("\n\n")[0].split())


if __name__ == "__main__":
    sys.exit(main())
