/**
 * The main module on another application's page: builds a client from its parts and returns the calls that Python can
 * make. The page's own scripts have no access to the client.
 */

import { ApplicationMedia } from './application/media.js';
import { ApplicationRoom } from './application/room.js';
import { Client } from './client/client.js';
import { pythonCalls } from './entry/python.js';
import { keepCollecting } from './shared/memory.js';
import { readFile } from './media/read-file.js';
import { SyntheticDevices } from './media/synthetic-devices.js';
import { VideoFileDevices } from './media/video-file-devices.js';
import { VideoFileMedia } from './media/video-file.js';
import { tileSizes } from './mixer/video/layout.js';
import { Mixer } from './mixer/mixer.js';
import { download } from './recorder/download.js';
import { Recorder } from './recorder/recorder.js';
import { Spool } from './recorder/spool.js';
import { Signaling } from './room/signaling.js';
import { fallbacksInUse, isAudioBlocked, unsupported } from './client/support.js';

/**
 * @param {ApplicationHooks} hooks
 * @param {AttachOptions} options
 */
export async function attach(hooks, { url, key, token, media, videoFile }) {
  const socket = (/** @type {string} */ path) => new URL(path, url.replace(/^http/, 'ws')).href;
  // The key allows a page from another origin to open our sockets. The key is sent as a subprotocol, never in a URL.
  const protocols = ['recording-harness', key];
  // The virtual microphone and the playback of remote audio need permission to play audio (Chrome fact 6).
  const mustActivate = await isAudioBlocked();
  if (mustActivate) await hooks.activate();
  const client = new Client({
    unsupported,
    fallbacks: () => fallbacksInUse(mustActivate),
    createRoom: () => new ApplicationRoom(new Signaling(socket('/signal'), protocols), hooks),
    openMedia: async (_, options) => {
      if (!videoFile)
        return new ApplicationMedia(hooks, media === 'synthetic' ? new SyntheticDevices(options) : null);
      const file = await playVideoFile(new URL(videoFile, url).href);
      return new ApplicationMedia(hooks, new VideoFileDevices(file));
    },
    createMixer: (plan) => new Mixer(plan),
    createSpool: () => new Spool(socket('/spool'), protocols),
    createRecorder: (stream, spool, plan) => new Recorder(stream, spool, plan),
    tileSizes,
    // Chrome fact 40: a download link fires `beforeunload`, which may make the page hang up. A download in a frame
    // would avoid this, but the page's content security policy may forbid frames. Use a new window instead, which
    // closes when the download begins.
    download: ({ url: path, name }) => download({ url: new URL(path, url).href, name }, '_blank'),
  });
  keepCollecting();
  await client.join({ token, media: media === 'synthetic' ? 'synthetic' : 'application' });
  return pythonCalls(client);
}

/**
 * Plays a video file from our server. If a test's route, a service worker or an extra header stops the request, the file
 * is read over a WebSocket instead, which takes longer.
 *
 * @param {string} address
 */
async function playVideoFile(address) {
  try {
    return await VideoFileMedia.open(address);
  } catch (error) {
    const blob = await readFile(address).catch(() => null);
    const media = blob && (await VideoFileMedia.open(URL.createObjectURL(blob)).catch(() => null));
    if (!media) throw error;
    return media;
  }
}
