"""The program: its commands, its exit codes, and how errors read."""

from __future__ import annotations

import codecs
import contextlib
import io
import logging
import sys
from importlib import metadata
from typing import Annotated, Final

import typer
from rich.console import Console

from harness.cli.commands import browser, convert, doctor, record, recover, serve, verify
from harness.cli.commands import run as play
from harness.cli.options import DebugOption, debugging, print_error
from harness.errors import ConfigError, HarnessError, NotSupportedError, SetupError
from harness.recording.files.text import shown

WRONG_USAGE: Final = 2
LACKING: Final = 3
FAILED: Final = 1

app = typer.Typer(
    name="harness",
    help="Records a WebRTC room in real Chrome into one WebM, and judges the file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("record")(record.record)
app.command("verify")(verify.verify)
app.command("run")(play.run)
app.command("convert")(convert.convert)
app.command("serve")(serve.serve)
app.command("recover")(recover.recover)
app.command("doctor")(doctor.doctor)
app.add_typer(browser.app, name="browser")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"harness {metadata.version('recording-harness')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Record a WebRTC room in real Chrome into one WebM, and judge the file."""
    del version
    if debug:
        debugging(on=True)


class _Shown(logging.Formatter):
    """Writes what is logged as a terminal may have it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return shown(super().format(record))


def run() -> None:
    """Run the program and exit."""
    _write_anything()
    told = logging.StreamHandler(sys.stderr)
    told.setFormatter(_Shown("harness: %(message)s"))
    logging.basicConfig(handlers=[told], level=logging.WARNING)
    try:
        app()
    except HarnessError as error:
        if debugging():
            raise
        _complain(str(error))
        sys.exit(_exit_code(error))
    except OSError as error:
        # Nobody foresaw it; what the system says of it is still one line.
        if debugging():
            raise
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"{where}{error.strerror or error}. --debug shows where.")
        sys.exit(FAILED)


def _write_anything() -> None:
    """Let no text be impossible to print: bytes of a file's name stay as they are, other signs are escaped."""

    def encode(error: UnicodeError) -> tuple[str | bytes, int]:
        try:
            return codecs.lookup_error("surrogateescape")(error)
        except UnicodeEncodeError:
            return codecs.backslashreplace_errors(error)

    codecs.register_error("harness", encode)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="harness")


def _complain(what: str) -> None:
    """Say on stderr what went wrong, and on stdout, where the answer is wanted in JSON."""
    # A reader who has gone away is no reason to keep it from the other.
    with contextlib.suppress(OSError):
        print_error(what)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(shown(f"harness: {what}"), style="red", markup=False)


def _exit_code(error: HarnessError) -> int:
    if isinstance(error, ConfigError):
        return WRONG_USAGE
    return LACKING if isinstance(error, SetupError | NotSupportedError) else FAILED
