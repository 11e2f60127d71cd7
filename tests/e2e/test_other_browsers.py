"""Only Chrome can record. Other browsers can join a room, and get an error that explains why they can't record."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest
from playwright.sync_api import Browser, expect

from harness import NotSupportedError, RecordConfig, Room
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from tests.support.reports import check_recording

pytestmark = pytest.mark.parallel

REASON = "This browser can't record a room"

# With these preferences, Firefox uses fake devices and does not ask for permission.
PREFERENCES = """
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.peerconnection.ice.loopback", true);
user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
"""

# JavaScript that returns the warning on the page, whether the join form is visible, and the errors from three calls:
# starting in the page, starting from Python, and joining with synthetic media.
QUERIES = """
const answer = (call) => call.then(() => null, ({ name, code, message }) => ({ name, code, message }));
return {
    shown: document.querySelector('#unsupported').innerText,
    form: document.querySelector('#join-name').checkVisibility(),
    page: await answer(NERTC.createClient().startMediaRecording({})),
    driven: (await harness.call('startMediaRecording', {})).error,
    synthetic: await answer(NERTC.createClient().join({ name: 'fox', media: 'synthetic' })),
};
"""

# A participant who was refused must not stay in the room, because a recording of everybody would wait for them.
JOIN = """
await NERTC.createClient().join({ name: 'refused', media: 'synthetic' }).catch(() => null);
return NERTC.createClient().join({ name: 'fox', media: 'camera' });
"""


class Firefox:
    """A Firefox instance that the tests drive through WebDriver BiDi, a protocol that sends JSON over a WebSocket."""

    def __init__(self, address: str) -> None:
        self._address = address

    def run(self, url: str, script: str) -> tuple[Any, list[str]]:
        """Open a page and run a script in it; return the script's result and the errors that the page logged."""
        # Use another thread, because Playwright already runs an event loop in this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._run(url, script)).result(timeout=60)

    async def _run(self, url: str, script: str) -> tuple[Any, list[str]]:
        expression = f"(async () => {{ {script} }})().then(JSON.stringify)"
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{self._address}/session") as self._socket:
            self._calls = 0
            self._errors: list[str] = []
            await self._call("session.new", capabilities={})
            context = (await self._call("browsingContext.getTree"))["contexts"][0]["context"]
            await self._call("session.subscribe", events=["log.entryAdded"])
            await self._call("browsingContext.navigate", context=context, url=url, wait="complete")
            target = {"context": context}
            answer = await self._call("script.evaluate", expression=expression, target=target, awaitPromise=True)
            await self._call("session.end")
        return json.loads(answer["result"]["value"]), self._errors

    async def _call(self, method: str, **params: Any) -> Any:
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": params})
        while (message := await self._socket.receive_json()).get("id") != self._calls:
            if message["method"] == "log.entryAdded" and message["params"]["level"] == "error":
                self._errors.append(message["params"]["text"])
        assert "success" == message["type"], message
        return message["result"]


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Run Firefox with a new profile."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("Firefox is not installed (Debian: apt-get install firefox-esr).")
    # This Firefox gets its own home folder, because the user may already have Firefox open.
    home = tmp_path_factory.mktemp("firefox")
    (home / "user.js").write_text(PREFERENCES)
    command = [program, "--headless", "--remote-debugging-port=0", "--profile", str(home)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "HOME": str(home)})
    assert process.stderr is not None
    timeout = threading.Timer(60, process.kill)
    timeout.start()
    try:
        output = ""
        for line in process.stderr:
            output += line
            if listening := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                timeout.cancel()
                yield Firefox(listening[1])
                return
        pytest.skip(f"{program} does not start: {output.strip()}")
    finally:
        timeout.cancel()
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def firefox_answers(firefox: Firefox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run QUERIES in Firefox; return their results and the errors that the page logged."""
    with RoomServer(
        recordings=tmp_path_factory.mktemp("fox"), versions={}, options=ServeOptions(public_room="room")
    ) as server:
        answers, errors = firefox.run(server.url, QUERIES)
    return {**answers, "errors": errors}


def test_firefox_shows_immediately_that_it_cannot_record(firefox_answers: dict[str, Any]) -> None:
    """In Firefox, the page shows why it can't record, still shows the join form, and logs no error."""
    assert firefox_answers["shown"].startswith(REASON)
    assert "MediaStreamTrackProcessor" in firefox_answers["shown"]
    assert firefox_answers["form"] is True
    assert [] == firefox_answers["errors"]


@pytest.mark.parametrize("caller", ["page", "driven"])
def test_start_fails_with_nertcs_10450_in_firefox(firefox_answers: dict[str, Any], caller: str) -> None:
    """In Firefox, a start call from the page or from Python fails with NERTC's code 10450 and the reason."""
    assert {"name": "NotSupportedError", "code": 10450, "message": firefox_answers["shown"]} == firefox_answers[caller]


def test_firefox_reports_that_it_cannot_send_synthetic_video(firefox_answers: dict[str, Any]) -> None:
    """If synthetic media are requested in Firefox, the error suggests joining with camera and microphone instead."""
    assert "NotSupportedError" == firefox_answers["synthetic"]["name"]
    assert "join with camera and microphone" in firefox_answers["synthetic"]["message"]


def test_a_participant_in_firefox_is_recorded_by_chrome(firefox: Firefox, browser: Browser, tmp_path: Path) -> None:
    """Only the recording participant needs Chrome. The recording shows the changing color of Firefox's test camera."""
    with (
        RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(public_room="room")) as server,
        Room(server=server, new_context=browser.new_context, recordings=tmp_path) as room,
    ):
        alice = room.join("alice")
        firefox.run(server.url, JOIN)

        alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="fox"))
        room.wait(seconds=2)
        recording = alice.download_media_recording()

    check_recording(recording, crowded=True)
    with av.open(recording.path) as media:
        # Firefox's tile is on the right; the test camera shows a single color that changes over time.
        colors = [frame.to_ndarray(format="rgb24")[180, 480].astype(int) for frame in media.decode(video=0)]
    assert max(abs(colors[-1] - colors[0])) > 40


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        ("delete window.MediaStreamTrackProcessor;", "it has no MediaStreamTrackProcessor"),
        ("delete window.MediaRecorder;", "it has no MediaRecorder"),
        (
            "Object.defineProperty(navigator, 'userAgentData', { value: { brands: [{ brand: 'Another' }] } });",
            "it is not based on Chromium",
        ),
    ],
)
def test_a_chrome_without_a_required_feature_is_refused(
    browser: Browser, room_server: RoomServer, tmp_path: Path, script: str, missing: str
) -> None:
    """If Chrome lacks a required feature, start raises NERTC's error 10450 naming the feature, and records nothing."""
    context = browser.new_context()
    context.add_init_script(script)
    with Room(server=room_server, new_context=lambda: context, recordings=tmp_path, name="other") as room:
        alice = room.join("alice")

        with pytest.raises(NotSupportedError, match=REASON) as refusal:
            alice.start_media_recording()

        assert "none" == alice.get_media_recording().state
    assert 10450 == refusal.value.code
    assert missing in str(refusal.value)


def test_a_chrome_without_the_codec_is_refused(browser: Browser, room_server: RoomServer, tmp_path: Path) -> None:
    """If the browser can't record the requested codec, the error names the format."""
    context = browser.new_context()
    context.add_init_script("MediaRecorder.isTypeSupported = () => false;")
    with Room(server=room_server, new_context=lambda: context, recordings=tmp_path, name="other") as room:
        alice = room.join("alice")

        with pytest.raises(NotSupportedError, match="video/webm;codecs=av1,opus") as refusal:
            alice.start_media_recording(record_config=RecordConfig(codec="av1"))

    assert 10450 == refusal.value.code


def test_a_chrome_that_can_record_shows_no_warning(browser: Browser, tmp_path: Path) -> None:
    """The page shows the warning only in browsers that can't record."""
    with (
        RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(public_room="room")) as server,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(server.url)

        expect(page.get_by_label("Your name")).to_be_visible()
        expect(page.locator("#unsupported")).to_be_hidden()
