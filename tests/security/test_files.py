"""Randomly changed scenarios, expectations, manifests and media are either read, or refused with a clear error."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from harness.errors import ConfigError
from harness.recording.files.names import manifest_of
from harness.recording.spool.folder import FOLDER
from harness.recording.spool.recover import recover
from harness.scenario import read_scenario
from harness.server.spool.spool import Spool
from harness.verification import verify
from harness.verification.values.expectations import read_expected
from tests.support.goals import FULL
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.spooling import VERSIONS, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recording.recording import Recording
    from tests.support.goals import Goals

pytestmark = pytest.mark.parallel

SCENARIOS: Final = sorted((Path(__file__).parents[2] / "examples").glob("*.[ty]*ml"))
EXPECTED: Final = """
duration = 8

[limits]
frozen = 0.5

[[expect]]
participant = "bob"
visible = true
from = 1
to = 4
"""
ORIGINALS: Final[dict[str, tuple[list[tuple[str, bytes]], Callable[[Path], object]]]] = {
    "scenario": ([(path.suffix, path.read_bytes()) for path in SCENARIOS], read_scenario),
    "expectations": ([(".toml", EXPECTED.encode())], read_expected),
}
TEXTS: Final = 5_000 if FULL else 300
FILES: Final = 300 if FULL else 8
_WORDS: Final = (
    *(b"[", b"]", b"{", b"}", b'"', b"'", b"\n", b"\0", b"\xff", b"\xf0\x9f\x98\x80", b"=", b":", b"- ", b"# ", b","),
    *(
        b"1e999",
        b"-1",
        b"nan",
        b"true",
        b"null",
        b"join",
        b"wait",
        b"&a [*a, *a]",
        b"!!python/object:os.system ",
        b"<<: *a",
    ),
    *(b"99999999999999999999", b"../../etc/passwd", b"[" * 500, b"- " * 500, b"a: " * 200, b"x" * 5_000),
)


def changed(data: bytes, random: Random, *, words: tuple[bytes, ...] = ()) -> bytes:
    """Return a copy of the data with random parts removed, repeated, moved or replaced."""
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        size = random.choice((1, 2, 8, 60, len(data) // 3))
        piece = data[at : at + size]
        data = random.choice(
            (
                data[:at] + data[at + size :],
                data[:at] + piece + data[at:],
                data[:at] + random.randbytes(min(size, 60)) + data[at + size :],
                data[:at] + (random.choice(words) if words else b"\xff" * 8) + data[at:],
                data[:at],
            )
        )
    return data


@pytest.mark.parametrize("kind", ["scenario", "expectations"])
def test_a_changed_text_file_is_read_or_refused(kind: str, tmp_path: Path, goals: Goals) -> None:
    """Reading a randomly changed file either succeeds or raises a ConfigError that contains the file's name."""
    originals, read = ORIGINALS[kind]
    wrong = unnamed = 0
    for number in range(TEXTS):
        random = Random(number)  # noqa: S311 - the sequence must be reproducible
        suffix, data = originals[number % len(originals)]
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(changed(data, random, words=_WORDS))
        try:
            read(path)
        except ConfigError as error:
            wrong += 1
            unnamed += path.name not in str(error)
        path.unlink()

    assert unnamed == 0
    assert wrong
    goals.measured(f"{TEXTS} changed {kind} files", bar="read or refused", figure=f"{wrong} refused", met=True)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return a valid recording."""
    return write_recording(
        tmp_path_factory.mktemp("video") / "good.webm", Scene(participants=participants("alice", "bob"), seconds=1.0)
    )


@pytest.mark.parametrize("part", ["video", "manifest"])
def test_a_changed_recording_gets_a_report(part: str, recording: Recording, tmp_path: Path, goals: Goals) -> None:
    """Verifying a recording returns a report even if its video or manifest has been changed randomly."""
    failed = 0
    for number in range(FILES):
        random = Random(number)  # noqa: S311 - the sequence must be reproducible
        path = tmp_path / f"{number}.webm"
        data, manifest = recording.path.read_bytes(), recording.manifest.read_bytes()
        path.write_bytes(changed(data, random) if part == "video" else data)
        manifest_of(path).write_bytes(changed(manifest, random, words=_WORDS) if part == "manifest" else manifest)
        report = verify(path)
        failed += not report.ok
        assert str(report)
        assert report.write_html(tmp_path / "report.html").is_file()
        path.unlink()

    assert failed
    goals.measured(f"{FILES} changed {part}s", bar="each gets a report", figure=f"{failed} failed", met=True)


def test_a_changed_spool_is_recovered_or_reported(audio_bytes: bytes, tmp_path: Path, goals: Goals) -> None:
    """Readable recordings are recovered, and unreadable recordings stay in the spool."""
    spool = Spool(tmp_path / "crashed", VERSIONS)
    active = recorded(spool, audio_bytes)
    spool.close()
    recordings = tmp_path / "here" / "recordings"
    folder = recordings / FOLDER
    for number in range(FILES):
        random = Random(number)  # noqa: S311 - the sequence must be reproducible
        folder = recordings / FOLDER / f"recording {number}"
        shutil.copytree(active.folder.path, folder)
        for path in (folder / "raw.webm", folder / "recording.json", folder / "log.jsonl"):
            if random.randrange(2):
                path.write_bytes(changed(path.read_bytes(), random, words=_WORDS))
    # Make the last folder unreadable, because the others might all be recoverable.
    (folder / "raw.webm").write_bytes(b"no media")
    outside = set(tmp_path.rglob("*")) - set(recordings.rglob("*"))

    recoveries = recover(recordings)

    recovered = [one.recording for one in recoveries if one.recording is not None]
    left = [path for path in (recordings / FOLDER).iterdir() if path.is_dir()]
    assert len(recovered) + len(left) == FILES
    assert recovered
    assert left
    assert all(one.path.parent == recordings for one in recovered)
    assert set(tmp_path.rglob("*")) - set(recordings.rglob("*")) == outside
    figure = f"{len(recovered)} recovered, {len(left)} reported"
    goals.measured(f"{FILES} changed spool folders", bar="recovered, or reported and kept", figure=figure, met=True)
