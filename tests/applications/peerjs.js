/* global peerjs */
// A call between two participants through PeerJS and its own server. In the URL, `port` is the server's port, and
// `call` is the participant to call.
const { searchParams } = new URL(location.href);
const state = document.querySelector('#state');
const stream = await navigator.mediaDevices.getUserMedia({
  audio: true,
  video: { width: 640, height: 360, frameRate: 15 },
});
const peer = new peerjs.Peer(searchParams.get('me'), {
  host: 'localhost',
  port: Number(searchParams.get('port')),
  path: '/peers',
  secure: false,
  config: { iceServers: [] },
});

function show(call) {
  call.on('stream', (theirs) => {
    const video = document.createElement('video');
    Object.assign(video, { srcObject: theirs, autoplay: true, muted: true, width: 320 });
    document.body.append(video);
    state.textContent = 'talking';
  });
  call.on('close', () => (state.textContent = 'over'));
  document.querySelector('#hang-up').addEventListener('click', () => call.close());
  // Replaces the camera's track, as an application does if it stops the track while the camera is off.
  document.querySelector('#camera').addEventListener('click', async () => {
    const replacement = await navigator.mediaDevices.getUserMedia({
      video: { width: 640, height: 360, frameRate: 15 },
    });
    const sender = call.peerConnection.getSenders().find(({ track }) => track?.kind === 'video');
    sender.track.stop();
    await sender.replaceTrack(replacement.getVideoTracks()[0]);
    state.textContent = 'another camera';
  });
}

peer.on('call', (call) => {
  call.answer(stream);
  show(call);
});
peer.on('open', () => {
  state.textContent = 'ready';
  const other = searchParams.get('call');
  if (other) show(peer.call(other, stream));
});
document.querySelector('#mute').addEventListener('click', () => {
  for (const track of stream.getAudioTracks()) track.enabled = !track.enabled;
});
