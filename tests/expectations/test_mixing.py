"""Tests of Chrome's behavior that the mixer and the mesh rely on: frames, audio and connections."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.expectations.site import Site

pytestmark = pytest.mark.alone


def test_fact_06_remote_audio_is_silent_until_an_element_plays_it(page: Page) -> None:
    """Fact 6: Web Audio receives silence from a remote track until a muted element plays the track's stream."""
    before, after = page.evaluate(
        """async () => {
            const context = new AudioContext();
            const { track, receiver } = await sent(audioTrackOf(context, new OscillatorNode(context)));
            const stream = new MediaStream([track]);
            const meter = new AnalyserNode(context);
            new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(meter);
            const samples = new Float32Array(meter.fftSize);
            let peak = 0;
            const listen = () => {
                meter.getFloatTimeDomainData(samples);
                peak = Math.max(peak, ...samples.map(Math.abs));
                return peak;
            };
            await until(async () => {
                listen();
                const stats = [...(await receiver.getStats()).values()];
                return stats.some(({ type, packetsReceived }) => type === "inbound-rtp" && packetsReceived >= 40);
            });
            const before = peak;
            const element = new Audio();
            element.muted = true;
            element.srcObject = stream;
            await element.play();
            await until(() => listen() > 0.5);
            return [before, peak];
        }"""
    )

    assert 0 == before
    assert after > 0.5


def test_fact_06_an_audio_context_starts_suspended_without_our_switch(page: Page, bare_page: Page, site: Site) -> None:
    """Fact 6: --autoplay-policy=no-user-gesture-required allows an AudioContext to start without a click."""
    # Evaluating a script from Python counts as a click, so the page must create its AudioContext without a call from
    # Python.
    listening = site.serve("/listening", "<!doctype html><script>var context = new AudioContext()</script>", {})
    for one in (page, bare_page):
        one.goto(listening)

    page.wait_for_function("context.state === 'running'")
    assert "suspended" == bare_page.evaluate("context.state")


def test_fact_47_a_script_from_python_counts_as_an_action_of_the_user(bare_page: Page, site: Site) -> None:
    """Fact 47: before the first user action, audio fails at once. After Python evaluates a script, audio can start."""
    script = """
      const outcome = () => Promise.race([
        new Audio().play().catch(({ name }) => name),
        new Promise((resolve) => setTimeout(resolve, 0, 'waits')),
      ]);
      const before = outcome();
      const active = navigator.userActivation.hasBeenActive;
    """
    bare_page.goto(site.serve("/playing", f"<!doctype html><script>{script}</script>", {}))

    before, active, now_active, after = bare_page.evaluate(
        "async () => [await before, active, navigator.userActivation.hasBeenActive, await outcome()]"
    )

    assert ("NotAllowedError", False) == (before, active)
    assert (True, "waits") == (now_active, after)


def test_fact_11_frames_are_processed_and_generated_in_windows_only(page: Page, site: Site) -> None:
    """Fact 11: MediaStreamTrackProcessor and MediaStreamTrackGenerator exist in windows but not in workers.

    Chrome has no VideoTrackGenerator.
    """
    names = "['MediaStreamTrackProcessor', 'MediaStreamTrackGenerator', 'VideoTrackGenerator']"
    site.serve(
        "/known.js",
        f"postMessage({names}.filter((name) => name in self))",
        {"Cross-Origin-Embedder-Policy": "require-corp"},
    )

    window = page.evaluate(f"{names}.filter((name) => name in self)")
    worker = page.evaluate(
        """() => new Promise((resolve) => {
            new Worker("/known.js", { type: "module" }).addEventListener("message", ({ data }) => resolve(data));
        })"""
    )

    assert ["MediaStreamTrackProcessor", "MediaStreamTrackGenerator"] == window
    assert [] == worker


def test_fact_11_tracks_stay_but_their_frames_can_move_to_a_worker(page: Page) -> None:
    """Fact 11: a track can't be transferred to a worker, but a processor's readable and a generator's writable can."""
    outcomes = page.evaluate(
        """async () => {
            const { track } = new PaintedVideo();
            const { readable } = new MediaStreamTrackProcessor({ track });
            const { writable } = new MediaStreamTrackGenerator({ kind: "video" });
            const { port1 } = new MessageChannel();
            return {
                cloned: await outcome(() => port1.postMessage(track)),
                transferred: await outcome(() => port1.postMessage(track, [track])),
                readable: await outcome(() => port1.postMessage(readable, [readable])),
                writable: await outcome(() => port1.postMessage(writable, [writable])),
            };
        }"""
    )

    assert {
        "cloned": "DataCloneError",
        "transferred": "DataCloneError",
        "readable": "fine",
        "writable": "fine",
    } == outcomes


def test_fact_12_copy_to_needs_whole_strides_within_the_buffer(page: Page) -> None:
    """Fact 12: a plane needs stride * rows bytes, even if its last row is shorter, and planes can't share rows."""
    outcomes = page.evaluate(
        """async () => {
            const size = { codedWidth: 64, codedHeight: 48 };
            const frame = new VideoFrame(new Uint8Array(64 * 72), { format: "I420", ...size, timestamp: 0 });
            const chroma = [{ offset: 0, stride: 32 }, { offset: 768, stride: 32 }];
            const copy = (bytes, layout) => outcome(() => frame.copyTo(new Uint8Array(bytes), { layout }));
            const wide = [{ offset: 1536, stride: 128 }, ...chroma];
            const sideBySide = [{ offset: 0, stride: 64 }, { offset: 3072, stride: 64 }, { offset: 3104, stride: 64 }];
            return {
                tight: await copy(1536 + 64 * 48, [{ offset: 1536, stride: 64 }, ...chroma]),
                lastRowCut: await copy(1536 + 128 * 47 + 64, wide),
                lastRowWhole: await copy(1536 + 128 * 48, wide),
                sideBySide: await copy(1_000_000, sideBySide),
            };
        }"""
    )

    assert {"tight": "fine", "lastRowCut": "TypeError", "lastRowWhole": "fine", "sideBySide": "TypeError"} == outcomes


def test_fact_15_remote_frames_carry_the_senders_clock(page: Page) -> None:
    """Fact 15: only remote frames have metadata().rtpTimestamp, the sender's time in units of 1/90 ms."""
    remote, elapsed, local = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const { track } = await sent(video.track);
            const property = (frame) => [frame.metadata().rtpTimestamp, performance.now()];
            const remote = await video.during(frames(track, 25, property));
            const local = await video.during(frames(video.track, 1, (frame) => frame.metadata()));
            return [remote.map(([stamp]) => stamp), remote.at(-1)[1] - remote[0][1], local];
        }"""
    )

    # The timestamp wraps around after 32 bits. On a busy machine, frames arrive unevenly, so the test only checks that
    # timestamps count in units of 1/90 ms.
    intervals = [(after - before) % 2**32 / 90 for before, after in itertools.pairwise(remote)]
    assert all(0 < interval < 20_000 for interval in intervals)
    assert elapsed == pytest.approx(sum(intervals), rel=0.5)
    assert [{}] == local


def test_fact_16_chrome_converts_pixels_only_to_rgb(page: Page) -> None:
    """Fact 16: copyTo converts every frame to RGBA and BGRA, but rejects I420 and NV12 as the target format."""
    outcomes = page.evaluate(
        """async () => {
            const own = ["I420", "I420A", "NV12", "RGBA", "RGBX", "BGRA", "BGRX"];
            const outcomes = { I420: [], NV12: [], RGBA: [], BGRA: [] };
            for (const format of own) {
                const size = { codedWidth: 64, codedHeight: 48 };
                const frame = new VideoFrame(new Uint8Array(64 * 48 * 4), { format, ...size, timestamp: 0 });
                for (const [wanted, found] of Object.entries(outcomes)) {
                    const copy = () => frame.copyTo(new Uint8Array(64 * 48 * 4), { format: wanted });
                    found.push(await outcome(copy));
                }
                frame.close();
            }
            return outcomes;
        }"""
    )

    refused, fine = ["NotSupportedError"] * 7, ["fine"] * 7
    assert {"I420": refused, "NV12": refused, "RGBA": fine, "BGRA": fine} == outcomes


def test_fact_17_a_sender_accepts_only_the_parameters_that_were_read_last(page: Page) -> None:
    """Fact 17: setParameters rejects parallel calls, and parameters that were read before the latest read or change."""
    outcomes = page.evaluate(
        """async () => {
            const connection = new RTCPeerConnection();
            const options = { sendEncodings: [{ maxBitrate: 1_000_000 }] };
            const { sender } = connection.addTransceiver(new PaintedVideo().track, options);
            const set = (parameters) => outcome(() => sender.setParameters(parameters));
            const [first, second] = [sender.getParameters(), sender.getParameters()];
            const beforeARead = await set(first);
            const last = await set(second);
            const beforeAChange = await set(second);
            const atOnce = await Promise.all([sender.getParameters(), sender.getParameters()].map(set));
            return { beforeARead, last, beforeAChange, atOnce };
        }"""
    )

    assert {
        "beforeARead": "InvalidModificationError",
        "last": "fine",
        "beforeAChange": "InvalidStateError",
        "atOnce": ["InvalidModificationError", "fine"],
    } == outcomes


def test_fact_19_frames_that_are_not_closed_stall_their_camera(bare_page: Page) -> None:
    """Fact 19: a camera stalls while a few of its frames stay open, even if its buffer is larger than the default."""
    kept = bare_page.evaluate(
        """async () => {
            const camera = await navigator.mediaDevices.getUserMedia({ video: true });
            const [track] = camera.getVideoTracks();
            const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 60 }).readable.getReader();
            const kept = [];
            const reading = (async () => {
                while (kept.length < 30) kept.push((await reader.read()).value);
            })();
            await until(() => kept.length > 0);
            // Wait for the time of 30 frames. A stalled camera delivers none.
            await new Promise((resolve) => setTimeout(resolve, 1000));
            const count = kept.length;
            for (const frame of kept) frame.close();
            await until(() => kept.length > count);
            track.stop();
            return count;
        }"""
    )

    assert kept < 8


def test_fact_24_without_our_switch_a_connection_ignores_loopback(page: Page, bare_page: Page) -> None:
    """Fact 24: Chrome offers 127.0.0.1 as an ICE candidate only with --allow-loopback-in-peer-connection."""
    script = """async () => {
        const connection = new RTCPeerConnection();
        connection.createDataChannel("any");
        const addresses = [];
        connection.addEventListener("icecandidate", ({ candidate }) => addresses.push(candidate?.address));
        await connection.setLocalDescription();
        await until(() => connection.iceGatheringState === "complete");
        return addresses;
    }"""
    for one in (page, bare_page):
        # With permission for the microphone, ICE candidates contain addresses instead of generated mDNS names.
        one.context.grant_permissions(["microphone"])

    assert "127.0.0.1" in page.evaluate(script)
    assert "127.0.0.1" not in bare_page.evaluate(script)


def test_fact_42_two_processors_on_one_track_both_get_its_frames(page: Page) -> None:
    """Fact 42: two processors can read the same track in parallel, and each receives every frame."""
    first, second = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const read = () => frames(video.track, 10, ({ timestamp }) => timestamp);
            return video.during(Promise.all([read(), read()]));
        }"""
    )

    assert len(set(first) & set(second)) > 5


def test_fact_43_a_generator_has_no_size_before_its_first_frame(page: Page) -> None:
    """Fact 43: a MediaStreamTrackGenerator's getSettings() lacks width and height until a frame has been read."""
    before, after = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const size = ({ width, height }) => [width ?? null, height ?? null];
            const before = size(video.track.getSettings());
            void video.during(frames(video.track, 1, () => null));
            await until(() => video.track.getSettings().width);
            return [before, size(video.track.getSettings())];
        }"""
    )

    assert [None, None] == before
    assert [160, 120] == after


def test_fact_50_copy_to_ignores_the_orientation_that_canvases_apply(page: Page) -> None:
    """Fact 50: rotation and flip affect the display size and what a canvas shows, but not what copyTo returns."""
    display, copied, drawn = page.evaluate(
        """async () => {
            const luma = new Uint8Array(64 * 48).fill(40).fill(200, 0, 64 * 24);
            const planes = new Uint8Array(64 * 72).fill(128);
            planes.set(luma);
            const size = { codedWidth: 64, codedHeight: 48, timestamp: 0 };
            const frame = new VideoFrame(planes, { format: "I420", ...size, rotation: 90, flip: true });
            const copy = new Uint8Array(frame.allocationSize());
            await frame.copyTo(copy);
            const context = new OffscreenCanvas(48, 64).getContext("2d");
            context.drawImage(frame, 0, 0);
            const red = (x, y) => context.getImageData(x, y, 1, 1).data[0];
            const { displayWidth, displayHeight, visibleRect } = frame;
            const result = [
                [displayWidth, displayHeight, visibleRect.width, visibleRect.height],
                copy.subarray(0, luma.length).every((sample, index) => sample === luma[index]),
                [red(2, 2) > 150, red(45, 2) > 150, red(2, 61) > 150, red(45, 61) > 150],
            ];
            frame.close();
            return result;
        }"""
    )

    assert [48, 64, 64, 48] == display
    assert copied
    # The bright upper half is on the right after the rotation, and on the left after the flip.
    assert [True, False, True, False] == drawn


def test_fact_51_webrtc_sends_the_rotation_but_not_the_flip(page: Page) -> None:
    """Fact 51: received frames have the sender's rotation, but are not mirrored."""
    received = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            const { track } = await sent(video.track);
            const turned = { rotation: 90, flip: true };
            return video.during(frames(track, 1, ({ rotation, flip }) => [rotation, flip]), turned);
        }"""
    )

    assert [[90, False]] == received


def test_fact_51_chrome_sends_no_rotated_frames_if_the_rotation_is_not_negotiated(page: Page) -> None:
    """Fact 51: without the RTP header extension video-orientation, frames are sent only if they are not rotated."""
    rotated, upright = page.evaluate(
        """async () => {
            const video = new PaintedVideo();
            let sender;
            await sent(video.track, (transceiver, connection) => {
                sender = connection;
                const extensions = transceiver.getHeaderExtensionsToNegotiate();
                for (const one of extensions) if (one.uri === "urn:3gpp:video-orientation") one.direction = "stopped";
                transceiver.setHeaderExtensionsToNegotiate(extensions);
            });
            await until(() => sender.connectionState === "connected");
            const framesSent = async () => {
                const statistics = [...(await sender.getStats()).values()];
                return statistics.find(({ type }) => type === "outbound-rtp")?.framesSent ?? 0;
            };
            const count = video.count;
            await video.run(() => video.count > count + 30, { rotation: 90 });
            const rotated = await framesSent();
            await video.run(async () => (await framesSent()) > 0);
            return [rotated, await framesSent()];
        }"""
    )

    assert 0 == rotated
    assert upright > 0
