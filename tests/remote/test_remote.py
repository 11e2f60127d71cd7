"""Tests for remote browsers: recordings are stored and verified on this machine, and crashes are reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import RecordConfig, RecordingError, SetupError, open_room
from harness.batch.processes import admitted
from harness.scenario import read_scenario
from tests.support.program import run_harness
from tests.support.reports import check_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.remote.conftest import Server

SMALL = RecordConfig(record_name="call")
ROOT = Path(__file__).parents[2]
# One participant at 720p30.
ONE_PARTICIPANT = """
steps = [
  { join = "alice" },
  { start = "alice", recorder = "local", record_video_quality = "720p", record_video_frame = 30 },
  { wait = 2 },
  { download = "alice" },
]
"""
pytestmark = [pytest.mark.own_thread, pytest.mark.parallel]


def test_room_in_a_remote_browser_is_recorded_on_this_machine(
    serve: Callable[..., Server], remote_chrome: dict[str, Any], tmp_path: Path
) -> None:
    """The remote browser loads the harness's page and sends the download through the connection to Playwright."""
    with open_room(recordings=tmp_path, connect=[serve().url], **remote_chrome) as room:
        alice, bob = room.join_all("alice", "bob")
        alice.start_media_recording(record_config=SMALL)
        room.wait(seconds=2)
        alice.stop_media_recording()
        recording = alice.download_media_recording()

    report = check_recording(recording, crowded=True)
    assert recording.path == tmp_path / "call.webm"
    audio = report.participant(bob.name).audio
    assert audio
    # The minimum is only 1 s, because other programs on the same processors can cause gaps in Bob's audio.
    assert sum(end - start for start, end in audio.audible) > 1


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_browser_server_on_this_machine_is_reached_without_the_proxy(
    serve: Callable[..., Server],
    remote_chrome: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    """A proxy in the environment is not used for --connect if the server runs on this machine."""
    url = serve().url.replace("ws://", f"{scheme}://")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    with open_room(recordings=tmp_path, connect=[url], **remote_chrome) as room:
        alice = room.join("alice")
        alice.start_media_recording(record_config=SMALL)
        room.wait(seconds=1)

        assert check_recording(alice.download_media_recording(), crowded=True).participant("alice").present


@pytest.mark.thorough
def test_participants_are_spread_over_several_browsers(
    serve: Callable[..., Server], remote_chrome: dict[str, Any], tmp_path: Path
) -> None:
    """After one of two browsers has crashed, new participants use the other one."""
    first, second = serve(), serve()
    with open_room(recordings=tmp_path, connect=[first.url, second.url], **remote_chrome) as room:
        alice, bob, carol = room.join_all("alice", "bob", "carol")
        assert alice.page.context.browser is carol.page.context.browser
        assert alice.page.context.browser is not bob.page.context.browser
        second.kill()
        room.wait_for(lambda: not bob.alive, what="bob's browser to end")

        dave = room.join("dave")

        assert dave.page.context.browser is alice.page.context.browser
        alice.start_media_recording(record_config=SMALL)
        room.wait(seconds=1)
        assert check_recording(alice.download_media_recording()).participant("dave").present


def test_crashed_browser_server_leaves_the_recording(
    serve: Callable[..., Server], remote_chrome: dict[str, Any], tmp_path: Path
) -> None:
    """If the browser server crashes, everything recorded so far is kept, because each chunk was stored on arrival."""
    server = serve()
    with open_room(recordings=tmp_path, connect=[server.url], **remote_chrome) as room:
        alice, _ = room.join_all("alice", "bob")
        alice.start_media_recording(record_config=SMALL)
        room.wait(seconds=2)
        server.kill()

        with pytest.raises(RecordingError, match="The recording so far was saved as") as raised:
            room.wait(seconds=10)

    assert raised.value.recording is not None
    assert raised.value.recording.duration > 1.4
    check_recording(raised.value.recording, crowded=True)


@pytest.mark.thorough
def test_browser_server_without_our_switches_is_refused(
    serve: Callable[..., Server], remote_chrome: dict[str, Any], tmp_path: Path
) -> None:
    """A remote Chrome launched without the harness's switches is refused, because its recordings are unreliable."""
    config = tmp_path / "launch.json"
    config.write_text(json.dumps({"executablePath": str(remote_chrome["executable"]), "chromiumSandbox": False}))
    server = serve("launch-server", "--browser", "chromium", "--config", str(config))

    with (
        pytest.raises(SetupError, match=r"runs without our switches.*--unsafe"),
        open_room(recordings=tmp_path, connect=[server.url]),
    ):
        pass


def test_browser_server_without_a_chrome_is_refused(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Without --unsafe, a server ignores the given executable. A server that has no Chrome of its own is refused."""
    server = serve("run-server", "--host", "127.0.0.1")

    with (
        pytest.raises(SetupError, match="can't find a Chrome"),
        open_room(recordings=tmp_path, connect=[server.url], executable="/usr/bin/chromium"),
    ):
        pass


def test_other_playwright_version_is_refused(serve: Callable[..., Server], tmp_path: Path) -> None:
    """A browser server with a different Playwright version is refused.

    The error shows both Playwright versions and says that their major and minor parts must match.
    """
    earlier = (str(ROOT / "scripts/with-node"), "node", str(ROOT / "node_modules/playwright-earlier/cli.js"))
    server = serve("run-server", "--host", "127.0.0.1", driver=earlier)

    ran = run_harness("record", "alice", "--connect", server.url, folder=tmp_path)

    assert ran.returncode == 3
    assert "has a different version than ours (server version: v1.64, client version: v1." in ran.stderr
    assert "Install the same major and minor version on both sides." in ran.stderr


def test_missing_browser_server_is_reported(tmp_path: Path) -> None:
    """If no browser server answers, the error contains the command that starts one, and no traceback."""
    ran = run_harness("record", "alice", "--connect", "ws://127.0.0.1:9/", folder=tmp_path)

    assert ran.returncode == 3
    assert "--connect: no Playwright server answers at ws://127.0.0.1:9/." in ran.stderr
    assert "playwright run-server" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.thorough
def test_rooms_of_a_run_are_spread_over_several_browsers(
    serve: Callable[..., Server], remote_chrome: dict[str, Any], tmp_path: Path
) -> None:
    """With remote browsers, one run can play more scenarios in parallel than this machine alone could."""
    scenario = tmp_path / "one.toml"
    scenario.write_text(ONE_PARTICIPANT)
    first, second = serve(), serve()
    count = 1 + admitted([read_scenario(scenario)] * 9, 9)

    ran = run_harness(
        *("run", str(scenario), "--repeat", str(count), "--workers", str(count), "--json"),
        *("--connect", first.url, "--connect", second.url, "--executable", str(remote_chrome["executable"])),
        folder=tmp_path,
    )

    assert "--overcommit" not in ran.stderr
    assert len(json.loads(ran.stdout)["recordings"]) == count, ran.stderr


@pytest.mark.thorough
def test_record_command_uses_a_remote_browser(
    serve: Callable[..., Server], remote_chrome: dict[str, Any], tmp_path: Path
) -> None:
    """To use a remote browser, the record command needs only --connect and --executable."""
    ran = run_harness(
        *("record", "alice", "bob", "--seconds", "2", "--json"),
        *("--connect", serve().url, "--executable", str(remote_chrome["executable"])),
        folder=tmp_path,
    )

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["ok"]


@pytest.mark.thorough
def test_browser_in_another_network_is_reached_only_through_its_server(
    serve: Callable[..., Server], remote_chrome: dict[str, Any], other_network: tuple[str, ...], tmp_path: Path
) -> None:
    """The page, the chunks and the download are all transferred over the connection to Playwright's server."""
    *prefix, address = other_network
    server = serve("run-server", "--host", address, "--unsafe", prefix=prefix)

    with open_room(recordings=tmp_path, connect=[server.url], **remote_chrome) as room:
        alice, bob = room.join_all("alice", "bob")
        alice.start_media_recording(record_config=SMALL)
        room.wait(seconds=2)
        alice.stop_media_recording()
        report = check_recording(alice.download_media_recording())

    assert address in server.url
    assert report.participant(bob.name).is_audible(0.5, 1.5)
