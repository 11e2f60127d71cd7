"""Recognize a file's container format by its first bytes, and read its structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.probe.container.boxes import BOXES, read_boxes
from harness.verification.probe.container.ebml import read_ebml
from harness.verification.probe.container.elementary import read_flac, read_mp3
from harness.verification.probe.container.mpegts import packet_layout, read_mpegts
from harness.verification.probe.container.ogg import read_ogg
from harness.verification.probe.container.riff import read_riff

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from harness.verification.probe.container.structure import Structure

_HEAD: Final = 4096
_BY_MAGIC: Final[dict[bytes, Callable[[BinaryIO, int], Structure | None]]] = {
    b"\x1a\x45\xdf\xa3": read_ebml,
    b"RIFF": read_riff,
    b"RF64": read_riff,
    b"OggS": read_ogg,
    b"fLaC": read_flac,
    b"ID3": read_mp3,
}


def read_structure(path: Path) -> Structure | None:
    """Return the structure of the file at ``path``, or None if there is no reader for its format."""
    with path.open("rb") as file:
        return structure_of(file, path.stat().st_size)


def structure_of(file: BinaryIO, size: int) -> Structure | None:
    """Return the structure of an open file of ``size`` bytes, or None if there is no reader for its format."""
    head = file.read(_HEAD)
    for magic, read in _BY_MAGIC.items():
        if head.startswith(magic):
            return read(file, size)
    if head[4:8] in BOXES:
        return read_boxes(file, size)
    # An MP3 frame starts with eleven set bits, and its layer is not 0. In ADTS, the layer is 0.
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0 and head[1] & 0x06:  # noqa: PLR2004
        return read_mp3(file, size)
    layout = packet_layout(head)
    return read_mpegts(file, size, layout) if layout else None
