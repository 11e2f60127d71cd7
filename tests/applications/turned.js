// A call between two peer connections in the same page. The sender's frames have a rotation and a flip, as on a phone;
// the test changes them by calling `turn`, and reads the videos' pixels by calling `pixels`.
const [WIDTH, HEIGHT] = [320, 180];

/** The orientation and display size of the frames, which the test changes. */
let orientation = {};
window.turn = (changed) => {
  orientation = changed;
};

/** Returns the pixels that a video shows, as RGBA and at a quarter of the size, or null before the first frame. */
window.pixels = (id) => {
  const video = document.querySelector(`#${id}`);
  const [width, height] = [video.videoWidth >> 2, video.videoHeight >> 2];
  if (!width) return null;
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(video, 0, 0, width, height);
  return { width, height, data: [...context.getImageData(0, 0, width, height).data] };
};

/** Returns an I420 frame with four quadrants: red, green, blue and yellow, in reading order. */
function quadrants(timestamp) {
  const data = new Uint8Array((WIDTH * HEIGHT * 3) / 2);
  const planes = [
    [0, 1, [81, 145, 41, 210]],
    [WIDTH * HEIGHT, 2, [90, 54, 240, 16]],
    [(WIDTH * HEIGHT * 5) / 4, 2, [240, 34, 110, 146]],
  ];
  for (const [offset, scale, samples] of planes) {
    const [width, height] = [WIDTH / scale, HEIGHT / scale];
    for (let y = 0; y < height; y += 1) {
      const [left, right] = y < height / 2 ? samples : samples.slice(2);
      const at = offset + y * width;
      data.fill(left, at, at + width / 2).fill(right, at + width / 2, at + width);
    }
  }
  const size = { codedWidth: WIDTH, codedHeight: HEIGHT };
  return new VideoFrame(data, { format: 'I420', ...size, timestamp, ...orientation });
}

const track = new MediaStreamTrackGenerator({ kind: 'video' });
const writer = track.writable.getWriter();
let count = 0;
setInterval(() => {
  const frame = quadrants((count += 1) * 33_333);
  writer.write(frame).catch(() => frame.close());
}, 33);

const [caller, callee] = [new RTCPeerConnection(), new RTCPeerConnection()];
caller.addEventListener('icecandidate', ({ candidate }) => callee.addIceCandidate(candidate));
callee.addEventListener('icecandidate', ({ candidate }) => caller.addIceCandidate(candidate));
callee.addEventListener('track', (event) => {
  document.querySelector('#remote').srcObject = new MediaStream([event.track]);
});
document.querySelector('#own').srcObject = new MediaStream([track]);
caller.addTrack(track);
await caller.setLocalDescription();
await callee.setRemoteDescription(caller.localDescription);
await callee.setLocalDescription();
await caller.setRemoteDescription(callee.localDescription);
