"""The virtual camera, microphone and screen of an attached page behave like Chrome's own devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import InvalidStateError, Participant, verify
from harness.browser.chrome import FAKE_DEVICES
from tests.support.application_calls import SMALL, meet
from tests.support.media.recording_file import write_media
from tests.support.media.scene import PlannedParticipant, Scene
from tests.support.reports import check_recording

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
    """Return a page in a Chrome with Chrome's own fake devices, and without the harness."""
    browser = browser_type.launch(**{**browser_type_launch_args, "args": list(FAKE_DEVICES)})
    page = browser.new_context(ignore_https_errors=True).new_page()
    page.goto(f"{site.url}/empty.html")
    yield page
    browser.close()


# JavaScript that describes devices and tracks by their types, and by the names and types of their properties. It also
# describes the outcome of requests that devices can or can't satisfy. None of these answers depends on the device.
_BEHAVIOR = """async () => {
  const { mediaDevices } = navigator;
  const typesIn = (object) => Object.fromEntries(Object.entries(object).sort().map(([name, value]) =>
    [name, Array.isArray(value) ? 'list' : value && typeof value === 'object' ? Object.keys(value).sort() : typeof value]));
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
    { deviceId: { exact: 'none' } }, { facingMode: { exact: 'user' } }, 5, { sampleRate: { exact: 1 } }])
    found.applied.push([await outcome(() => track.applyConstraints(wanted)), track.getConstraints(),
      wanted.sampleRate ? '' : sizes()]);
  track.addEventListener('ended', () => found.applied.push('ended event'));
  track.stop();
  found.ended = [track.readyState, known(track.getSettings()), track.clone().readyState, clone.readyState,
    await outcome(() => track.applyConstraints({ width: 160 }))];

  const shares = [undefined, { video: true, audio: true }, { video: false }, { video: false, audio: true },
    { audio: true }, { video: { width: { min: 3 } } }, { video: { width: { exact: 3 } } }, { video: { width: { max: 0 } } },
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
