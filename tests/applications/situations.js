// A mesh call. A participant can join with any media, and the test changes the media and connections by calling
// `situation`. The URL parameter `join` lists what a participant sends at first: camera, microphone, muted-camera
// (a video track without frames) or still (an image that is drawn once).
const { searchParams } = new URL(location.href);
const me = crypto.randomUUID();
const first = (searchParams.get('join') ?? 'camera,microphone').split(',');
const main = new MediaStream();
/** All streams that are sent, each with its tracks. */
const streams = new Set([main]);
/** The connections to each other participant, by id. */
const connections = new Map();
const others = new Set();

const camera = async () =>
  (
    await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360, frameRate: 15 } })
  ).getVideoTracks()[0];
const microphone = async () =>
  (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks()[0];

/** The functions that paint the images. */
const paintings = [];

/** Returns a video track that shows a plain image, painted once or `rate` times per second. */
function image(colour, rate = 0) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d');
  const paint = () => {
    context.fillStyle = colour;
    context.fillRect(0, 0, canvas.width, canvas.height);
  };
  const track = canvas.captureStream().getVideoTracks()[0];
  paint();
  paintings.push(paint);
  if (rate) setInterval(paint, 1000 / rate);
  return track;
}

if (first.includes('camera')) main.addTrack(await camera());
if (first.includes('still')) main.addTrack(image('orange'));
if (first.includes('microphone')) main.addTrack(await microphone());

const relay = new WebSocket(
  `${location.origin.replace('http', 'ws')}/relay/${searchParams.get('room') ?? 'situations'}`,
);
const send = (message) => relay.send(JSON.stringify({ from: me, ...message }));

/** Creates a connection to another participant. The creator of the connection makes the first offer. */
function connect(other, id, isCreator) {
  const connection = new RTCPeerConnection();
  connections.set(id, { connection, other });
  connection.addEventListener(
    'icecandidate',
    ({ candidate }) => candidate && send({ to: other, id, candidate }),
  );
  connection.addEventListener('negotiationneeded', async () => {
    if (!isCreator && !connection.remoteDescription) return;
    await connection.setLocalDescription();
    send({ to: other, id, description: connection.localDescription });
  });
  connection.addEventListener('track', () => (document.querySelector('#state').textContent = 'in a call'));
  for (const stream of streams) for (const track of stream.getTracks()) connection.addTrack(track, stream);
  if (first.includes('muted-camera')) connection.addTransceiver('video', { streams: [main] });
  return connection;
}

function close(id) {
  connections.get(id)?.connection.close();
  connections.delete(id);
}

async function receive({ from, to, hello, welcome, id, description, candidate, bye }) {
  if (hello || (welcome && to === me)) {
    if (others.has(from)) return;
    others.add(from);
    if (hello) send({ to: from, welcome: true });
    if (me < from) connect(from, `${me} 1`, true);
    return;
  }
  if (to !== me) return;
  if (bye) return close(id);
  const connection = connections.get(id)?.connection ?? connect(from, id, false);
  if (candidate) return connection.addIceCandidate(candidate).catch(() => undefined);
  await connection.setRemoteDescription(description);
  if (description.type !== 'offer') return;
  await connection.setLocalDescription();
  send({ to: from, id, description: connection.localDescription });
}

let turn = Promise.resolve();
relay.addEventListener('message', ({ data }) => {
  turn = turn.then(() => receive(JSON.parse(data)));
});
relay.addEventListener('open', () => send({ hello: true }));

const all = () => [...connections.values()].map(({ connection }) => connection);
const add = (track, stream) => {
  stream.addTrack(track);
  streams.add(stream);
  for (const connection of all()) connection.addTrack(track, stream);
};
const remove = (track) => {
  track.stop();
  for (const stream of streams) stream.removeTrack(track);
  for (const connection of all()) {
    const sender = connection.getSenders().find((one) => one.track === track);
    if (sender) connection.removeTrack(sender);
  }
};

window.situation = {
  /** Paints all images again. Chrome sends an image only if it is painted while the connection is established. */
  paint: () => paintings.forEach((paint) => paint()),
  /** Adds the camera to the running call. */
  addCamera: async () => add(await camera(), main),
  /** Adds the microphone to the running call. */
  addMicrophone: async () => add(await microphone(), main),
  /** Removes the camera from the call. */
  removeCamera: () => main.getVideoTracks().forEach(remove),
  /** Mutes or unmutes the microphone. */
  setMicrophone: (on) => main.getAudioTracks().forEach((track) => (track.enabled = on)),
  /** Sends a magenta image in a stream of its own, in addition to the camera. */
  addImage: (rate) => add(image('magenta', rate), new MediaStream()),
  /** Shares the screen, with or without a tab's audio, in addition to the camera. */
  shareScreen: async (audio) => {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio });
    const shared = new MediaStream();
    for (const track of stream.getTracks()) add(track, shared);
    window.situation.stopSharing = () => stream.getTracks().forEach(remove);
  },
  /** Replaces each connection with a new one, which is established before the old one is closed. */
  migrate: async () => {
    for (const [id, { other }] of [...connections]) {
      const fresh = connect(other, `${id} again`, true);
      while (fresh.connectionState !== 'connected') await new Promise((resolve) => setTimeout(resolve, 50));
      await new Promise((resolve) => setTimeout(resolve, 1500));
      send({ to: other, id, bye: true });
      close(id);
    }
  },
  /** Hangs up. */
  hangUp: () => {
    for (const id of [...connections.keys()]) close(id);
    for (const stream of streams) for (const track of stream.getTracks()) track.stop();
  },
  /** Opens a connection that has only a data channel. */
  openDataChannel: async () => {
    const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
    one.createDataChannel('probe');
    one.addEventListener('icecandidate', ({ candidate }) => two.addIceCandidate(candidate));
    two.addEventListener('icecandidate', ({ candidate }) => one.addIceCandidate(candidate));
    await one.setLocalDescription();
    await two.setRemoteDescription(one.localDescription);
    await two.setLocalDescription();
    await one.setRemoteDescription(two.localDescription);
    while (one.connectionState !== 'connected') await new Promise((resolve) => setTimeout(resolve, 50));
  },
};
