/** The root of somebody else's page: builds the parts for it, and hands them to Python. The page itself sees nothing. */

import { AppMedia } from './app/media.js';
import { AppRoom } from './app/room.js';
import { Client } from './client.js';
import { driven } from './driven.js';
import { keepCollecting } from './garbage.js';
import { SyntheticMedia } from './media/synthetic.js';
import { tileSizes } from './mixer/layout.js';
import { Mixer } from './mixer/mixer.js';
import { download } from './recorder/download.js';
import { Recorder } from './recorder/recorder.js';
import { Spool } from './recorder/spool.js';
import { Signaling } from './room/signaling.js';
import { unsupported } from './support.js';

/**
 * A frame that goes to another address loses its call, even where that is a download: the page around it goes instead.
 *
 * @param {{url: string, name: string}} address
 * @param {string} key by which the page's hooks know us
 */
function fetched(address, key) {
  if (window === window.top) return download(address);
  window.top?.postMessage({ recordingHarness: key, ...address }, '*');
  return Promise.resolve();
}

/**
 * @param {AppHooks} hooks
 * @param {AttachOptions} options
 */
export async function attach(hooks, { url, key, token, media }) {
  const socket = (/** @type {string} */ path) => new URL(path, url.replace(/^http/, 'ws')).href;
  // Who may open a socket from another origin is known by the key, which no address holds.
  const protocols = ['recording-harness', key];
  const client = new Client({
    unsupported,
    createRoom: () => new AppRoom(new Signaling(socket('/signal'), protocols), hooks),
    openMedia: (_, options) =>
      Promise.resolve(new AppMedia(hooks, media === 'synthetic' ? new SyntheticMedia(options) : null)),
    createMixer: (plan) => new Mixer(plan),
    createSpool: () => new Spool(socket('/spool'), protocols),
    createRecorder: (stream, spool, plan) => new Recorder(stream, spool, plan),
    tileSizes,
    download: ({ url: path, name }) => fetched({ url: new URL(path, url).href, name }, key),
  });
  keepCollecting();
  await client.join({ token, media: media === 'synthetic' ? 'synthetic' : 'app' });
  return { ...driven(client), name: client.name };
}
