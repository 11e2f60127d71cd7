"""Measure how much video this machine can encode, by giving Chrome's MediaRecorder more frames than it can handle."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from harness.recording.files.frame_count import count_frames

if TYPE_CHECKING:
    from playwright.sync_api import Page

_WIDTH: Final = 1280
_HEIGHT: Final = 720
_FRAME_RATE: Final = 30
_BITS_PER_SECOND: Final = 2_500_000
_SECONDS: Final = 1.2
# The test frames resemble a room's video: a quarter of the area moves, and the rest is static apart from noise. An
# encoder that gets too many frames drops some of them or makes the writer wait, so the number of encoded frames shows
# its capacity.
_RECORD: Final = """async ({ mimeType, width, height, bits, seconds }) => {
    const size = (width * height * 3) / 2;
    const frames = Array.from({ length: 12 }, (_, number) => {
        const pixels = new Uint8Array(size).fill(128);
        for (let y = 0; y < height; y += 1) {
            for (let x = 0; x < width; x += 1) {
                const moves = x < width / 2 && y < height / 2;
                const shifted = moves ? x + 6 * number : x;
                const texture = ((shifted * 73856093) ^ (y * 19349663)) & (moves ? 63 : 3);
                pixels[y * width + x] = 60 + ((x + y) >> 4) + texture;
            }
        }
        return pixels;
    });
    const track = new MediaStreamTrackGenerator({ kind: 'video' });
    const writer = track.writable.getWriter();
    const chunks = [];
    const recorder = new MediaRecorder(new MediaStream([track]), { mimeType, videoBitsPerSecond: bits });
    recorder.addEventListener('dataavailable', ({ data }) => chunks.push(data));
    let number = 0;
    const write = () => {
        const options = { format: 'I420', codedWidth: width, codedHeight: height, timestamp: number * 4000 };
        number += 1;
        return writer.write(new VideoFrame(frames[number % frames.length], options));
    };
    const begun = new Promise((resolve) => recorder.addEventListener('start', resolve, { once: true }));
    recorder.start(100);
    await write();
    await begun;
    const start = performance.now();
    while (performance.now() < start + seconds * 1000) {
        await write();
        await new Promise((resolve) => setTimeout(resolve, 3));
    }
    const took = (performance.now() - start) / 1000;
    const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve, { once: true }));
    recorder.stop();
    await stopped;
    track.stop();
    const reader = new FileReader();
    const read = new Promise((resolve) => reader.addEventListener('load', resolve, { once: true }));
    reader.readAsDataURL(new Blob(chunks));
    await read;
    return { took, data: reader.result.slice(reader.result.indexOf(',') + 1) };
}"""


def capacity(page: Page, mime_type: str) -> float:
    """Return how fast this machine encodes 720p30, as a multiple of real time; below 1 is too slow to record."""
    options = {
        "mimeType": mime_type,
        "width": _WIDTH,
        "height": _HEIGHT,
        "bits": _BITS_PER_SECOND,
        "seconds": _SECONDS,
    }
    answer = page.evaluate(_RECORD, options)
    took: float = answer["took"]
    return round(count_frames(base64.b64decode(answer["data"])) / took / _FRAME_RATE, 1)
