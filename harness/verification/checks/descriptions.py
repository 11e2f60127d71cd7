"""Describe each check for users: when it fails, warns or is unverified, which limits it uses and what it needs.

``scripts/checks_docs.py`` generates docs/checks.md from these descriptions, the catalogue and the limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.verification.values.findings import CheckName


@dataclass(frozen=True, kw_only=True)
class CheckDescription:
    """What a check measures, the reasons for each of its results, the names of its limits, and its inputs."""

    measures: str
    fails: tuple[str, ...]
    warns: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    needs: str


DESCRIPTIONS: Final[Mapping[CheckName, CheckDescription]] = {
    "container": CheckDescription(
        measures="The check recognizes the container format from the bytes of the file, compares the sizes that the "
        "file declares with the bytes that it contains, and decodes the packets of all tracks, to validate the format, "
        "tracks, codecs, index, timestamps and keyframes.",
        fails=(
            (
                "The file's format does not match its suffix. For example, `.webm` must be WebM, `.mkv` must be "
                "Matroska, and `.ogg` must be Ogg. If the suffix names no format, any format is allowed, except that a "
                "recording with a manifest must be WebM."
            ),
            "Another recording follows the first one in the same file. Only the first recording is examined.",
            "The file is truncated, or the sizes that the file declares do not match the bytes that it contains.",
            "A WebM or Matroska file has no Duration or no Cues, or its Cues point to the wrong place.",
            "The format has an index, but seeking to the middle of the file ends up in the wrong place.",
            "A track is declared but contains no packets, or a packet can't be decoded.",
            "Timestamps do not increase.",
            "A WebM file contains a codec other than VP8, VP9, AV1, Opus or Vorbis.",
            "The video or the audio begins later than `start`.",
            (
                "The harness made the recording, and two consecutive keyframes, or the last keyframe and the end of "
                "the file, are further apart than `keyframe`."
            ),
            (
                "The file does not match the manifest: a track is missing, the codec is wrong, or an audio-only "
                "recording contains video. A converted file may have different codecs, and a `.wav` or `.m4a` file has "
                "no video."
            ),
        ),
        warns=(
            (
                "The file contains additional video or audio tracks. These tracks are decoded and measured, but the "
                "other checks examine only the default tracks, or the track chosen with `track` or `--track`."
            ),
            "There is no manifest, and keyframes are further apart than `keyframe`.",
            "A playlist has variants that were not examined, or its segments do not begin with keyframes.",
        ),
        limits=("start", "keyframe"),
        needs="The check needs only the file. If there is a manifest, the check also compares tracks and codec with "
        "the manifest.",
    ),
    "timeline": CheckDescription(
        measures="The check runs only if several files are verified as one call. It compares the clocks of the files: "
        "the capture times in the videos, the clocks of playlists, the start times that the files state, and the "
        "bursts in the audio.",
        fails=(),
        unverified=(
            "It is not certain when a file was recorded, for example because it has neither markers nor a start time.",
            "The clocks of a file contradict each other.",
            (
                "A participant's video or audio is in two files at the same time, so it was examined in only one of "
                "them."
            ),
        ),
        needs="The check needs at least two files, or a playlist with several renditions or discontinuities.",
    ),
    "size": CheckDescription(
        measures="The check reads the width and height of every frame, in pixels.",
        fails=(
            (
                "The size of a frame differs from the size in the manifest. Without a manifest, every frame must "
                "have the size of the first frame."
            ),
        ),
        needs="The check needs a video track.",
    ),
    "frame-rate": CheckDescription(
        measures="The check measures the average frame rate in fps. Missing frames are counted as if they were "
        "present, because the check `gap` reports them.",
        fails=(
            (
                "The frame rate differs from the requested frame rate by more than `frame_rate_percent`. In very "
                "short files the tolerance is larger, because WebM stores times in whole milliseconds."
            ),
        ),
        limits=("frame_rate_percent",),
        needs="The check needs a video track, and a manifest with the requested frame rate.",
    ),
    "gap": CheckDescription(
        measures="The check measures the time from each frame to the next, and looks for gaps in the audio.",
        fails=(
            "The time between consecutive frames is not within `gap_ms` of a multiple of the frame duration.",
            "More frames are missing than the manifest reports, which means that the file was changed afterwards.",
            "More than `missed_percent` of the frames are missing, even if the manifest reports them as missed.",
            "The audio has a gap that is longer than `audio_gap`.",
            (
                "Several files are verified as one call, and more than 0.1 s pass between two files that follow each "
                "other, or no file covers a part of the call."
            ),
            "A segment that a playlist lists does not exist.",
        ),
        warns=(
            (
                "Up to `missed_percent` of the frames are missing because the machine was too busy, and the manifest "
                "accounts for all of these frames. If the machine lost CPU time to a container's CPU limit or to its "
                "hypervisor, the message states how much."
            ),
            "The frame rate varies, and no manifest specifies the requested rate, so missing frames can't be detected.",
        ),
        limits=("gap_ms", "missed_percent", "audio_gap"),
        needs="The check needs only the file. If there is a manifest, the check also uses its frame rate and its "
        "number of missed frames.",
    ),
    "black": CheckDescription(
        measures="The check finds intervals in which the whole video is black.",
        fails=(
            (
                "With a manifest: the video is black for longer than `black` while a participant should be "
                "visible. The check ignores the first and last `edge` seconds of each interval in which a participant "
                "should be visible."
            ),
            "Without a manifest: at least 95 % of the recording is black.",
        ),
        limits=("black", "edge"),
        needs="The check needs a video track. The check has no result if no participant is expected to be visible "
        "long enough for a check.",
    ),
    "silent": CheckDescription(
        measures="The check finds intervals in which the audio track is completely silent.",
        fails=(
            (
                "With a manifest that lists synthetic participants: the audio is silent for longer than "
                "`silent` while a synthetic participant should be audible. The check ignores the first and last "
                "`edge` seconds of each interval in which a participant should be audible."
            ),
            (
                "Without a manifest, or if all audible participants use real microphones: at least 95 % of "
                "the recording is silent. Shorter silence is allowed, because speech has pauses."
            ),
        ),
        warns=("In audio without synthetic participants: the longest silent interval is longer than `long_silence`.",),
        limits=("silent", "edge", "long_silence"),
        needs="The check needs an audio track. The check has no result if no participant is expected to be audible "
        "long enough for a check.",
    ),
    "clipping": CheckDescription(
        measures="The check finds samples at full scale in every channel, in steps of 0.1 s.",
        fails=(
            (
                "In audio with markers, more than `clipped_percent` of a channel's samples within 0.1 s are at full "
                "scale."
            ),
        ),
        warns=(
            (
                "In audio without markers, more than `clipped_percent` of a channel's samples within 0.1 s are at full "
                "scale."
            ),
        ),
        limits=("clipped_percent",),
        needs="The check needs an audio track.",
    ),
    "noise": CheckDescription(
        measures="The check measures the level of everything below 6 kHz except the tones, whenever no burst is "
        "playing. To detect echoes, it also searches for repetitions of the bursts.",
        fails=(
            (
                "According to the manifest, all audio is synthetic, but something other than the markers is louder "
                "than `noise_dbfs` for longer than `noise`."
            ),
            "Most bursts of a participant are repeated after the same delay, and the echo is louder than `echo_db`.",
        ),
        warns=(
            "Something other than the markers, for example a click, is louder than `noise_dbfs` for at most `noise`.",
            (
                "Something is louder than `noise_dbfs` within 0.5 s of the time at which a microphone was switched on "
                "or off, because this can cut a burst in two."
            ),
            (
                "Something other than the markers is louder than `noise_dbfs`, but the audio may come from real "
                "microphones or there is no manifest."
            ),
        ),
        unverified=("Bursts are playing the whole time, so there is no pause in which noise could be measured.",),
        limits=("noise_dbfs", "noise", "echo_db"),
        needs="The check needs markers in the audio, and pauses between the bursts of all participants.",
    ),
    "channels": CheckDescription(
        measures="The check compares the channels of the audio track before they are mixed.",
        fails=(),
        warns=(
            "The left or the right channel is silent for longer than `channel` while another channel is not.",
            "The channels cancel each other out for longer than `channel`, because they have opposite phase.",
        ),
        limits=("channel",),
        needs="The check needs an audio track. A track with one channel passes.",
    ),
    "alignment": CheckDescription(
        measures="The check applies to files of other recorders that are compared with an observation. From the "
        "capture times in the video markers, or from the seconds in the audio markers if no video can be read, the "
        "check determines which part of the observed call the file covers. The other checks use only this part of the "
        "manifest, converted to the file's times.",
        fails=(),
        warns=(
            (
                "The file continues for longer than `edge` before or after the observed part of the call. The "
                "participants are not checked there."
            ),
            (
                "The markers repeat (in video after 70 minutes, in audio after 16 s), and the file matches several "
                "parts of the call equally well."
            ),
        ),
        unverified=(
            "Too few markers of the observed participants can be read. The checks that need the manifest do not run.",
            (
                "In more than a fifth of all seconds, the capture times differ by more than 1 s from those of the rest "
                "of the file, because the recorder paused, left out parts of the call, or fell behind."
            ),
            "According to the markers, the file was not recorded during the observed call.",
        ),
        limits=("edge",),
        needs="The check needs markers, and a manifest from `harness observe` or `Room.observe`.",
    ),
    "presence": CheckDescription(
        measures="The check determines when each participant is visible and audible, and whether the participant's "
        "video is in the right tile.",
        fails=(
            (
                "A participant's video or audio is missing for longer than `absence`, although it should be present "
                "according to the manifest."
            ),
            "A participant is visible outside their own tile for longer than `absence`.",
            (
                "A participant is visible or audible for longer than `absence`, although they were absent or had the "
                "camera or microphone off."
            ),
            "An expectation is violated for longer than `absence`.",
            (
                "A participant who is expected for the whole recording (`expected`, `--participants`, `--expect`) was "
                "missing from the call for longer than `absence`. At the start and the end of the recording, the limit "
                "is `absence` plus `edge`. Without a manifest: an expected participant is neither visible "
                "nor audible anywhere."
            ),
            (
                "An expectation can't be met: the participant is not in the recording, the file has no video or audio "
                "track to check, or the expectation covers time after the end of the recording."
            ),
        ),
        unverified=(
            (
                "A participant's video and audio have no markers, for example because they come from a real camera or "
                "a video file."
            ),
            "A participant's video, audio or shared screen had no marker for longer than `absence`.",
            "A participant was neither visible nor audible, and the manifest requires neither.",
            "Another participant has the same audio marker, so it is unknown which of the two is audible.",
            "An expected participant is in the file, but there is no manifest that lists when participants joined.",
            "According to the manifest, nobody should be in the recording.",
            "Another recorder's file has no video or no audio, although participants sent it in the observed call.",
            "There is no manifest. The finding lists the checks that did not run.",
        ),
        limits=("absence", "edge", "duration"),
        needs="The check needs markers, and either a manifest or expectations. The check ignores intervals in which "
        "the whole video or audio is missing, because other checks report such intervals.",
    ),
    "call": CheckDescription(
        measures="The check applies to recordings of calls in other applications. The check uses the manifest to "
        "determine when the recording page and the other participants were in the call.",
        fails=(
            (
                "For longer than `absence`, the page was not in a call: it had closed its connections, the "
                "connections were lost, or everybody else had hung up."
            ),
        ),
        warns=("For longer than `absence`, the recording participant was alone in the call.",),
        limits=("absence",),
        needs="The check needs a manifest, and the recording must be of a call in another application.",
    ),
    "start-up": CheckDescription(
        measures="The check measures how long a participant's video and audio take to appear after each join. If a "
        "participant joined before the recording started, the time is measured from the start of the recording.",
        fails=(
            "The first frame appears later than `first_video_ms` after a join.",
            "The first audio appears later than `first_audio_ms` after a join.",
            (
                "A participant stays in the call for longer than the limit but never appears, although the camera or "
                "microphone was not off."
            ),
        ),
        warns=(
            (
                "In a recording of another application's call, the first frame or audio appears later than the limit "
                "after its track began. The camera or microphone may have been off."
            ),
        ),
        limits=("first_video_ms", "first_audio_ms"),
        needs="The check needs markers, and a manifest with the times of the joins. It ignores a join if the camera or "
        "microphone was off at that time. The check `container` covers the start of the file itself.",
    ),
    "frozen": CheckDescription(
        measures="The check measures how long each participant's video shows the same frame.",
        fails=(
            (
                "A participant's video is frozen for longer than `frozen`. The last `edge` seconds before a "
                "participant leaves or turns the camera off do not count, nor do intervals in which the "
                "whole video is black or missing."
            ),
        ),
        limits=("frozen", "edge"),
        needs="The check needs markers in the video.",
    ),
    "content": CheckDescription(
        measures="The check compares the video below each participant's strip with what the synthetic camera paints "
        "for this marker and counter, up to ten times per second. The symbol in the middle must encode the same values "
        "as the strip. In video without markers, the check looks for intervals in which the video is still, black or "
        "partly blank.",
        fails=(
            (
                "For longer than `content`, a part of a participant's video is black, has the wrong colors, shows "
                "noise or another video, or is frozen while the strip continues. The check ignores intervals in which "
                "the whole video is black or missing."
            ),
            (
                "For longer than `content`, the symbol is blank or does not match the strip. In tiles with a height "
                "of less than 80 pixels, and in blurred video, symbols are not compared, and the finding states in how "
                "many frames they were."
            ),
        ),
        warns=(
            (
                "Video without markers is still, black or partly blank for longer than `still`. A part counts as blank "
                "if it has a single brightness, had other content before, and makes up at least 30 % of the frame. The "
                "warning gives the longest interval."
            ),
        ),
        unverified=(
            "No frame of a participant's video could be compared.",
            (
                "The colors of a participant's video are unknown, because the strip was drawn over another video, or "
                "by a version of the harness that did not yet paint a symbol."
            ),
        ),
        limits=("content", "still"),
        needs="The check needs a video track. Without a synthetic participant, the check can only warn.",
    ),
    "shape": CheckDescription(
        measures="The check measures how each participant's video is shown in a file whose layout is unknown: "
        "mirrored, turned by quarters of a circle, or with the wrong aspect ratio. The shape of the symbol's modules "
        "shows the aspect ratio. Many recorders mirror or crop videos on purpose, so the check only warns.",
        fails=(),
        warns=(
            "A participant's video is mirrored for longer than `shape`.",
            "A participant's video is turned, or upside down, for longer than `shape`.",
            (
                "For longer than `shape`, a participant's video is too wide or too narrow by more than "
                "`aspect_percent`. For small videos, the limit is larger by the inaccuracy of the measurement, which "
                "is about 1.5 pixels."
            ),
        ),
        limits=("shape", "aspect_percent"),
        needs="The check needs markers in the video. It has no result if the manifest states the layout.",
    ),
    "repeated": CheckDescription(
        measures="The check counts each participant's repeated and skipped frames. Repetitions that result from an "
        "exact conversion of the frame rate, for example from 15 to 30 fps, do not count. If the manifest states that "
        "a machine was too busy to paint the synthetic video in time, the message contains the share of late frames.",
        fails=(
            (
                "More than `repeated_percent` of a participant's frames are repeated, or more than "
                "`repeated_percent` are skipped. The check passes if there are at most `repeated_frames` repeated "
                "and skipped frames in total."
            ),
        ),
        warns=("The share of repeated or skipped frames is above `repeated_warning_percent`.",),
        limits=("repeated_percent", "repeated_warning_percent", "repeated_frames"),
        needs="The check needs markers in the video.",
    ),
    "av-offset": CheckDescription(
        measures="The check measures the median A/V offset of each participant: the time of the audio minus the time "
        "of the video, in ms. The offset is positive if the audio is late.",
        fails=(
            ("A participant's audio is early by more than `audio_early_ms`, or late by more than `audio_late_ms`."),
            "The recording participant's offset is larger than `own_av_offset_ms` in either direction.",
            (
                "The 95th percentile of a participant's offset is larger than `av_offset_p95_ms`, and the offset was "
                "measured at least 20 times."
            ),
        ),
        warns=(
            (
                "A participant's audio is early by more than `audio_early_warning_ms`, or late by more than "
                "`audio_late_warning_ms`."
            ),
        ),
        unverified=(
            (
                "A participant was visible and audible at the same time for more than 2 s, but the offset "
                "could not be measured, for example because no burst shows which second it belongs to."
            ),
            "Audio and video are in separate files without a common clock.",
        ),
        limits=(
            "audio_early_ms",
            "audio_early_warning_ms",
            "audio_late_ms",
            "audio_late_warning_ms",
            "own_av_offset_ms",
            "av_offset_p95_ms",
        ),
        needs="The check needs markers in video and audio. The manifest specifies which participant "
        "made the recording.",
    ),
    "drift": CheckDescription(
        measures="The check measures how fast the A/V offset of each participant grows, in ppm: microseconds "
        "per second.",
        fails=("A participant's drift is larger than `drift_ppm` in either direction.",),
        limits=("drift_ppm",),
        needs="The check needs markers in video and audio for at least one minute. The check has no result for a "
        "shorter recording.",
    ),
    "delay": CheckDescription(
        measures="The check measures the time from the capture of a participant's video and audio until they appear in "
        "the file, in ms.",
        fails=(
            "The median delay of a participant's video or audio is larger than `delay_ms`.",
            (
                "The 95th percentile of the delay is larger than `delay_p95_ms`, and the delay was measured at least "
                "20 times."
            ),
            (
                "In another recorder's file, a participant's video appears more than `delay_ms` later than the video "
                "of the participant with the smallest delay. The smallest delay itself is unknown, so the check never "
                "passes for such a file."
            ),
        ),
        unverified=(
            "A limit is exceeded, but by no more than the clock error that the manifest states.",
            "Video appears in the file before it was captured, which means that the clocks do not match.",
        ),
        limits=("delay_ms", "delay_p95_ms"),
        needs="The check needs markers, and a manifest with the time at which the file starts. To check "
        "the audio delay, a measured A/V offset is also needed.",
    ),
    "level": CheckDescription(
        measures="The check compares the level of each participant's tone with the level at which the synthetic "
        "microphone plays the tone, in dB.",
        fails=(
            (
                "For longer than `absence`, a participant is more than `level_db` quieter than normal, or more than "
                "`level_db` louder than synthetic participants are while they speak."
            ),
        ),
        unverified=("Another participant has the same audio marker.",),
        limits=("level_db", "absence"),
        needs="The check needs markers in the audio.",
    ),
    "duration": CheckDescription(
        measures="The check measures the times at which the last frame and the audio end, in seconds.",
        fails=(
            (
                "The duration of the recording differs by more than `duration` from the expected duration, from the "
                "duration in the manifest, from the container's Duration, or from the elapsed time on the page's "
                "clock."
            ),
            "The video and the audio end more than `duration` apart.",
        ),
        limits=("duration",),
        needs="The check needs only the file. If there is a manifest, or the caller specifies an expected duration "
        "(`duration`, `--duration`), the check also compares the file's duration with these values.",
    ),
    "unexpected": CheckDescription(
        measures="The check finds participants who are in the file but should not be.",
        fails=(
            "A participant who is not in the manifest is visible or audible for longer than `absence`.",
            (
                "In a recording of one participant (`local`), another participant is visible or audible for longer "
                "than `absence`."
            ),
        ),
        unverified=("The recording was recovered, and its participants are unknown.",),
        limits=("absence",),
        needs="The check needs markers and a manifest.",
    ),
    "hash": CheckDescription(
        measures="The check compares the SHA-256 of the file with the one in the manifest.",
        fails=(
            (
                "The SHA-256 differs from the one in the manifest: the file was changed, or the manifest belongs to "
                "a different file."
            ),
            "The manifest can't be read.",
        ),
        needs="The check needs a recording's manifest. The check has no result for a converted file, because the bytes "
        "of a converted file differ from those of the recording.",
    ),
    "complete": CheckDescription(
        measures="The check uses the manifest to determine whether the recording was stopped normally, and whether an "
        "alarm was raised during the recording.",
        fails=(
            "A complete recording is required, but the recording was not stopped normally or an alarm was raised.",
            "A complete recording is required, but there is no manifest.",
        ),
        warns=(
            "The recording was not stopped normally. For example, the page or browser crashed, or the disk was full.",
            "An alarm was raised, for example because a connection stalled.",
            "The browser did not download the file, so it was taken from the spool. The file is complete.",
        ),
        unverified=(
            (
                "A complete recording is required, but the manifest is an observation, which does not contain whether "
                "another recorder was stopped normally."
            ),
        ),
        needs="The check needs a manifest. To require a complete recording, use `complete=True` in Python, or "
        "`complete = true` in an expectations file.",
    ),
}
