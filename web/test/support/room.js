/** Our own room with a fake mesh, and with a fake server at the other end of the signaling connection. */

import assert from 'node:assert/strict';

import { Room } from '../../src/room/room.js';
import { RoomClock } from '../../src/shared/clock.js';
import { Emitter } from '../../src/shared/events.js';
import { settled } from './globals.js';

/** @typedef {import('../../src/room/signaling.js').Signaling} Signaling */
/** @typedef {import('../../src/room/transport/mesh.js').Mesh} Mesh */

export const SMALL = { width: 320, height: 180, frameRate: 15 };
export const LARGE = { width: 1280, height: 720, frameRate: 30 };

/** @param {string} name @param {Partial<MemberInfo>} [facts] @returns {MemberInfo} */
export const member = (name, facts) => ({
  id: `id of ${name}`,
  name,
  marker: 1,
  audio: true,
  video: true,
  screen: false,
  subscriptions: null,
  ...facts,
});

/**
 * The fake server at the other end of the signaling connection: it records our messages and sends messages to us.
 *
 * @extends {Emitter<{message: FromServer, clock: void, resumed: void, closed: void}>}
 */
export class FakeSignaling extends Emitter {
  clock = new RoomClock();
  /** @type {ToServer[]} */
  sent = [];
  /** @type {PromiseWithResolvers<Extract<FromServer, {type: 'welcome'}>>} */
  welcome = Promise.withResolvers();
  closed = false;

  open() {
    return this.welcome.promise;
  }

  /** @param {ToServer} message */
  send(message) {
    this.sent.push(message);
  }

  close() {
    this.closed = true;
  }

  /** @param {FromServer} message */
  async deliver(message) {
    this.emit('message', message);
    await settled();
  }

  /** Returns the sent messages that have this type. @param {string} type */
  of(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

/**
 * Fake connections to the other participants, which deliver media when the test requests it.
 *
 * @extends {Emitter<TransportEvents>}
 */
export class FakeMesh extends Emitter {
  /** @type {unknown[]} */
  calls = [];
  /** Each participant's statistics. @type {Map<string, Record<string, unknown>[]>} */
  reports = new Map();
  /** The travel times of each participant's video and audio. @type {Map<string, {video?: number, audio?: number}>} */
  travels = new Map();

  /** @param {TransportOptions} options */
  constructor(options) {
    super();
    this.options = options;
  }

  /** @param {{marker: number}} entrant */
  enter({ marker }) {
    return Promise.resolve(marker);
  }

  subscribe() {
    return undefined;
  }

  announce() {
    return undefined;
  }

  /** @param {string} id */
  travelTimes(id) {
    return this.travels.get(id) ?? {};
  }

  /** @param {string} id @param {VideoSize | null} size */
  async setRequestedSize(id, size) {
    await settled();
    this.calls.push(['setRequestedSize', id, size]);
  }

  /** @param {unknown} stream @param {() => VideoSize} size */
  async publish(stream, size) {
    await settled();
    this.calls.push(['publish', stream, size()]);
  }

  /** @param {string} from @param {SignalData} data */
  async handleSignal(from, data) {
    await settled();
    this.calls.push(['handle', from, data]);
  }

  /** @param {string} id */
  remove(id) {
    this.calls.push(['remove', id]);
  }

  async refit() {
    await settled();
    this.calls.push(['refit']);
  }

  reconnect() {
    this.calls.push(['reconnect']);
  }

  /** @param {string} id */
  async stats(id) {
    await settled();
    const reports = this.reports.get(id);
    return reports ? new Map(reports.map((report, index) => [String(index), report])) : null;
  }

  close() {
    this.calls.push(['close']);
  }

  /** Delivers a participant's first frame and audio. @param {string} id */
  deliver(id) {
    this.reports.set(id, [
      { type: 'inbound-rtp', kind: 'video', framesDecoded: 1 },
      { type: 'inbound-rtp', kind: 'audio', packetsReceived: 1 },
    ]);
  }
}

export const HELLO = {
  token: null,
  room: null,
  name: 'alice',
  code: null,
  media: 'synthetic',
  subscriptions: null,
};

/**
 * Returns a room that Alice has joined and that contains these participants.
 *
 * @param {MemberInfo[]} members
 * @param {Subscriptions} [subscriptions]
 */
export async function enter(members, subscriptions = null) {
  const signaling = new FakeSignaling();
  /** @type {FakeMesh[]} */
  const meshes = [];
  const room = new Room(/** @type {Signaling} */ (/** @type {unknown} */ (signaling)), (options) => {
    const mesh = new FakeMesh(options);
    meshes.push(mesh);
    return /** @type {Mesh} */ (/** @type {unknown} */ (mesh));
  });
  /** @type {string[]} */
  const events = [];
  for (const type of /** @type {const} */ ([
    'joined',
    'left',
    'track',
    'state',
    'received',
    'disconnected',
    'reconnected',
  ]))
    room.listen(type, ({ name }) => events.push(`${type} ${name}`));
  for (const type of /** @type {const} */ (['requested', 'clock', 'closed']))
    room.listen(type, () => events.push(type));
  const joined = room.join({ ...HELLO, subscriptions });
  signaling.welcome.resolve({
    type: 'welcome',
    id: 'me',
    room: 'daily',
    name: 'alice 2',
    marker: 4,
    members,
    spool_token: 's',
    resume: 'r',
    recordings: null,
    ice_servers: [{ urls: 'stun:x' }],
    ice_policy: 'all',
    sfu: null,
  });
  await joined;
  const mesh = meshes[0] ?? assert.fail('no mesh');
  return { room, signaling, mesh, events };
}

export const media = /** @type {LocalMedia} */ (
  /** @type {unknown} */ ({ stream: 'our stream', size: LARGE })
);
