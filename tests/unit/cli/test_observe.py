"""``harness observe`` refuses invalid options before it opens a page; ``verify --manifest`` reads its manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.media.recording_file import write_media, write_observation
from tests.support.media.scene import Scene, participants
from tests.support.program import run_harness

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice", "bob"), frame_rate=15, seconds=3.0)
URL = ("--url", "https://localhost:1/room")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "Missing option '--url'"),
        (("--url", "localhost"), "--url: 'localhost' is not valid"),
        ((*URL, "--seconds", "0"), "--seconds: 0 is not valid; give a number above 0."),
        ((*URL, "--script", "missing.py"), "--script: missing.py is not a file"),
        ((*URL, "--storage-state", "missing.json"), "--storage-state: missing.json is not a file"),
        ((*URL, "--header", "no colon"), "--header: header 1 is not valid"),
        ((*URL, "--media", "missing.webm"), "--media: "),
    ],
)
def test_invalid_option_of_observe_is_refused(tmp_path: Path, options: tuple[str, ...], reason: str) -> None:
    """The options for getting into a call are the same as those of ``harness record``."""
    ran = run_harness("observe", "alice", *options, folder=tmp_path)

    assert 2 == ran.returncode
    assert reason in " ".join(ran.stderr.replace("│", " ").split())
    assert not (tmp_path / "recordings").exists()


def test_verify_compares_a_file_with_the_given_manifest(tmp_path: Path) -> None:
    """The report in JSON states which part of the call the file covers."""
    write_media(tmp_path / "theirs.webm", SCENE)
    write_observation(tmp_path / "call.json", SCENE, start=2.0, seconds=9.0)

    ran = run_harness("verify", "theirs.webm", "--manifest", "call.json", "--json", folder=tmp_path)

    (report,) = json.loads(ran.stdout)["reports"]
    assert (0, "passed") == (ran.returncode, report["result"]), ran.stderr
    assert "The recording covers 2.0 to 5.0 s of the observed call, which was observed for 9.0 s." in [
        one["message"] for one in report["findings"] if one["check"] == "alignment"
    ]


def test_verify_refuses_a_manifest_that_does_not_exist(tmp_path: Path) -> None:
    """A wrong path must not be treated like a file without a manifest."""
    write_media(tmp_path / "theirs.webm", SCENE)

    ran = run_harness("verify", "theirs.webm", "--manifest", "call.json", folder=tmp_path)

    assert 2 == ran.returncode
    assert f"{tmp_path / 'call.json'} does not exist; give the path of a manifest." in ran.stderr
