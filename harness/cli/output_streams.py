"""Prepare stdout and stderr for any encoding, for plain terminals, and for pipes and terminals that are closed early.

Problems with the output must not change a command's exit code, with one exception: if stdout is a file that can't be
written, for example because the disk is full, the command fails.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2
_ERROR_HANDLER: Final = "harness"
# Replacements for the symbols in our own texts, and in the help and the tables that Rich draws.
_PLAIN_SIGNS: Final = {
    "✓": "+",
    "✗": "x",
    "⚠": "!",
    "…": "...",
    "→": "->",
    "←": "<-",
    "≤": "<=",
    "≥": ">=",
    "•": "*",
    "·": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{NO-BREAK SPACE}": " ",
}
# Python represents the bytes of a file name that it can't decode as these characters.
_FIRST_RAW_BYTE: Final = "\udc80"
_LAST_RAW_BYTE: Final = "\udcff"
_RAW_BYTE_OFFSET: Final = 0xDC00


def prepare_outputs() -> None:
    """Prepare stdout and stderr; called once, before the program prints anything.

    - Characters that the encoding of the output lacks are replaced by similar ones or by escape sequences.
    - If the program at the other end of a pipe has ended, or if the terminal has been closed, output is discarded.
    - If a standard stream was closed before the program started, output is discarded.
    """
    codecs.register_error(_ERROR_HANDLER, _replace_sign)
    for number in (_STDIN, _STDOUT, _STDERR):
        _open_if_closed(number)
    sys.stdout = _prepared(sys.stdout, _STDOUT)
    sys.stderr = _prepared(sys.stderr, _STDERR)


def make_console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr; it prints no escape sequences if the user or the terminal forbids them."""
    from rich.console import Console

    width, height = _dumb_terminal_size(sys.stderr if stderr else sys.stdout)
    return Console(
        stderr=stderr,
        highlight=False,
        color_system=None if is_plain() else "auto",
        width=width,
        height=height,
    )


def is_plain() -> bool:
    """Return whether escape sequences must not be printed, because of NO_COLOR or a dumb terminal."""
    return bool(os.environ.get("NO_COLOR")) or _is_dumb()


def shows_progress() -> bool:
    """Return whether stderr is a terminal on which a progress display can be animated."""
    return sys.stderr.isatty() and not is_plain()


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def _dumb_terminal_size(stream: TextIO) -> tuple[int | None, int | None]:
    """Return the columns and lines of a dumb terminal, because Rich assumes that all dumb terminals have 80 columns.

    The values are None if the size is unknown, or if the stream is not a dumb terminal.
    """
    if not _is_dumb():
        return None, None
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None, None
    # A terminal that does not know its size reports 0.
    return columns or None, lines or None


class _Descriptor(io.FileIO):
    """The raw stream of stdout or stderr, which discards all output after its pipe or terminal has been closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._number = number
        self._is_terminal = self.isatty()

    def write(self, data: ReadableBuffer, /) -> int:
        """Write the data, or discard it if no program can read it anymore; return the number of bytes."""
        try:
            # The other end may have made the pipe non-blocking, and FileIO then returns None while the pipe is full.
            while (written := super().write(data)) is None:
                select.select((), (self._number,), ())
        except OSError as error:
            # Python writes the rest of its buffer when the program ends, which must not fail again.
            self._discard()
            is_closed = error.errno == errno.EPIPE or (error.errno == errno.EIO and self._is_terminal)
            if is_closed or self._number == _STDERR:
                return memoryview(data).nbytes
            raise OSError(error.errno, error.strerror, "standard output") from error
        return written

    def _discard(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._number)
        os.close(null)


def _open_if_closed(number: int) -> None:
    """Connect a closed standard stream to the null device; otherwise the next file that is opened would replace it."""
    try:
        os.fstat(number)
    except OSError:
        # The new file gets the lowest free number, which is this one. Child processes inherit it.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - accepts no keyword


def _prepared(stream: TextIO | None, number: int) -> TextIO:
    """Return the stream to use instead of ``stream``, which is None if the standard stream was closed."""
    if stream is None:
        return _open(number, "utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    with contextlib.suppress(OSError, ValueError):
        if stream.fileno() == number:
            stream.flush()
            return _open(number, stream.encoding)
    # Another program, for example pytest, has redirected the stream.
    stream.reconfigure(errors=_ERROR_HANDLER)
    return stream


def _open(number: int, encoding: str) -> TextIO:
    buffer = io.BufferedWriter(_Descriptor(number))
    return io.TextIOWrapper(buffer, encoding=encoding, errors=_ERROR_HANDLER, line_buffering=True)


def _replace_sign(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return a replacement for the first character that can't be encoded, and the position after this character."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign, end = error.object[error.start], error.start + 1
    if sign in _PLAIN_SIGNS:
        return _PLAIN_SIGNS[sign], end
    # Undecodable bytes in file names are written unchanged, but a single byte would damage UTF-16 and UTF-32.
    if _FIRST_RAW_BYTE <= sign <= _LAST_RAW_BYTE and not error.encoding.lower().startswith(("utf-16", "utf-32")):
        return bytes((ord(sign) - _RAW_BYTE_OFFSET,)), end
    one_sign = UnicodeEncodeError(error.encoding, error.object, error.start, end, error.reason)
    return codecs.backslashreplace_errors(one_sign)
