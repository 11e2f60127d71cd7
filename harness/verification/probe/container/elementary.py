"""Read the structure of files that contain one audio stream without a container: FLAC (RFC 9639) and MP3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.probe.container.structure import Structure, ends_too_late, find

if TYPE_CHECKING:
    from typing import BinaryIO

# The start of a FLAC file, up to the size of its first metadata block.
_FLAC: Final = b"fLaC\x00\x00\x00\x22"
_TAG_HEADER: Final = 10
_SAMPLE_RATES: Final = {0b11: (44_100, 48_000, 32_000), 0b10: (22_050, 24_000, 16_000), 0b00: (11_025, 12_000, 8_000)}
_RESERVED: Final = 0b11
_SAMPLES: Final = {0b11: 1152, 0b10: 576, 0b00: 576}
# Number of bytes from the start of a frame to its Xing or Info header, which depends on version and channels.
_HEADER_OFFSETS: Final = (36, 21, 13)
# Maximum size of a frame in bytes. The stated size may or may not include the frame with the header, depending on the
# program that wrote the file.
_LARGEST_FRAME: Final = 2_000


def read_flac(file: BinaryIO, size: int) -> Structure:
    """Return the structure of a FLAC file of ``size`` bytes."""
    file.seek(8)
    properties = int.from_bytes(file.read(18)[10:18])
    rate, samples = properties >> 44, properties & ((1 << 36) - 1)
    return Structure(
        container="flac",
        duration=samples / rate if rate and samples else None,
        second=find(file, _FLAC, len(_FLAC), size),
    )


def read_mp3(file: BinaryIO, size: int) -> Structure | None:
    """Return the structure of an MP3 file of ``size`` bytes, or None if an ID3 tag is followed by something else."""
    start = _after_tag(file, 0)
    file.seek(start)
    frame = file.read(_LARGEST_FRAME)
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0 or not frame[1] & 0x06:  # noqa: PLR2004 (the sync)
        return None
    version, rate = frame[1] >> 3 & 0b11, frame[2] >> 2 & 0b11
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if at < 0 or version not in _SAMPLES or rate == _RESERVED:
        return Structure(container="mp3")
    flags, numbers = int.from_bytes(frame[at + 4 : at + 8]), frame[at + 8 : at + 16]
    frames = int.from_bytes(numbers[:4]) if flags & 1 else 0
    stated = int.from_bytes(numbers[4 if flags & 1 else 0 :][:4]) if flags & 2 else 0
    end = start + stated
    duration = frames * _SAMPLES[version] / _SAMPLE_RATES[version][rate] if frames else None
    if not stated:
        return Structure(container="mp3", duration=duration)
    late = end > size + _LARGEST_FRAME
    return Structure(
        container="mp3",
        duration=duration,
        damage=ends_too_late("audio", start, end, size) if late else None,
        second=None if late else _second(file, end, size),
    )


def _after_tag(file: BinaryIO, at: int) -> int:
    """Return the offset just after the ID3 tag at ``at``, or ``at`` if there is no tag."""
    file.seek(at)
    head = file.read(_TAG_HEADER)
    if not head.startswith(b"ID3") or len(head) < _TAG_HEADER:
        return at
    size = 0
    for one in head[6:10]:
        size = size << 7 | one & 0x7F
    return at + _TAG_HEADER + size


def _second(file: BinaryIO, end: int, size: int) -> int | None:
    """Return the byte near ``end`` at which another MP3 file begins, or None."""
    near, far = max(end - _LARGEST_FRAME, _TAG_HEADER), min(size, end + 2 * _LARGEST_FRAME)
    for tag in (b"ID3\x03", b"ID3\x04"):
        found = find(file, tag, near, far)
        # A tag is followed by audio. Some programs append tags at the end of the file.
        if found is not None and _after_tag(file, found) < size - _LARGEST_FRAME:
            return found
    for header in (b"Xing", b"Info"):
        found = find(file, header, near, far)
        for offset in _HEADER_OFFSETS if found is not None else ():
            file.seek(max(0, (found or 0) - offset))
            sync = file.read(2)
            if sync[:1] == b"\xff" and sync[1] & 0xE0 == 0xE0:  # noqa: PLR2004 (the sync)
                return (found or 0) - offset
    return None
