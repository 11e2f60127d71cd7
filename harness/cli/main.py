"""Define the program with its commands and exit codes, and print its errors."""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
from importlib import metadata
from typing import Annotated, Final

import typer

from harness.cli.commands import browser, convert, doctor, observe, record, recover, serve, verify
from harness.cli.commands import run as run_scenarios
from harness.cli.exit_codes import EXIT_ENVIRONMENT, EXIT_FAILED, EXIT_USAGE
from harness.cli.options import DebugOption, debugging, print_error
from harness.cli.output_streams import is_plain, make_console, prepare_outputs
from harness.errors import ConfigError, HarnessError, NotSupportedError, SetupError
from harness.recording.files.text import shown

# In narrower terminals, the help's table would cut off the names of options.
_HELP_TABLE_COLUMNS: Final = 80
# The line before the examples in the help of each command.
_EXAMPLES: Final = "For example:\n\n"

app = typer.Typer(
    name="harness",
    help="Record WebRTC calls in real Chrome, and verify what ended up in the recording.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    # The width applies only to the help without a table; a narrower terminal wraps its lines.
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _HELP_TABLE_COLUMNS},
)
app.command("record")(record.record)
app.command("observe")(observe.observe)
app.command("verify")(verify.verify)
app.command("run")(run_scenarios.run)
app.command("convert")(convert.convert)
app.command("serve")(serve.serve)
app.command("recover")(recover.recover)
app.command("doctor")(doctor.doctor)
app.add_typer(browser.app, name="browser")


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"harness {metadata.version('recording-harness')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Record WebRTC calls in real Chrome, and verify what ended up in the recording."""
    del version
    if debug:
        debugging(on=True)


class _TerminalFormatter(logging.Formatter):
    """Formats log records so that they are safe to print on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return shown(super().format(record))


def run() -> None:
    """Run the program and exit."""
    prepare_outputs()
    _adapt_help()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_TerminalFormatter("harness: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    try:
        app()
    except HarnessError as error:
        if debugging():
            raise
        _print_failure(str(error))
        sys.exit(_exit_code(error))
    except OSError as error:
        # An unexpected system error is also printed on one line, without a traceback.
        if debugging():
            raise
        where = f"{error.filename}: " if error.filename else ""
        _print_failure(f"{where}{error.strerror or error}. --debug shows the traceback.")
        sys.exit(EXIT_FAILED)


def _adapt_help() -> None:
    """Show the help without a table if the table would not fit, and without escape sequences if they are forbidden."""
    if is_plain():
        from typer import rich_utils

        rich_utils.COLOR_SYSTEM = None
    if make_console().width >= _HELP_TABLE_COLUMNS:
        return
    app.rich_markup_mode = None
    for command in (*app.registered_commands, *browser.app.registered_commands):
        # Without this mark, the examples would be joined into a single paragraph.
        command.help = (inspect.getdoc(command.callback) or "").replace(_EXAMPLES, f"{_EXAMPLES}\b\n")


def _print_failure(message: str) -> None:
    """Print an error message on stderr; if JSON output is requested, also print the message as JSON on stdout."""
    # Printing the JSON fails if stdout is a file on a full disk; the message must still reach stderr.
    with contextlib.suppress(OSError):
        print_error(message)
    make_console(stderr=True).print(shown(f"harness: {message}"), style="red", markup=False, soft_wrap=True)


def _exit_code(error: HarnessError) -> int:
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    return EXIT_ENVIRONMENT if isinstance(error, SetupError | NotSupportedError) else EXIT_FAILED
