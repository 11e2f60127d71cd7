"""Only Chrome records: another browser gets a clear message, in the page and in Python, and can still join the room."""

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

# A camera and a microphone of Firefox's own, and nobody to ask for them.
PREFERENCES = """
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.peerconnection.ice.loopback", true);
user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
"""

# What people see, and what programs are answered: the page's own, Python's, and who would join with marks.
QUESTIONS = """
const answer = (call) => call.then(() => null, ({ name, code, message }) => ({ name, code, message }));
return {
    told: document.querySelector('#unsupported').innerText,
    form: document.querySelector('#join-name').checkVisibility(),
    page: await answer(NERTC.createClient().startMediaRecording({})),
    driven: (await harness.call('startMediaRecording', {})).error,
    synthetic: await answer(NERTC.createClient().join({ name: 'fox', media: 'synthetic' })),
};
"""

# Who was refused is not left behind: a recording of everybody would wait for them in vain.
JOIN = """
await NERTC.createClient().join({ name: 'refused', media: 'synthetic' }).catch(() => null);
return NERTC.createClient().join({ name: 'fox', media: 'camera' });
"""


class Firefox:
    """A Firefox that is driven over WebDriver BiDi: a WebSocket and some JSON."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, url: str, script: str) -> tuple[Any, list[str]]:
        """Open the page, run the script in it; return what it returns, and the errors that the page logged."""
        # Playwright runs a loop of its own in this thread.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._ask(url, script)).result(timeout=60)

    async def _ask(self, url: str, script: str) -> tuple[Any, list[str]]:
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
    """Run a Firefox."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("Firefox is not installed (Debian: apt-get install firefox-esr).")
    # Its home is a folder of its own: whoever runs the tests may have another Firefox open.
    home = tmp_path_factory.mktemp("firefox")
    (home / "user.js").write_text(PREFERENCES)
    command = [program, "--headless", "--remote-debugging-port=0", "--profile", str(home)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "HOME": str(home)})
    assert process.stderr is not None
    patience = threading.Timer(60, process.kill)
    patience.start()
    try:
        said = ""
        for line in process.stderr:
            said += line
            if listening := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                patience.cancel()
                yield Firefox(listening[1])
                return
        pytest.skip(f"{program} does not start: {said.strip()}")
    finally:
        patience.cancel()
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def interview(firefox: Firefox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the page is like in Firefox."""
    with RoomServer(
        recordings=tmp_path_factory.mktemp("fox"), versions={}, options=ServeOptions(public_room="room")
    ) as server:
        answers, errors = firefox.ask(server.url, QUESTIONS)
    return {**answers, "errors": errors}


def test_firefox_shows_at_once_that_it_can_not_record(interview: dict[str, Any]) -> None:
    """The reason is shown above the form; the rest of the page works without an error."""
    assert interview["told"].startswith(REASON)
    assert "MediaStreamTrackProcessor" in interview["told"]
    assert interview["form"] is True
    assert [] == interview["errors"]


@pytest.mark.parametrize("who", ["page", "driven"])
def test_start_answers_nertcs_10450_in_firefox(interview: dict[str, Any], who: str) -> None:
    """A call from the page or from Python is refused with NERTC's code and the reason."""
    assert {"name": "NotSupportedError", "code": 10450, "message": interview["told"]} == interview[who]


def test_firefox_shows_that_it_can_not_make_synthetic_video(interview: dict[str, Any]) -> None:
    """The join is refused in plain words."""
    assert "NotSupportedError" == interview["synthetic"]["name"]
    assert "join with camera and microphone" in interview["synthetic"]["message"]


def test_a_participant_in_firefox_is_recorded_by_chrome(firefox: Firefox, browser: Browser, tmp_path: Path) -> None:
    """Only the recording participant needs Chrome: Firefox's camera is visible in its tile, and changes."""
    with (
        RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(public_room="room")) as server,
        Room(server=server, new_context=browser.new_context, recordings=tmp_path) as room,
    ):
        alice = room.join("alice")
        firefox.ask(server.url, JOIN)

        alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="fox"))
        room.wait(seconds=2)
        recording = alice.download_media_recording()

    check_recording(recording, crowded=True)
    with av.open(recording.path) as media:
        # Alice to the left, the Firefox to the right, whose test camera is one colour that walks round the circle.
        colours = [frame.to_ndarray(format="rgb24")[180, 480].astype(int) for frame in media.decode(video=0)]
    assert max(abs(colours[-1] - colours[0])) > 40


@pytest.mark.parametrize(
    ("without", "lack"),
    [
        ("delete window.MediaStreamTrackProcessor;", "it has no MediaStreamTrackProcessor"),
        ("delete window.MediaRecorder;", "it has no MediaRecorder"),
        (
            "Object.defineProperty(navigator, 'userAgentData', { value: { brands: [{ brand: 'Another' }] } });",
            "it is not built on Chromium",
        ),
    ],
)
def test_a_chrome_without_a_required_feature_is_refused(
    browser: Browser, room_server: RoomServer, tmp_path: Path, without: str, lack: str
) -> None:
    """Start raises before anything begins, with NERTC's code and what is missing."""
    context = browser.new_context()
    context.add_init_script(without)
    with Room(server=room_server, new_context=lambda: context, recordings=tmp_path, name="other") as room:
        alice = room.join("alice")

        with pytest.raises(NotSupportedError, match=REASON) as refusal:
            alice.start_media_recording()

        assert "none" == alice.get_media_recording().state
    assert 10450 == refusal.value.code
    assert lack in str(refusal.value)


def test_a_chrome_without_the_codec_is_refused(browser: Browser, room_server: RoomServer, tmp_path: Path) -> None:
    """The message names what the browser can't write."""
    context = browser.new_context()
    context.add_init_script("MediaRecorder.isTypeSupported = () => false;")
    with Room(server=room_server, new_context=lambda: context, recordings=tmp_path, name="other") as room:
        alice = room.join("alice")

        with pytest.raises(NotSupportedError, match="video/webm;codecs=av1,opus") as refusal:
            alice.start_media_recording(record_config=RecordConfig(codec="av1"))

    assert 10450 == refusal.value.code


def test_a_chrome_that_can_record_shows_no_warning(browser: Browser, tmp_path: Path) -> None:
    """Where recording is possible there is nothing to say."""
    with (
        RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(public_room="room")) as server,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(server.url)

        expect(page.get_by_label("Your name")).to_be_visible()
        expect(page.locator("#unsupported")).to_be_hidden()
