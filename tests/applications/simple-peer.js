/* global SimplePeer */
// A mesh call with simple-peer. A new participant sends a hello message to everybody. In each pair of participants, the
// one with the greater id starts the call.
const { searchParams } = new URL(location.href);
const me = crypto.randomUUID();
const peers = new Map();
const state = document.querySelector('#state');

const stream = await navigator.mediaDevices.getUserMedia({
  audio: true,
  video: { width: 640, height: 360, frameRate: 15 },
});
const relay = new WebSocket(
  `${location.origin.replace('http', 'ws')}/relay/${searchParams.get('room') ?? 'room'}`,
);
const send = (message) => relay.send(JSON.stringify({ from: me, ...message }));

function call(other, initiator) {
  const peer = new SimplePeer({ initiator, stream });
  peers.set(other, peer);
  peer.on('signal', (signal) => send({ to: other, signal }));
  peer.on('stream', (theirs) => {
    const video = document.createElement('video');
    Object.assign(video, { srcObject: theirs, autoplay: true, muted: true, width: 320 });
    video.id = `of-${other}`;
    document.body.append(video);
    state.textContent = `with ${peers.size}`;
  });
  peer.on('error', () => undefined);
  peer.on('close', () => {
    peers.delete(other);
    document.getElementById(`of-${other}`)?.remove();
    state.textContent = `with ${peers.size}`;
  });
  return peer;
}

relay.addEventListener('open', () => send({ hello: true }));
relay.addEventListener('message', ({ data }) => {
  const { from, to, hello, welcome, signal } = JSON.parse(data);
  if (hello && me < from) send({ to: from, welcome: true });
  else if ((hello || (welcome && to === me)) && !peers.has(from)) call(from, true);
  else if (signal && to === me) (peers.get(from) ?? call(from, false)).signal(signal);
});
document.querySelector('#mute').addEventListener('click', () => {
  for (const track of stream.getAudioTracks()) track.enabled = !track.enabled;
});
document.querySelector('#hang-up').addEventListener('click', () => {
  for (const peer of peers.values()) peer.destroy();
  for (const track of stream.getTracks()) track.stop();
  state.textContent = 'over';
});
