"""The virtual camera, microphone and screen of an attached page behave like Chrome's own devices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness import InvalidStateError, Participant
from harness.browser.chrome import FAKE_DEVICES
from harness.verification.markers.strip import decode_strips
from tests.support.media.recording_file import write_media
from tests.support.media.scene import PlannedParticipant, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserType, Page

    from harness import Room
    from tests.support.servers.application_site import Site

    Enter = Callable[..., Participant]


@pytest.fixture
def page_with_fake_devices(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], site: Site
) -> Iterator[Page]:
    """Return a page in a Chrome instance that has Chrome's own fake devices and does not load the harness."""
    browser = browser_type.launch(**{**browser_type_launch_args, "args": list(FAKE_DEVICES)})
    page = browser.new_context(ignore_https_errors=True).new_page()
    page.goto(f"{site.url}/empty.html")
    yield page
    browser.close()


# JavaScript that describes devices and tracks by their types, and by the names and types of their properties. The
# script also describes the outcome of requests that devices can or can't satisfy. No result depends on the device.
_BEHAVIOR = """async () => {
  const { mediaDevices } = navigator;
  const typesIn = (object) => Object.fromEntries(Object.entries(object).sort().map(([name, value]) =>
    [name, Array.isArray(value) ? 'list' : Object(value) === value ? Object.keys(value).sort() : typeof value]));
  // Chrome's fake camera also has a lens.
  const known = (object) => typesIn(Object.fromEntries(
    Object.entries(object).filter(([name]) => !/^(exposure|focus)/.test(name))));
  const outcome = async (request) => {
    try {
      const answer = await request();
      if (answer instanceof MediaStream) for (const track of answer.getTracks()) track.stop();
      return 'succeeds';
    } catch (error) {
      return [error.constructor.name, error.name, error.constraint, error instanceof DOMException];
    }
  };
  const aboutTrack = (track) => ({
    prototype: Object.getPrototypeOf(track) === MediaStreamTrack.prototype,
    text: String(track),
    own: Object.keys(track),
    state: [track.kind, track.enabled, track.muted, track.readyState, typeof track.label, typeof track.id],
    settings: known(track.getSettings()),
    capabilities: known(track.getCapabilities()),
    constraints: track.getConstraints(),
  });
  const found = {};
  const constraints = { audio: { echoCancellation: true }, video: { width: { ideal: 640 }, height: { exact: 360 } } };
  const stream = await mediaDevices.getUserMedia(constraints);
  const devices = await mediaDevices.enumerateDevices();
  found.permissions = await Promise.all(['camera', 'microphone'].map(async (name) =>
    (await navigator.permissions.query({ name })).state));
  found.devices = ['audioinput', 'videoinput', 'audiooutput'].map((kind) => {
    const device = devices.find((one) => one.kind === kind);
    return [kind, device.constructor.name, String(device), Object.keys(device), device instanceof MediaDeviceInfo,
      device instanceof InputDeviceInfo, typesIn(device.toJSON()), typesIn(JSON.parse(JSON.stringify(device))),
      typeof device.getCapabilities === 'function' && known(device.getCapabilities()),
      [device.deviceId, device.groupId, device.label].every((text) => typeof text === 'string' && text !== '')];
  });
  found.tracks = stream.getTracks().map(aboutTrack);
  found.clones = stream.clone().getTracks().map(aboutTrack);
  found.labels = stream.getTracks().map((track) => devices.some((one) =>
    one.label === track.label && one.deviceId === track.getSettings().deviceId));

  const requests = [undefined, null, {}, 5, { video: false }, { audio: null }, { video: 1 }, { video: { width: NaN } },
    { video: { frameRate: NaN } }, { video: { width: { exact: 50000 } } }, { video: { width: { min: 50000 } } },
    { video: { height: { max: 0 } } }, { video: { width: { exact: 50000 }, height: { exact: 50000 } } },
    { video: { width: { min: 600, max: 500 } } }, { video: { frameRate: { min: 500 } } },
    { video: { aspectRatio: { exact: 100000 } } }, { video: { facingMode: { exact: 'user' } } },
    { video: { facingMode: 'user' } }, { video: { deviceId: 'none' } }, { video: { deviceId: { exact: 'none' } } },
    { video: { groupId: { exact: 'none' } } }, { video: { resizeMode: { exact: 'none' } } },
    { video: { sampleRate: { exact: 1 } } }, { video: { pan: { exact: 1 } } }, { video: { pan: true } },
    { video: { width: { exact: 640 }, height: { exact: 480 } } }, { video: { advanced: [{ width: 50000 }] } },
    { video: { width: { exact: 640 }, height: { exact: 480 }, aspectRatio: { exact: 2 } } },
    { video: { mandatory: { minWidth: 50000 } } }, { video: { mandatory: { maxWidth: 640 }, optional: [] } },
    { video: { mandatory: { chromeMediaSource: 'desktop' } } }, { audio: { sampleRate: { exact: 1 } } },
    { audio: { channelCount: { min: 9 } } }, { audio: { deviceId: { exact: 'none' } } },
    { audio: { deviceId: { exact: 'default' } } }, { audio: { width: { exact: 50000 } } },
    { audio: { echoCancellation: { exact: false } } }, { audio: true, video: { width: { exact: 50000 } } }];
  found.requests = [];
  for (const request of requests)
    found.requests.push([JSON.stringify(request), await outcome(() => mediaDevices.getUserMedia(request))]);
  found.callbacks = await new Promise((resolve) =>
    navigator.webkitGetUserMedia({ video: { width: { exact: 50000 } } }, resolve, ({ name }) => resolve(name)));

  const track = stream.getVideoTracks()[0];
  const clone = track.clone();
  const sizes = () => [track, clone].map((one) => [one.getSettings().width, one.getSettings().height].join('x'));
  found.applied = [];
  for (const wanted of [{}, { width: { exact: 320 }, height: { exact: 180 } }, {}, { width: { exact: 50000 } },
    { deviceId: { exact: 'none' } }, { facingMode: { exact: 'user' } }, 5, { sampleRate: { exact: 1 } }]) {
    const applied = await outcome(() => track.applyConstraints(wanted));
    // On a busy machine, Chrome's fake camera changes its size only after the constraints have been applied.
    for (const end = performance.now() + 5000; wanted.width?.exact === 320 && performance.now() < end;) {
      if (track.getSettings().width === 320) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    found.applied.push([applied, track.getConstraints(), wanted.sampleRate ? '' : sizes()]);
  }
  track.addEventListener('ended', () => found.applied.push('ended event'));
  track.stop();
  found.ended = [track.readyState, known(track.getSettings()), track.clone().readyState, clone.readyState,
    await outcome(() => track.applyConstraints({ width: 160 }))];

  const shares = [undefined, { video: true, audio: true }, { video: false }, { video: false, audio: true },
    { audio: true }, { video: { width: { min: 3 } } }, { video: { width: { exact: 3 } } },
    { video: { width: { max: 0 } } },
    { video: { advanced: [{ width: 3 }] } }, { video: { width: 320, height: 180 } }, 5];
  found.shares = [];
  for (const wanted of shares)
    found.shares.push([JSON.stringify(wanted), await outcome(() => mediaDevices.getDisplayMedia(wanted))]);
  const screen = await mediaDevices.getDisplayMedia({ video: { width: { max: 320 } }, audio: true });
  found.screen = screen.getTracks().map(aboutTrack);
  found.surface = screen.getVideoTracks().map((one) => one.getSettings()).map(({ displaySurface, width, height }) =>
    [displaySurface, width, height]);
  return found;
}"""


def test_virtual_devices_behave_like_chromes_own_devices(
    enter: Enter, site: Site, page_with_fake_devices: Page
) -> None:
    """The same script gets the same types, properties and errors from our devices and from Chrome's fake devices."""
    alice = enter(f"{site.url}/empty.html", "alice")

    ours = alice.page.evaluate(_BEHAVIOR)

    expected = page_with_fake_devices.evaluate(_BEHAVIOR)
    assert list(expected) == list(ours)
    for part, answer in expected.items():
        assert answer == ours[part], part


# JavaScript that defines the function ``read``. The function returns the size of a track's next frames, and the
# brightness of the 64 cells in the marker strip of the last frame. The first frames may still have the old size.
_DEFINE_READ = """() => void (globalThis.read = async (track) => {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  for (let count = 0; count < 8; count += 1) (await reader.read()).value.close();
  const { value: frame } = await reader.read();
  const { displayWidth: width, displayHeight: height } = frame;
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(frame, 0, 0);
  frame.close();
  await reader.cancel();
  const cells = Array.from({ length: 64 }, (_, cell) => {
    const x = ((cell % 32) + 0.5) * width / 32;
    const y = (Math.floor(cell / 32) + 0.5) * height / 18;
    return context.getImageData(x, y, 1, 1).data[1];
  });
  return { size: `${width}x${height}`, cells };
})"""


def _marker(frame: dict[str, Any]) -> int:
    """Return the marker number in a frame that the page has read."""
    (marker,) = decode_strips(np.array([frame["cells"]], np.float64))
    assert marker is not None
    return marker.number


def _has_workers(page: Page, count: int) -> bool:
    """Return whether a page has this many workers. Each virtual video track has its own worker."""
    return len(page.workers) == count


def test_each_track_of_the_virtual_camera_has_its_own_size(room: Room, enter: Enter, site: Site) -> None:
    """A track's frames have the size that its getSettings reports, even if its clone has a different size."""
    page = enter(f"{site.url}/empty.html", "alice").page

    page.evaluate(_DEFINE_READ)
    frames = page.evaluate(
        """async () => {
          const sizes = [{ width: 640 }, { width: { exact: 640 }, height: { exact: 480 } }, { height: { exact: 91 } }];
          const frames = [];
          for (const video of sizes) {
            const [track] = (await navigator.mediaDevices.getUserMedia({ video })).getTracks();
            frames.push({ ...await read(track), ...track.getSettings() });
            if (video.width?.exact) {
              const clone = track.clone();
              await clone.applyConstraints({ width: { exact: 320 } });
              frames.push({ ...await read(track), ...track.getSettings() });
              frames.push({ ...await read(clone), ...clone.getSettings() });
              clone.stop();
            }
            track.stop();
          }
          return frames;
        }"""
    )

    assert ["640x360", "640x480", "640x480", "320x240", "162x91"] == [frame["size"] for frame in frames]
    assert [frame["size"] for frame in frames] == [f"{frame['width']}x{frame['height']}" for frame in frames]
    assert {0} == {_marker(frame) for frame in frames}
    room.wait_for(partial(_has_workers, page, 0), what="the workers to end", timeout=5)


def test_shared_screen_has_its_own_marker_and_tone(room: Room, enter: Enter, site: Site) -> None:
    """The screen's marker number is the participant's plus 128, and is free again once the last clone has stopped."""
    enter(f"{site.url}/empty.html", "alice").page.evaluate("() => navigator.mediaDevices.enumerateDevices()")
    page = enter(f"{site.url}/empty.html", "bob").page

    page.evaluate(_DEFINE_READ)
    found = page.evaluate(
        """async () => {
          const { mediaDevices } = navigator;
          const camera = await mediaDevices.getUserMedia({ audio: true, video: true });
          const screen = await mediaDevices.getDisplayMedia({ audio: true, video: true });
          const context = new AudioContext({ sampleRate: 48000 });
          // The tone is the frequency that is loudest on average, because a chirp lasts only 80 ms.
          const toneOf = async (stream) => {
            const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
            new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(analyser);
            const [spectrum, sum] = [0, 1].map(() => new Float32Array(analyser.frequencyBinCount));
            for (let count = 0; count < 10; count += 1) {
              await new Promise((resolve) => setTimeout(resolve, 100));
              analyser.getFloatFrequencyData(spectrum);
              spectrum.forEach((level, bin) => { sum[bin] += Math.max(level, -120); });
            }
            return sum.indexOf(Math.max(...sum)) * 48000 / 4096;
          };
          globalThis.streams = [camera, screen, screen.clone()];
          const [video] = screen.getVideoTracks();
          const { cursor, displaySurface, logicalSurface } = video.getSettings();
          return {
            frames: await Promise.all([camera, screen].map((one) => read(one.getVideoTracks()[0]))),
            tones: [await toneOf(camera), await toneOf(screen)],
            settings: [video.contentHint, cursor, displaySurface, logicalSurface],
          };
        }"""
    )
    for stopped, expected in ((1, 3), (2, 2), (0, 1)):
        assert expected == len(page.workers)
        page.evaluate("(index) => streams[index].getTracks().forEach((track) => track.stop())", stopped)
        room.wait_for(partial(_has_workers, page, expected - 1), what="a worker to end", timeout=5)

    assert [1, 129] == [_marker(frame) for frame in found["frames"]]
    assert [350, 6300] == pytest.approx(found["tones"], abs=12)
    assert ["detail", "motion", "monitor", True] == found["settings"]


# JavaScript that opens the camera twice and counts the events triggered by unplugging it.
_OPEN_AND_COUNT = """async () => {
  const { mediaDevices } = navigator;
  globalThis.events = [];
  const stream = await mediaDevices.getUserMedia({ audio: true, video: true });
  const tracks = [...stream.getTracks(), stream.getVideoTracks()[0].clone()];
  for (const track of tracks) track.addEventListener('ended', () => events.push(`${track.kind} ended`));
  stream.getVideoTracks()[0].onended = () => events.push('onended');
  mediaDevices.ondevicechange = () => events.push('ondevicechange');
  mediaDevices.addEventListener('devicechange', () => events.push('devicechange'));
  globalThis.states = () => tracks.map((track) => track.readyState);
}"""
_DEVICES = "async () => (await navigator.mediaDevices.enumerateDevices()).map(({ kind, label }) => `${kind}: ${label}`)"
_OPEN_CAMERA = """() => navigator.mediaDevices.getUserMedia({ video: true })
  .then((stream) => stream.getTracks()[0].label, (error) => error.name)"""


def test_application_notices_an_unplugged_and_a_replaced_camera(enter: Enter, site: Site) -> None:
    """Unplugging the camera ends only the camera's tracks. After the replacement, the page sees a new camera."""
    alice = enter(f"{site.url}/empty.html", "alice")
    alice.page.evaluate(_OPEN_AND_COUNT)

    alice.unplug_device("video")

    assert ["live", "ended", "ended"] == alice.page.evaluate("() => states()")
    unplugged = ["devicechange", "onended", "ondevicechange", "video ended", "video ended"]
    assert sorted(unplugged) == sorted(alice.page.evaluate("() => events.splice(0)"))
    assert ["audioinput: Synthetic microphone", "audiooutput: Default"] == alice.page.evaluate(_DEVICES)
    assert "NotFoundError" == alice.page.evaluate(_OPEN_CAMERA)

    alice.replace_device("video")

    assert ["ondevicechange", "devicechange"] == alice.page.evaluate("() => events.splice(0)")
    assert "videoinput: Synthetic camera 2" in alice.page.evaluate(_DEVICES)
    assert "Synthetic camera 2" == alice.page.evaluate(_OPEN_CAMERA)


def test_devices_of_the_browser_are_not_unplugged(enter: Enter, site: Site) -> None:
    """The harness can't unplug the browser's own devices, because only the application controls them."""
    alice = enter(f"{site.url}/empty.html", "alice", media="own")

    with pytest.raises(InvalidStateError, match="browser's own devices"):
        alice.unplug_device("audio")


def test_camera_that_plays_a_video_file_scales_its_frames(room: Room, enter: Enter, site: Site, tmp_path: Path) -> None:
    """As with a real camera, the application can request frames smaller than those in the file, but not larger."""
    video_file = tmp_path / "camera.webm"
    actor = PlannedParticipant(name="actor", marker=9)
    write_media(video_file, Scene(participants=(actor,), width=640, height=360, seconds=1))
    page = enter(f"{site.url}/empty.html", "alice", media=video_file).page

    page.evaluate(_DEFINE_READ)
    found = page.evaluate(
        """async () => {
          const { mediaDevices } = navigator;
          const open = async (video) => (await mediaDevices.getUserMedia({ video })).getTracks()[0];
          const tracks = [await open(true), await open({ width: { exact: 320 } })];
          const screen = await mediaDevices.getDisplayMedia({ audio: true });
          const frames = await Promise.all([...tracks, screen.getVideoTracks()[0]].map(read));
          for (const track of [...tracks, ...screen.getTracks()]) track.stop();
          return {
            frames,
            kinds: screen.getTracks().map(({ kind }) => kind),
            refused: await open({ width: { min: 641 } }).catch(({ name, constraint }) => [name, constraint]),
          };
        }"""
    )

    assert ["640x360", "320x180", "640x360"] == [frame["size"] for frame in found["frames"]]
    assert [9, 9, 9] == [_marker(frame) for frame in found["frames"]]
    assert ["audio", "video"] == found["kinds"]
    assert ["OverconstrainedError", "width"] == found["refused"]
    room.wait_for(partial(_has_workers, page, 0), what="the workers to end", timeout=5)
