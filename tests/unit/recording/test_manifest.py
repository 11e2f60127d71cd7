"""A manifest can be written and read back. A damaged manifest is refused with a one-line error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.recording.files.names import manifest_of
from harness.recording.manifest import Manifest, Observation, ObservationManifest, read_manifest
from harness.recording.recording import Recording
from harness.recording.timeline import Event, Member, Timeline, timeline_from

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel


def recording(path: Path) -> Recording:
    """Return an example of a recording whose file is at ``path``."""
    return Recording(
        id="r1",
        path=path,
        manifest=manifest_of(path),
        participant="alice",
        recorder="all",
        type="video",
        mime_type="video/webm;codecs=vp8,opus",
        codec="vp8",
        width=1280,
        height=720,
        frame_rate=30,
        duration=10.033,
        size=1_000_000,
        sha256="0" * 64,
        started_at="2026-11-22T12:00:00.000+00:00",
    )


def manifest(path: Path) -> Manifest:
    """Return a manifest in which every field has a value."""
    return Manifest(
        recording=recording(path),
        config={"recordVideoQuality": 720},
        versions={"harness": "0.1.0"},
        timeline=Timeline(
            members=(Member(name="alice", marker=0),), events=(Event(at=0.5, event="join", participant="alice"),)
        ),
        ticks=301,
        ticks_missed=2,
        clock_error_ms=0.2,
        throttled_seconds=1.25,
        stolen_seconds=0.5,
        alarms=("The video stalled.",),
        fallbacks=("shared-memory", "gc"),
    )


def test_manifest_reads_back_as_it_was(tmp_path: Path) -> None:
    """Writing and reading a manifest preserves all its fields, and the file contains the schema's version number."""
    written = manifest(tmp_path / "standup.webm")
    written.write(tmp_path / "standup.manifest.json")

    read = Manifest.read(tmp_path / "standup.manifest.json")

    assert written == read
    assert 1 == json.loads((tmp_path / "standup.manifest.json").read_text())["schema"]


def test_manifest_overwrites_nothing(tmp_path: Path) -> None:
    """Writing a manifest never changes an existing file."""
    (tmp_path / "standup.manifest.json").write_text("mine")

    with pytest.raises(FileExistsError):
        manifest(tmp_path / "standup.webm").write(tmp_path / "standup.manifest.json")
    assert "mine" == (tmp_path / "standup.manifest.json").read_text()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe\x00",
        b"RIFF\x00\x00WEBM",
        b'{"schema": 2}',
        b"[" * 100_000,
        b"line one\nline two\n",
        b'{"two\\nlines": 1}',
    ],
    ids=range(11),
)
def test_damaged_manifest_is_refused_in_one_line(tmp_path: Path, damaged: bytes) -> None:
    """The error for a damaged manifest names the file and the reason."""
    path = tmp_path / "standup.manifest.json"
    path.write_bytes(damaged)

    with pytest.raises(ConfigError) as refusal:
        Manifest.read(path)
    assert str(path) in str(refusal.value)
    assert 1 == len(str(refusal.value).splitlines())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_manifest_with_a_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    """A manifest can still be read after an editor has saved it with another encoding and other line endings."""
    original = manifest(tmp_path / "standup.webm")
    path = tmp_path / "standup.manifest.json"
    path.write_bytes(original.as_text().decode().replace("\n", "\r\n").encode(encoding))

    assert original == Manifest.read(path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
@pytest.mark.parametrize(
    "field",
    [
        *("recording.duration", "recording.size", "recording.width", "recording.frame_rate", "recording.download_ms"),
        *("zero_ms", "clock_error_ms", "wall_seconds", "ticks_missed", "stolen_seconds"),
        *("timeline.events.0.at", "config.deep"),
    ],
)
def test_impossible_number_is_refused_in_one_line(tmp_path: Path, field: str, number: str) -> None:
    """A manifest that contains infinity or a number with 400 digits is refused, and the error names the field."""
    path = tmp_path / "standup.manifest.json"
    content = json.loads(manifest(tmp_path / "standup.webm").model_dump_json(by_alias=True))
    *way, last = field.split(".")
    place = content
    for key in way:
        place = place[int(key) if key.isdigit() else key]
    place[last] = [{"inner": "@"}] if last == "deep" else "@"
    path.write_text(json.dumps(content).replace('"@"', number))
    if last == "deep" and number.isdigit():
        # A number with 400 digits is valid in this field, since no calculation uses it.
        assert Manifest.read(path) is not None
        return

    with pytest.raises(ConfigError) as refusal:
        Manifest.read(path)
    assert f"(at {field.removesuffix('.deep')})" in str(refusal.value)
    assert 1 == len(str(refusal.value).splitlines())


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_manifest_with_a_changed_byte_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """A manifest in which one byte was changed is either read, or refused with a one-line error."""
    content = bytearray(manifest(tmp_path / "standup.webm").model_dump_json(by_alias=True).encode())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.manifest.json"
    path.write_bytes(content)

    try:
        read = Manifest.read(path)
    except ConfigError as refusal:
        assert 1 == len(str(refusal).splitlines())  # noqa: PT017 - reading may succeed or fail
    else:
        assert isinstance(read, Manifest)


def test_manifest_of_another_version_is_refused(tmp_path: Path) -> None:
    """The error for a manifest with an unsupported version names the field ``schema``."""
    path = tmp_path / "standup.manifest.json"
    content = json.loads(manifest(tmp_path / "standup.webm").model_dump_json(by_alias=True))
    path.write_text(json.dumps(content | {"schema": 2}))

    with pytest.raises(ConfigError, match=r"\(at schema\)"):
        Manifest.read(path)


def test_file_too_large_for_a_manifest_is_not_read(tmp_path: Path) -> None:
    """A user who passes a recording where its manifest is expected gets an error immediately."""
    path = tmp_path / "standup.webm"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)

    with pytest.raises(ConfigError, match="too large for a manifest"):
        Manifest.read(path)


def test_missing_manifest_is_refused_in_one_line(tmp_path: Path) -> None:
    """The error for a missing manifest is a single line that contains its file name."""
    with pytest.raises(ConfigError, match=r"standup\.manifest\.json can't be read"):
        Manifest.read(tmp_path / "standup.manifest.json")


def test_damaged_observation_is_reported_as_an_observation(tmp_path: Path) -> None:
    """The error names the key of the observation that is not valid, not a key that only a recording has."""
    path = tmp_path / "call.manifest.json"
    observed = {"participant": "alice", "duration": -1, "started_at": "2026-11-22T12:00:00Z"}
    content = {"schema": 1, "observation": observed, "versions": {}, "timeline": {}, "zero_ms": 5}
    path.write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(
        ConfigError, match=r"call\.manifest\.json is not a valid manifest: .* \(at observation\.duration\)"
    ):
        read_manifest(path)


def test_observation_that_does_not_fit_into_a_manifest_ends_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known about the time after the last event that fits, so nothing may be expected there."""
    monkeypatch.setattr("harness.recording.manifest.LARGEST_MANIFEST", 1024 * 1024 + 20_000)
    events = [Event(at=0.0, event="join", participant="alice")]
    events += [Event(at=float(at), event="alarm", message="x" * 1000) for at in range(1, 1200)]
    manifest = ObservationManifest(
        observation=Observation(participant="alice", duration=2000.0, started_at="2026-11-22T12:00:00Z"),
        versions={},
        timeline=timeline_from(events, [Member(name="alice", marker=1)]),
        zero_ms=0.0,
    )

    smaller = manifest.within_size()

    assert 0 < smaller.observation.duration == smaller.timeline.events[-1].at < 100
