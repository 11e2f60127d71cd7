"""Read the segments of a rendition as one stream of bytes. Only one of their files is open at a time."""

from __future__ import annotations

import errno
import os
import stat
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from harness.verification.sources import Piece


class SegmentStream:
    """A file-like object that contains the bytes of all pieces, one after another. Closing it closes the open file.

    Raises OSError if a file can't be read or is not a regular file.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._starts = [0, *accumulate(piece.size for piece in pieces)]
        self._at = 0
        self._open: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """The total number of bytes."""
        return self._starts[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, or fewer at the end; a negative size reads the whole rest."""
        left = self.size - self._at if size < 0 else size
        found = []
        while left > 0 and self._at < self.size:
            number = bisect_right(self._starts, self._at) - 1
            rest = self._starts[number + 1] - self._at
            offset = self._pieces[number].start + self._at - self._starts[number]
            part = os.pread(self._descriptor(number), min(left, rest), offset)
            # A file that has become shorter since its size was read continues with the next piece.
            self._at += len(part) or rest
            left -= len(part)
            found.append(part)
        return b"".join(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the current position."""
        return self._at

    def close(self) -> None:
        """Close the open file."""
        if self._open:
            os.close(self._open[1])
            self._open = None

    def _descriptor(self, number: int) -> int:
        """Return the descriptor of a piece's file, which is opened if it is not open yet."""
        if self._open and self._open[0] == number:
            return self._open[1]
        self.close()
        # O_NONBLOCK prevents a pipe from blocking, and O_NOFOLLOW refuses a link that has replaced the file.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._pieces[number].path, flags)
        self._open = (number, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(self._pieces[number].path))
        return descriptor


class OneWay:
    """Only the ``read`` method of a stream: libav can't seek in it, and therefore reads segments in their order."""

    def __init__(self, stream: SegmentStream) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        return self._stream.read(size)
