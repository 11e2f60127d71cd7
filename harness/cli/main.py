"""Define the program with its commands and exit codes, and print its errors."""

from __future__ import annotations

import codecs
import contextlib
import io
import logging
import sys
from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console

from harness.cli.commands import browser, convert, doctor, record, recover, serve, verify
from harness.cli.commands import run as run_scenarios
from harness.cli.exit_codes import EXIT_ENVIRONMENT, EXIT_FAILED, EXIT_USAGE
from harness.cli.options import DebugOption, debugging, print_error
from harness.errors import ConfigError, HarnessError, NotSupportedError, SetupError
from harness.recording.files.text import shown

app = typer.Typer(
    name="harness",
    help="Record WebRTC calls in real Chrome, and verify what ended up in the recording.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("record")(record.record)
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
    _escape_unencodable()
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


def _escape_unencodable() -> None:
    """Prevent errors when text that stdout can't encode is printed.

    Undecodable bytes in file names are written unchanged, and other characters that can't be encoded are escaped.
    """

    def encode(error: UnicodeError) -> tuple[str | bytes, int]:
        try:
            return codecs.lookup_error("surrogateescape")(error)
        except UnicodeEncodeError:
            return codecs.backslashreplace_errors(error)

    codecs.register_error("harness", encode)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="harness")


def _print_failure(message: str) -> None:
    """Print an error message on stderr; if JSON output is requested, also print the message as JSON on stdout."""
    # Printing the JSON fails if stdout is a closed pipe; the message must still reach stderr.
    with contextlib.suppress(OSError):
        print_error(message)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(shown(f"harness: {message}"), style="red", markup=False)


def _exit_code(error: HarnessError) -> int:
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    return EXIT_ENVIRONMENT if isinstance(error, SetupError | NotSupportedError) else EXIT_FAILED
