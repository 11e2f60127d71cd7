/* global adapter */
// A call with Janus's client library, which receives the media of all participants over one connection. If the URL
// contains `sizes`, the page sends its video in three sizes (simulcast), and otherwise in one size.
import Janus from '/lib/janus-gateway/npm/dist/janus.es.js';

const { searchParams } = new URL(location.href);
const me = searchParams.get('me');
const room = searchParams.get('room');
const state = document.querySelector('#state');
const plugin = 'janus.plugin.videoroom';
/** The ids of the participants that publish media. */
const feeds = new Set();

await new Promise((resolve) =>
  Janus.init({
    debug: ['warn', 'error'],
    dependencies: Janus.useDefaultDependencies({ adapter }),
    callback: resolve,
  }),
);
const janus = await new Promise((success, error) => {
  const session = new Janus({
    server: searchParams.get('server'),
    token: searchParams.get('token'),
    iceServers: [],
    // Shorter than our server's session timeout, so that a session survives while nothing happens.
    keepAlivePeriod: 5000,
    success: () => success(session),
    error,
  });
});
const attach = (handlers) =>
  new Promise((success, error) => janus.attach({ plugin, success, error, ...handlers }));

const tracks = [
  { type: 'audio', capture: true },
  {
    type: 'video',
    ...(searchParams.has('sizes')
      ? {
          capture: { width: 960, height: 540, frameRate: 15 },
          sendEncodings: [
            { rid: 'l', maxBitrate: 150_000, scaleResolutionDownBy: 4 },
            { rid: 'm', maxBitrate: 500_000, scaleResolutionDownBy: 2 },
            { rid: 'h', maxBitrate: 1_500_000 },
          ],
          simulcast: true,
        }
      : { capture: { width: 320, height: 180, frameRate: 15 } }),
  },
];
const publisher = await attach({
  onmessage: (message, jsep) => {
    if (jsep) publisher.handleRemoteJsep({ jsep });
    if (message.videoroom === 'joined') publish();
    subscribe((message.publishers ?? []).map(({ id }) => id));
    const removed = message.leaving ?? message.unpublished;
    if (removed) feeds.delete(removed);
    state.textContent = `with ${feeds.size}`;
  },
});
const publish = () =>
  publisher.createOffer({
    tracks,
    success: (jsep) => publisher.send({ message: { request: 'publish' }, jsep }),
  });

/** The connection over which we receive all participants' media. Renegotiations run one at a time. */
let subscriber;
let turn = Promise.resolve();
/** The streams that we receive over the connection. */
let streams = [];
let started = () => undefined;
function subscribe(added) {
  if (!added.length) return;
  for (const feed of added) feeds.add(feed);
  const newStreams = added.map((feed) => ({ feed }));
  turn = turn.then(async () => {
    const done = new Promise((resolve) => (started = resolve));
    const request = subscriber
      ? { request: 'update', subscribe: newStreams }
      : {
          request: 'join',
          room,
          ptype: 'subscriber',
          streams: newStreams,
          use_msid: searchParams.has('msid'),
        };
    subscriber ??= await attach({ onmessage, onremotetrack });
    subscriber.send({ message: request });
    await done;
  });
}
function onmessage(message, jsep) {
  if (message.started) started();
  streams = message.streams ?? streams;
  if (!jsep) return;
  const success = (answer) => subscriber.send({ message: { request: 'start' }, jsep: answer });
  subscriber.createAnswer({ jsep, tracks: [{ type: 'data' }], success });
}
function onremotetrack(track, mid, added) {
  document.getElementById(`of-${mid}`)?.remove();
  if (!added || track.kind !== 'video') return;
  const video = document.createElement('video');
  Object.assign(video, { srcObject: new MediaStream([track]), autoplay: true, muted: true, width: 320 });
  video.id = `of-${mid}`;
  document.body.append(video);
}
/** Chooses which of the three video sizes the server sends. */
globalThis.choose = (substream) => {
  const videos = streams.filter(({ type }) => type === 'video');
  const message = { request: 'configure', streams: videos.map(({ mid }) => ({ mid, substream })) };
  subscriber.send({ message });
};
await new Promise((success) =>
  publisher.send({
    // The server changes a video's size only at a keyframe, so it requests one every 2 s.
    message: { request: 'create', room, publishers: 20, videocodec: 'vp8', fir_freq: 2 },
    success,
  }),
);
publisher.send({ message: { request: 'join', room, ptype: 'publisher', display: me } });
document.querySelector('#mute').addEventListener('click', () => {
  if (publisher.isAudioMuted()) publisher.unmuteAudio();
  else publisher.muteAudio();
});
document.querySelector('#leave').addEventListener('click', () => janus.destroy({ unload: true }));
