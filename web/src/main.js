/** The root of our own page: builds the parts, gives them to a Client, and hands that to people, NERTC code and Python. */

import { Client } from './client.js';
import { CameraMedia } from './media/camera.js';
import { SyntheticMedia } from './media/synthetic.js';
import { grid } from './mixer/layout.js';
import { Mixer } from './mixer/mixer.js';
import { nertc } from './nertc.js';
import { download } from './recorder/download.js';
import { Recorder } from './recorder/recorder.js';
import { Spool } from './recorder/spool.js';
import { Mesh } from './room/mesh.js';
import { Room } from './room/room.js';
import { Signaling } from './room/signaling.js';
import { driven } from './driven.js';
import { View } from './view.js';

/** @param {string} path */
const socket = (path) => new URL(path, location.href.replace(/^http/, 'ws')).href;

const createClient = () =>
  new Client({
    createRoom: () => new Room(new Signaling(socket('/signal')), (options) => new Mesh(options)),
    openMedia: (kind, options) =>
      kind === 'camera' ? CameraMedia.open() : Promise.resolve(new SyntheticMedia(options)),
    createMixer: (plan) => new Mixer(plan),
    createSpool: () => new Spool(socket('/spool')),
    createRecorder: (stream, spool, plan) => new Recorder(stream, spool, plan),
    tileSize: (tiles, { width, height, frameRate }) => {
      const [tile] = grid(tiles, width, height);
      return { width: tile?.width ?? width, height: tile?.height ?? height, frameRate };
    },
    download,
  });

const client = createClient();
const page = /** @type {Window & {NERTC?: unknown, client?: Client, harness?: unknown}} */ (window);
page.NERTC = nertc(createClient);
page.client = client;
page.harness = driven(client);
// Python drives pages that nobody watches; those draw nothing and so cost nothing.
if (new URLSearchParams(location.search).get('view') !== 'off') new View(document, client).show();
