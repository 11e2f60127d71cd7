"""Write a planned scene as a real recording: a media file with its manifest."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av

from harness.recording.config import RecordConfig
from harness.recording.files.names import manifest_of
from harness.recording.manifest import Manifest, MarkerClock, Observation, ObservationManifest
from harness.recording.recording import Recording, sha256_of
from harness.recording.timeline import Event, Member, Tile, Timeline
from tests.support.media.audio import SAMPLE_RATE, mix_audio
from tests.support.media.frames import FrameRenderer
from tests.support.media.scene import grid_tiles
from tests.support.media.streams import add_audio_stream, add_video_stream

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tests.support.media.scene import Scene

_PACKET: Final = 960
# The time on the room's clock at which a scene starts, in ms. The scene's captures begin at 5,000 ms, and the capture
# times in the markers start again at 0 after 2^22 ms.
SCENE_ZERO: Final = 5_000.0 + 3 * 2**22


def write_recording(
    path: Path, scene: Scene, *, manifest_scene: Scene | None = None, manifest_seconds: float | None = None
) -> Recording:
    """Write the scene to ``path``, and a manifest next to it.

    The manifest's contents come from ``manifest_scene`` and its duration is ``manifest_seconds``; both default to the
    scene's own.
    """
    write_media(path, scene)
    described = manifest_scene or scene
    recording = recording_of(path, described, duration=manifest_seconds or described.seconds)
    Manifest(
        recording=recording,
        config=RecordConfig().for_page(),
        versions={},
        timeline=timeline_of(described),
        ticks=described.ticks,
        zero_ms=described.zero_ms,
    ).write(recording.manifest)
    return recording


def write_observation(path: Path, scene: Scene, *, start: float, seconds: float) -> ObservationManifest:
    """Write the manifest of an observation, and return it.

    The observation lasts ``seconds`` seconds. The scene is the part of the call that begins at ``start`` seconds, which
    can be negative. Everybody is in the call the whole time, and is hidden and muted as planned.
    """
    members = tuple(Member(name=one.name, marker=one.marker) for one in scene.participants if not one.unlisted)
    events = [Event(at=0.0, event="call", on=True)]
    for one in scene.participants:
        if one.unlisted:
            continue
        events.append(Event(at=0.0, event="join", participant=one.name))
        for kind, off in (("video", one.hidden), ("audio", one.muted)):
            changes = [
                (0.0, True),
                *((max(0.0, at + start), on) for pair in off for at, on in zip(pair, (False, True), strict=True)),
            ]
            events += [
                Event.model_validate({"at": at, "event": kind, "participant": one.name, "on": on}) for at, on in changes
            ]
    manifest = ObservationManifest(
        observation=Observation(
            participant=members[0].name,
            duration=seconds,
            started_at="2026-11-22T12:00:00.000+00:00",
            marker_clocks=tuple(
                MarkerClock(participant=one.name, zero_ms=SCENE_ZERO - one.counter * 1000 / 30)
                for one in scene.participants
                if not one.unlisted
            ),
        ),
        versions={},
        timeline=Timeline(members=members, events=tuple(sorted(events, key=lambda event: event.at))),
        zero_ms=SCENE_ZERO - start * 1000,
    )
    manifest.write(path)
    return manifest


def recording_of(path: Path, scene: Scene, *, duration: float) -> Recording:
    """Return a file's ``Recording``, with the values that its manifest contains."""
    return Recording(
        id="r1",
        path=path,
        manifest=manifest_of(path),
        participant=scene.participants[0].name,
        recorder=scene.recorder,
        type="video" if scene.video else "audio",
        mime_type="video/webm" if scene.video else "audio/webm",
        codec={"libvpx": "vp8", "libvpx-vp9": "vp9"}[scene.codec] if scene.video else "opus",
        width=scene.width if scene.video else None,
        height=scene.height if scene.video else None,
        frame_rate=scene.frame_rate if scene.video else None,
        duration=duration,
        size=path.stat().st_size,
        sha256=sha256_of(path),
        started_at="2026-11-22T12:00:00Z",
    )


def timeline_of(scene: Scene) -> Timeline:
    """Return a scene's timeline: all participants are present from the start, and are hidden and muted as planned."""
    places = grid_tiles(len(scene.participants), scene.width, scene.height)
    layout = tuple(
        Tile(participant=one.name, x=x, y=y, width=width, height=height)
        for one, (x, y, width, height) in zip(scene.participants, places, strict=True)
        if not one.unlisted
    )
    listed = [one for one in scene.participants if not one.unlisted]
    events = [Event(at=0.0, event="layout", tiles=layout)]
    for one in listed:
        if one.joins is not None:
            events.append(Event(at=one.joins, event="join", participant=one.name))
        if one.switches_on is None:
            continue
        for kind, off in (("video", one.hidden), ("audio", one.muted)):
            switches = [
                (one.switches_on, True),
                *((at, on) for start, end in off for at, on in ((start, False), (end, True))),
            ]
            events += [
                Event.model_validate({"at": at, "event": kind, "participant": one.name, "on": on})
                for at, on in switches
            ]
    members = tuple(Member(name=one.name, marker=one.marker) for one in listed)
    return Timeline(members=members, events=tuple(sorted(events, key=lambda event: event.at)))


def write_media(path: Path, scene: Scene, *, created: str | None = None) -> None:
    """Write the scene to ``path``, without a manifest; ``created`` is the start time that the file states."""
    options = {"live": "1"} if scene.live else {}
    with av.open(str(path), "w", format=scene.container, options=options) as media:
        if created:
            media.metadata["creation_time"] = created
        video = audio = None
        if scene.video:
            video = add_video_stream(media, scene.codec, scene.frame_rate, size=(scene.width, scene.height))
            video.bit_rate = scene.bitrate
            video.thread_count = scene.threads
            video.gop_size = 100
            video.options = {
                "deadline": "realtime",
                "cpu-used": _speed(scene),
                "lag-in-frames": "0",
                "auto-alt-ref": "0",
            }
        if scene.audio:
            audio = add_audio_stream(media, "libopus", SAMPLE_RATE)
        samples = mix_audio(scene)
        renderer = FrameRenderer(scene)
        written = 0
        for tick in range(scene.ticks):
            due = round((tick + 1) / scene.frame_rate * SAMPLE_RATE)
            while audio and written + _PACKET <= due:
                media.mux(audio.encode(_audio_frame(samples, written)))
                written += _PACKET
            if video and tick not in scene.dropped:
                frame = av.VideoFrame.from_ndarray(renderer.render(tick), format="yuv420p")
                frame.pts, frame.time_base = tick, Fraction(1, scene.frame_rate)
                media.mux(video.encode(frame))
        for stream in (video, audio):
            if stream:
                media.mux(stream.encode(None))


def _speed(scene: Scene) -> str:
    """Return the option for a constant speed. With a positive value, VP8 encodes faster if the machine is busy."""
    return str(-scene.speed if scene.codec == "libvpx" else min(scene.speed, 8))


def _audio_frame(samples: NDArray[np.float32], start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None, start : start + _PACKET], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return frame
