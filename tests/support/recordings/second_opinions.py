"""Second opinions about a file: ffprobe, MediaInfo and mkvinfo, compared with the harness's own probe."""

import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import av
from pymediainfo import MediaInfo

from harness.verification.probe.container import read_structure
from harness.verification.probe.probe import probe


@dataclass(frozen=True)
class Opinion:
    """A program's report on a file: duration in seconds, packet counts by kind (None if not counted), and its index."""

    program: str
    duration: float
    video: int | None
    audio: int | None
    duration_present: bool = True
    cues: bool | None = None


def opinions(path: Path) -> list[Opinion]:
    """Return what all installed programs report about a file; the first report is from our own probe."""
    found = [_ours(path), _media_info(path)]
    for program, run in (("ffprobe", _ffprobe), ("mkvinfo", _mkvinfo)):
        if shutil.which(program):
            found.append(run(path))
    return found


def disagreements(path: Path) -> list[str]:
    """Return all differences from our probe: durations over 50 ms apart, unequal packet counts, or a missing index."""
    ours, *others = opinions(path)
    found = [] if ours.cues and ours.duration_present else [f"{path.name}: our probe misses Duration or Cues"]
    for other in others:
        if abs(other.duration - ours.duration) > 0.05:
            found.append(f"{path.name}: {other.program} reports {other.duration:.3f} s, ours {ours.duration:.3f} s")
        for kind in ("video", "audio"):
            theirs, mine = getattr(other, kind), getattr(ours, kind)
            if theirs is not None and theirs != mine:
                found.append(f"{path.name}: {other.program} counts {theirs} {kind} packets, ours {mine}")
        if other.cues is False or not other.duration_present:
            found.append(f"{path.name}: {other.program} misses Duration or Cues")
    return found


def _ours(path: Path) -> Opinion:
    packets: Counter[str] = Counter()
    with av.open(path) as media:
        packets.update(packet.stream.type for packet in media.demux() if packet.size)
    structure = read_structure(path)
    assert structure is not None
    return Opinion(
        "probe",
        probe(path).duration or 0.0,
        packets["video"],
        packets["audio"],
        duration_present=structure.duration is not None,
        cues=structure.cues,
    )


def _ffprobe(path: Path) -> Opinion:
    options = ["-count_packets", "-show_entries", "format=duration:stream=codec_type,nb_read_packets", "-of", "json"]
    answer = json.loads(_output_of("ffprobe", "-v", "error", *options, str(path)))
    packets = {stream["codec_type"]: int(stream["nb_read_packets"]) for stream in answer["streams"]}
    duration = answer["format"].get("duration")
    return Opinion(
        "ffprobe",
        float(duration or 0),
        packets.get("video", 0),
        packets.get("audio", 0),
        duration_present=duration is not None,
    )


def _media_info(path: Path) -> Opinion:
    general = next(track for track in MediaInfo.parse(path).tracks if track.track_type == "General")
    # MediaInfo computes the number of frames from the duration and the frame rate instead of counting them.
    return Opinion("MediaInfo", float(general.duration or 0) / 1000, None, None)


def _mkvinfo(path: Path) -> Opinion:
    output = _output_of("mkvinfo", "--ui-language", "en_US", "-t", str(path))
    kinds = dict(re.findall(r"Track number: (\d+) .*?Track type: (\w+)", output, flags=re.DOTALL))
    counts = re.findall(r"track number (\d+): number of blocks: (\d+)", output)
    blocks = {kinds[track]: int(count) for track, count in counts}
    length = re.search(r"\+ Duration: (\d+):(\d+):([\d.]+)", output)
    hours, minutes, seconds = length.groups() if length else (0, 0, 0)
    return Opinion(
        "mkvinfo",
        int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        blocks.get("video", 0),
        blocks.get("audio", 0),
        duration_present=length is not None,
        cues="|+ Cues" in output,
    )


def _output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
