/** A client with a fake room, fake media and fake recording stages. */

import { Client } from '../../src/client/client.js';
import { RoomClock } from '../../src/shared/clock.js';
import { Emitter } from '../../src/shared/events.js';
import { replaceGlobal, settled } from './globals.js';
import { FakeMixer, FakeRecorder, FakeSpool, Log } from './stages.js';

/** @typedef {import('../../src/client/client.js').Parts} Parts */

export const LARGE = { width: 1280, height: 720, frameRate: 30 };

/** A device's track. */
export class FakeTrack extends EventTarget {
  enabled = true;
  stopped = false;

  /** @param {'audio' | 'video'} kind @param {string} [label] */
  constructor(kind, label = kind) {
    super();
    this.kind = kind;
    this.label = label;
  }

  stop() {
    this.stopped = true;
  }
}

/** A participant's fake media. */
export class FakeMedia {
  kind = 'synthetic';
  size = LARGE;
  closed = false;
  /** @type {VideoSize[]} */
  fitted = [];
  offset = 0;
  tracks = [new FakeTrack('video'), new FakeTrack('audio')];
  stream = {
    getTracks: () => this.tracks,
    getVideoTracks: () => this.tracks.filter(({ kind }) => kind === 'video'),
    getAudioTracks: () => this.tracks.filter(({ kind }) => kind === 'audio'),
  };

  /** @param {number} offset */
  setClock(offset) {
    this.offset = offset;
  }

  /** @param {VideoSize} size */
  fit(size) {
    this.fitted.push(size);
  }

  /** @param {boolean} on */
  async share(on) {
    await settled();
    return this.#put(new FakeTrack('video', on ? 'screen' : 'camera'));
  }

  /** @param {'audio' | 'video'} kind */
  async replace(kind) {
    await settled();
    return this.#put(new FakeTrack(kind, 'another'));
  }

  async close() {
    await settled();
    this.closed = true;
  }

  /** @param {FakeTrack} fresh */
  #put(fresh) {
    this.tracks = [...this.tracks.filter(({ kind }) => kind !== fresh.kind), fresh];
    return fresh;
  }
}

/**
 * A fake room with the properties and methods that the client uses.
 *
 * @extends {Emitter<CallRoomEvents>}
 */
export class FakeRoom extends Emitter {
  id = 'me';
  name = 'alice';
  marker = 3;
  spoolToken = 'spool token';
  presenceFromServer = true;
  clock = new RoomClock();
  /** @type {Map<string, unknown>} */
  participants = new Map();
  /** @type {unknown} */
  hello = null;
  /** @type {Error | null} */
  arrival = null;
  /** @type {Subscriptions[]} */
  subscriptions = [];
  /** @type {unknown[]} */
  announced = [];
  /** @type {[FakeTrack, FakeTrack][]} */
  replaced = [];
  left = false;
  /** The join events that the page adds to a recording. @type {PresenceEntry[]} */
  joins = [];

  /** @param {unknown} hello */
  async join(hello) {
    this.hello = hello;
    await settled();
  }

  publish() {
    return settled();
  }

  /**
   * The error to throw if nothing can be recorded, for example on another application's page before a call starts.
   *
   * @type {Error | null}
   */
  refusal = null;

  checkRecordable() {
    if (this.refusal) throw this.refusal;
  }

  async allReceived() {
    await settled();
    if (this.arrival) throw this.arrival;
  }

  /** @param {Subscriptions} subscriptions */
  subscribe(subscriptions) {
    this.subscriptions.push(subscriptions);
  }

  /** @param {unknown} state */
  announce(state) {
    this.announced.push(state);
  }

  /** @param {FakeTrack} before @param {FakeTrack} fresh */
  async replaceTrack(before, fresh) {
    await settled();
    this.replaced.push([before, fresh]);
  }

  requestedSize() {
    return null;
  }

  refit() {
    return settled();
  }

  skew() {
    return Promise.resolve(0);
  }

  presence() {
    return this.joins;
  }

  statistics() {
    return Promise.resolve([]);
  }

  leave() {
    this.left = true;
  }

  /** Adds a participant. @param {string} name */
  enter(name) {
    const member = {
      id: `id of ${name}`,
      name,
      videoTrack: null,
      audioTrack: null,
      info: { video: true, audio: true, screen: false },
    };
    this.participants.set(member.id, member);
    this.emit('joined', /** @type {CallParticipant} */ (member));
    return member;
  }
}

/** @param {import('node:test').TestContext} context */
export function setUp(context) {
  replaceGlobal(context, 'MediaRecorder', { isTypeSupported: () => true });
  const log = new Log();
  const room = new FakeRoom();
  const media = new FakeMedia();
  /** @type {{mixer: FakeMixer, spool: FakeSpool, recorder: FakeRecorder}[]} */
  const stages = [];
  const parts = {
    /** @type {() => string | null} */
    unsupported: () => null,
    fallbacks: () => [],
    createRoom: () => room,
    /** @type {() => Promise<FakeMedia>} */
    openMedia: () => Promise.resolve(media),
    createMixer: () => {
      const number = stages.length + 1;
      stages.push({
        mixer: new FakeMixer(log, `mixer${number}`),
        spool: new FakeSpool(log, `spool${number}`),
        recorder: new FakeRecorder(log, `recorder${number}`),
      });
      return stages.at(-1)?.mixer;
    },
    createSpool: () => stages.at(-1)?.spool,
    createRecorder: () => stages.at(-1)?.recorder,
    tileSizes: (/** @type {string[]} */ ids) => Object.fromEntries(ids.map((id) => [id, LARGE])),
    download: (/** @type {{url: string}} */ { url }) => log.lines.push(`download ${url}`),
  };
  const client = new Client(/** @type {Parts} */ (/** @type {unknown} */ (parts)));
  /** @type {string[]} */
  const events = [];
  for (const name of ['started', 'paused', 'resumed', 'stopped', 'downloaded', 'cleaned', 'failed']) {
    client.addEventListener(`recording-${name}`, () => events.push(name));
  }
  // Discard the recording, since its timers run as long as it is in progress.
  context.after(() => client.cleanMediaRecording().catch(() => undefined));
  return { client, room, media, stages, parts, log, events };
}

/** Returns a client that has joined a room. @param {import('node:test').TestContext} context */
export async function joined(context) {
  const made = setUp(context);
  await made.client.join({ name: 'alice' });
  return made;
}
