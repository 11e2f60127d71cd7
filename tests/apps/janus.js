/* global adapter */
// A call by Janus's own client: three sizes of a picture to the server (simulcast), and everybody by one connection from it.
import Janus from '/lib/janus-gateway/npm/dist/janus.es.js';

const { searchParams } = new URL(location.href);
const me = searchParams.get('me');
const room = searchParams.get('room');
const state = document.querySelector('#state');
const plugin = 'janus.plugin.videoroom';
/** Who sends something, by id. */
const feeds = new Set();

await new Promise((resolve) =>
  Janus.init({
    debug: ['warn', 'error'],
    dependencies: Janus.useDefaultDependencies({ adapter }),
    callback: resolve,
  }),
);
const janus = await new Promise((success, error) => {
  const made = new Janus({
    server: searchParams.get('server'),
    token: searchParams.get('token'),
    iceServers: [],
    success: () => success(made),
    error,
  });
});
const attach = (handlers) =>
  new Promise((success, error) => janus.attach({ plugin, success, error, ...handlers }));

const tracks = [
  { type: 'audio', capture: true },
  {
    type: 'video',
    capture: { width: 1280, height: 720 },
    sendEncodings: [
      { rid: 'l', maxBitrate: 150_000, scaleResolutionDownBy: 4 },
      { rid: 'm', maxBitrate: 500_000, scaleResolutionDownBy: 2 },
      { rid: 'h', maxBitrate: 1_500_000 },
    ],
    simulcast: true,
  },
];
const publisher = await attach({
  onmessage: (message, jsep) => {
    if (jsep) publisher.handleRemoteJsep({ jsep });
    if (message.videoroom === 'joined') publish();
    for (const { id } of message.publishers ?? []) void subscribe(id);
    const gone = message.leaving ?? message.unpublished;
    if (gone) feeds.delete(gone);
    state.textContent = `with ${feeds.size}`;
  },
});
const publish = () =>
  publisher.createOffer({
    tracks,
    success: (jsep) => publisher.send({ message: { request: 'publish' }, jsep }),
  });

/** The one connection for everybody. */
let subscriber;
async function subscribe(feed) {
  feeds.add(feed);
  const streams = [{ feed }];
  if (subscriber) {
    (await subscriber).send({ message: { request: 'update', subscribe: streams } });
    return;
  }
  subscriber = attach({
    onmessage: async (_, jsep) => {
      if (!jsep) return;
      const handle = await subscriber;
      const success = (answer) => handle.send({ message: { request: 'start' }, jsep: answer });
      handle.createAnswer({ jsep, tracks: [{ type: 'data' }], success });
    },
    onremotetrack: (track, mid, on) => {
      document.getElementById(`of-${mid}`)?.remove();
      if (!on || track.kind !== 'video') return;
      const video = document.createElement('video');
      Object.assign(video, { srcObject: new MediaStream([track]), autoplay: true, muted: true, width: 320 });
      video.id = `of-${mid}`;
      document.body.append(video);
    },
  });
  const handle = await subscriber;
  handle.send({
    message: { request: 'join', room, ptype: 'subscriber', streams, use_msid: searchParams.has('msid') },
  });
}
// Which of the three sizes comes from the server.
globalThis.choose = async (substream) =>
  (await subscriber).send({ message: { request: 'configure', streams: [{ mid: '1', substream }] } });
await new Promise((success) =>
  publisher.send({ message: { request: 'create', room, publishers: 20, videocodec: 'vp8' }, success }),
);
publisher.send({ message: { request: 'join', room, ptype: 'publisher', display: me } });
document.querySelector('#mute').addEventListener('click', () => {
  if (publisher.isAudioMuted()) publisher.unmuteAudio();
  else publisher.muteAudio();
});
document.querySelector('#leave').addEventListener('click', () => janus.destroy({ unload: true }));
