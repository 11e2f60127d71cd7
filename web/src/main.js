/**
 * The main module of our own page: builds a client from its parts and makes the client available to the View, to NERTC
 * programs and to Python. Parts that many pages don't use are loaded only when they are needed.
 */

import { Client } from './client/client.js';
import { keepCollecting } from './shared/memory.js';
import { SyntheticMedia } from './media/synthetic.js';
import { tileSizes } from './mixer/video/layout.js';
import { Mixer } from './mixer/mixer.js';
import { nertc } from './entry/nertc.js';
import { download } from './recorder/download.js';
import { Recorder } from './recorder/recorder.js';
import { Spool } from './recorder/spool.js';
import { fallbacksInUse, unsupported } from './client/support.js';
import { Mesh } from './room/transport/mesh.js';
import { Room } from './room/room.js';
import { Signaling } from './room/signaling.js';
import { pythonCalls } from './entry/python.js';

/** @param {string} path */
const socket = (path) => new URL(path, location.href.replace(/^http/, 'ws')).href;

const createClient = () =>
  new Client({
    unsupported,
    fallbacks: () => fallbacksInUse(),
    createRoom: () =>
      new Room(new Signaling(socket('/signal')), async (options) => {
        const { sfu } = options;
        return sfu
          ? new (await import('./room/transport/janus.js')).Janus({ ...options, sfu })
          : new Mesh(options);
      }),
    openMedia: async (kind, options) => {
      if (kind === 'camera') return (await import('./media/camera.js')).CameraMedia.open(options.devices);
      if (!options.videoFile) return new SyntheticMedia(options);
      return (await import('./media/video-file.js')).VideoFileMedia.open(options.videoFile);
    },
    createMixer: (plan) => new Mixer(plan),
    createSpool: () => new Spool(socket('/spool')),
    createRecorder: (stream, spool, plan) => new Recorder(stream, spool, plan),
    tileSizes,
    download,
  });

const page = /** @type {Window & {NERTC?: unknown, client?: Client, harness?: unknown}} */ (window);

/**
 * Creates a client as described in NERTC's guide. After joining, the client is available as `window.client`.
 */
const createOwn = () => {
  const made = createClient();
  made.listen('joined', () => {
    page.client = made;
  });
  return made;
};

/**
 * Returns the storage for the user's choices: localStorage or, if the browser blocks it, a map that lasts until the
 * page closes.
 *
 * @returns {Pick<Storage, 'getItem' | 'setItem'>}
 */
function choiceStorage() {
  try {
    return localStorage;
  } catch {
    /** @type {Map<string, string>} */
    const values = new Map();
    return {
      getItem: (key) => values.get(key) ?? null,
      setItem: (key, value) => void values.set(key, value),
    };
  }
}

keepCollecting();
const client = createOwn();
page.NERTC = nertc(createOwn);
let shown = false;
const show = async () => {
  if (shown) return;
  shown = true;
  const [{ View }, { Language }, { Library }, { Viewer }] = await Promise.all([
    import('./view/view.js'),
    import('./view/language/language.js'),
    import('./library/library.js'),
    import('./library/viewer.js'),
  ]);
  const viewer = new Viewer(() => new Signaling(socket('/signal')));
  const token = () => (client.state === 'joined' && client.room ? client.room.spoolToken : viewer.token);
  const library = new Library(token, download);
  const language = new Language(document, navigator.languages, choiceStorage());
  new View(document, client, viewer, library, language, unsupported()).show();
};
page.harness = { ...pythonCalls(client), show };
// To save CPU time, a page that only Python uses draws nothing until Python calls `show`.
if (new URLSearchParams(location.search).get('view') !== 'off') void show();
