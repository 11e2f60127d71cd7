"""Read a file once, to its end: its tracks become facts, its pictures and sound pass whoever watches."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import av
import av.error

from harness.recording.files.formats import open_media
from harness.verification.probe.container import Structure, read_structure
from harness.verification.probe.tracks import PictureTrack, SoundTrack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.container import InputContainer

    from harness.verification.probe.tracks import Picture, PictureFacts, Sound, SoundFacts


class UnreadableError(Exception):
    """The file holds nothing that could be judged; the message says why."""


class Eye(Protocol):
    """Watches the pictures."""

    def see(self, picture: Picture) -> None:
        """Take the next picture; its luma is only valid during the call."""


class Ear(Protocol):
    """Listens to the sound."""

    def hear(self, sound: Sound) -> None:
        """Take the next piece of sound."""


@dataclass(frozen=True, kw_only=True)
class Streams:
    """What one pass over a file found.

    ``container`` is what the bytes say: ``webm``, ``matroska``, ``mp4`` or libav's name of anything else;
    ``structure`` is None where it is no EBML. ``duration`` is what the container claims, in seconds, None where it
    claims nothing; ``cut`` says that reading ended in an error. ``lands`` says whether a seek to the middle
    decodes a picture (or sound) from where it should. ``unexamined`` names the tracks that were not read.
    """

    container: str
    structure: Structure | None
    duration: float | None
    picture: PictureFacts | None
    sound: SoundFacts | None
    cut: bool
    lands: bool
    unexamined: tuple[str, ...] = ()


def probe(path: Path, *, eyes: Sequence[Eye] = (), ears: Sequence[Ear] = ()) -> Streams:
    """Return the facts of the file at ``path``; every picture and all sound passes ``eyes`` and ``ears`` once.

    Media streams through in constant memory; a few numbers per picture stay. Raises UnreadableError where there is
    nothing to judge, OSError where the file itself can't be read.
    """
    if path.stat().st_size == 0:
        message = f"{path.name} is empty (0 bytes)."
        raise UnreadableError(message)
    structure = read_structure(path)
    try:
        with open_media(path) as media:
            picture, sound, cut = _read(media, eyes, ears)
            claimed = media.duration / av.time_base if media.duration else None
            name = media.format.name
            unexamined = tuple(_unexamined(media))
    except (av.error.FFmpegError, ValueError) as error:
        message = f"{path.name} is no media file that can be read: {_reason(error)}."
        raise UnreadableError(message) from error
    if not (picture and picture.times.size) and not (sound and sound.duration):
        message = f"{path.name} holds neither picture nor sound that can be decoded."
        raise UnreadableError(message)
    return Streams(
        container=structure.doc_type if structure else _plain(name),
        structure=structure,
        duration=structure.duration if structure else claimed,
        picture=picture,
        sound=sound,
        cut=cut,
        lands=_lands(path, picture, sound),
        unexamined=unexamined,
    )


def _unexamined(media: InputContainer) -> Iterator[str]:
    """Yield what is in the file beside its first video and its first audio track that can be decoded."""
    for kind, streams in (("video", media.streams.video), ("audio", media.streams.audio)):
        known = [stream for stream in streams if stream.codec_context is not None]
        unknown = len(streams) - len(known)
        if unknown:
            yield f"{_number_of(unknown, kind)} of an unknown codec"
        if len(known) > 1:
            yield f"{_number_of(len(known) - 1, kind)} beside the first"


def _number_of(tracks: int, kind: str) -> str:
    return f"{tracks} {kind} track{'s' if tracks > 1 else ''}"


def _read(
    media: InputContainer, eyes: Sequence[Eye], ears: Sequence[Ear]
) -> tuple[PictureFacts | None, SoundFacts | None, bool]:
    """Return the facts of both tracks, and whether reading ended in an error."""
    picture = next((PictureTrack(stream) for stream in media.streams.video if stream.codec_context is not None), None)
    sound = next((SoundTrack(stream) for stream in media.streams.audio if stream.codec_context is not None), None)
    cut = False
    packets = _packets(media, [track.stream for track in (picture, sound) if track])
    for packet in packets:
        if packet is None:
            cut = True
        elif picture and packet.stream is picture.stream:
            for frame in picture.take(packet):
                for eye in eyes:
                    eye.see(frame)
        elif sound:
            for piece in sound.take(packet):
                for ear in ears:
                    ear.hear(piece)
    return picture.facts() if picture else None, sound.facts() if sound else None, cut


def _packets(
    media: InputContainer, streams: Sequence[av.VideoStream | av.AudioStream]
) -> Iterator[av.Packet[Any] | None]:
    """Yield the packets, ending with those that flush the decoders; None stands for an error of the container."""
    if not streams:
        return
    packets = media.demux(*streams)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            yield None
            for stream in streams:
                flush = av.Packet()
                flush.stream = stream
                yield flush
            return
        if packet is None:
            return
        yield packet


def _lands(path: Path, picture: PictureFacts | None, sound: SoundFacts | None) -> bool:
    """Return whether a seek to the middle decodes something that begins at most a group of pictures before it."""
    if picture and picture.keyframes.size:
        middle = float(picture.times[picture.times.size // 2])
        # Half a millisecond: the keyframe at the middle itself counts, whatever a division of its time rounded to.
        earliest = float(picture.keyframes[picture.keyframes <= middle + 0.0005].max(initial=picture.keyframes[0]))
    else:
        middle = (sound.end if sound else 0.0) / 2
        # Sound alone is indexed by cluster; five seconds is the longest that libav and Chrome make one.
        earliest = middle - 5.0
    with suppress(av.error.FFmpegError, ValueError, StopIteration), open_media(path) as media:
        media.seek(round(middle * av.time_base))
        frame = next(media.decode(media.streams.video[0]) if picture else media.decode(media.streams.audio[0]))
        return frame.time is not None and earliest - 0.002 <= frame.time <= middle + 0.1
    return False


def _plain(name: str) -> str:
    """Return one word for libav's name of a container."""
    return "mp4" if "mp4" in name.split(",") else name.split(",", maxsplit=1)[0]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".").lower()
