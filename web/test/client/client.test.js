import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Client } from '../../src/client/client.js';
import { RoomClock } from '../../src/shared/clock.js';
import { Emitter } from '../../src/shared/events.js';
import { allSettled, replaceGlobal, settled } from '../support/globals.js';
import { FakeMixer, FakeRecorder, FakeSpool, Log } from '../support/stages.js';

/** @typedef {import('../../src/client/client.js').Parts} Parts */

const LARGE = { width: 1280, height: 720, frameRate: 30 };

/** A device's track. */
class FakeTrack extends EventTarget {
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

/** The media of one participant. */
class FakeMedia {
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
 * The room as the client knows it.
 *
 * @extends {Emitter<CallRoomEvents>}
 */
class FakeRoom extends Emitter {
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
  /** Joins that the recording takes from the page. @type {PresenceEntry[]} */
  joins = [];

  /** @param {unknown} hello */
  async join(hello) {
    this.hello = hello;
    await settled();
  }

  publish() {
    return settled();
  }

  /** Why nothing can be recorded here now, as in somebody else's page without a call. @type {Error | null} */
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

  /** Lets somebody come. @param {string} name */
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
function setUp(context) {
  replaceGlobal(context, 'MediaRecorder', { isTypeSupported: () => true });
  const log = new Log();
  const room = new FakeRoom();
  const media = new FakeMedia();
  /** @type {{mixer: FakeMixer, spool: FakeSpool, recorder: FakeRecorder}[]} */
  const stages = [];
  const parts = {
    /** @type {() => string | null} */
    unsupported: () => null,
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
  // What still records keeps watching itself.
  context.after(() => client.cleanMediaRecording().catch(() => undefined));
  return { client, room, media, stages, parts, log, events };
}

/** Somebody in a room. @param {import('node:test').TestContext} context */
async function joined(context) {
  const made = setUp(context);
  await made.client.join({ name: 'alice' });
  return made;
}

describe('joining', () => {
  test('enters the room and sends the media', async (context) => {
    const { client, room } = setUp(context);

    const answer = await client.join({ name: 'alice', token: 't', media: 'camera' });

    assert.deepEqual({ id: 'me', marker: 3, name: 'alice' }, answer);
    assert.deepEqual(
      { token: 't', room: null, name: 'alice', code: null, media: 'camera', subscriptions: null },
      room.hello,
    );
    assert.equal('joined', client.state);
  });

  test('accepts NERTC’s option names', async (context) => {
    const { client, room } = setUp(context);

    await client.join({ channelName: 'daily', uid: 17 });

    const { room: channel, name } = /** @type {Record<string, unknown>} */ (room.hello);
    assert.deepEqual(['daily', '17'], [channel, name]);
  });

  test('twice is refused', async (context) => {
    const { client } = await joined(context);

    await assert.rejects(client.join({ name: 'alice' }), { name: 'InvalidStateError', code: 10454 });
  });

  test('without a camera leaves the room again', async (context) => {
    const { client, room, parts } = setUp(context);
    parts.openMedia = () => Promise.reject(new DOMException('no camera', 'NotFoundError'));

    await assert.rejects(client.join({ name: 'alice' }), { name: 'NotFoundError' });

    assert.deepEqual([true, 'new'], [room.left, client.state]);
  });

  test('lets the media follow the room’s clock', async (context) => {
    const { room, media } = await joined(context);

    room.clock.update(0, 500, 0);
    room.emit('clock');

    assert.equal(500, media.offset);
  });
});

describe('calls without await', () => {
  test('run in the order in which they were made', async (context) => {
    const { client, log, events } = setUp(context);

    const calls = [
      client.join({ name: 'alice' }),
      client.startMediaRecording({ recorder: 'all' }),
      client.stopMediaRecording(),
      client.downloadMediaRecording(),
      client.cleanMediaRecording(),
      client.leave(),
    ];
    await Promise.all(calls);

    assert.deepEqual(['started', 'stopped', 'downloaded', 'cleaned'], events);
    assert.deepEqual(
      [
        ...['mixer1 add alice', 'mixer1 settled', 'spool1 open', 'recorder1 start'],
        ...['recorder1 hold', 'spool1 ticks 0', 'mixer1 flush', 'recorder1 stop', 'spool1 end'],
        'mixer1 close',
        ...['spool1 address', 'spool1 sent', 'download /recordings/spool1', 'spool1 clean', 'spool1 close'],
      ],
      log.lines,
    );
    assert.equal('left', client.state);
  });

  test('go on after one that was refused', async (context) => {
    const { client, events } = await joined(context);

    const refused = client.stopMediaRecording();
    const started = client.startMediaRecording();

    await assert.rejects(refused, { code: 10454 });
    await started;
    assert.deepEqual(['started'], events);
  });

  test('are answered about the recording at once', async (context) => {
    const { client, stages } = await joined(context);
    const before = client.getMediaRecording();
    const started = client.startMediaRecording();

    const meanwhile = client.getMediaRecording();
    await started;
    Object.assign(stages[0]?.spool ?? {}, { bytes: 70, acknowledged: 50 });
    const { elapsed, ...after } = client.getMediaRecording();

    const nothing = { state: 'none', id: null, elapsed: 0, bytes: 0, bytesAcknowledged: 0, alarm: null };
    assert.deepEqual([nothing, nothing], [before, meanwhile]);
    assert.deepEqual(
      { state: 'recording', id: 'id of spool1', bytes: 70, bytesAcknowledged: 50, alarm: null },
      after,
    );
    assert.ok(elapsed >= 0);
  });
});

describe('starting', () => {
  test('answers with the recording', async (context) => {
    const { client } = await joined(context);

    const { id, mimeType, elapsed, downloaded } = await client.startMediaRecording();

    assert.deepEqual(['id of spool1', 'video/webm;codecs=vp9,opus', []], [id, mimeType, downloaded]);
    assert.ok(elapsed >= 0);
  });

  test('before joining is refused', async (context) => {
    const { client, stages } = setUp(context);

    await assert.rejects(client.startMediaRecording(), { name: 'InvalidStateError', code: 10454 });
    assert.deepEqual([], stages);
  });

  test('where there is no call is refused, and nothing is made', async (context) => {
    const { client, room, stages } = await joined(context);
    room.refusal = new Error('This page is in no call.');

    await assert.rejects(client.startMediaRecording(), /in no call/);
    assert.deepEqual([], stages);
  });

  test('after leaving is refused', async (context) => {
    const { client } = await joined(context);
    await client.leave();

    await assert.rejects(client.startMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });

  test('with a bad option is refused before anything starts, and before the state is checked', async (context) => {
    const { client, stages } = setUp(context);
    const bad = /** @type {RecordOptions} */ ({ recordConfig: { recordVideoFrame: 24 } });

    await assert.rejects(client.startMediaRecording(bad), {
      name: 'ConfigError',
      message: /recordVideoFrame: 24/,
    });
    assert.deepEqual([], stages);
  });

  test('in a browser that cannot record is refused', async (context) => {
    const { client, parts } = await joined(context);
    parts.unsupported = () => 'Use Chrome.';

    await assert.rejects(client.startMediaRecording(), { name: 'NotSupportedError', code: 10450 });
  });

  test('records everybody who is there, and waits for them', async (context) => {
    const { client, room, log } = await joined(context);
    room.enter('bob');
    room.enter('carol');

    await client.startMediaRecording({ recorder: 'all' });

    assert.deepEqual(['mixer1 add alice', 'mixer1 add bob', 'mixer1 add carol'], log.of('mixer1 add'));
    assert.deepEqual(LARGE, room.subscriptions.at(-1)?.['id of bob']);
  });

  test('local records nobody else, whoever joins', async (context) => {
    const { client, room, log } = await joined(context);
    room.enter('bob');

    await client.startMediaRecording({ recorder: 'local' });
    room.enter('carol');

    assert.deepEqual(['mixer1 add alice'], log.of('mixer1 add'));
    assert.equal(null, room.subscriptions.at(-1));
  });

  for (const [what, failing] of /** @type {const} */ ([
    ['the server refuses', ['spool', 'open']],
    ['no bytes come', ['recorder', 'start']],
  ])) {
    test(`that fails because ${what} leaves nothing open and subscribes to nobody`, async (context) => {
      const { client, room, stages, parts, log, events } = await joined(context);
      const [stage, call] = failing;
      const { createMixer } = parts;
      parts.createMixer = () => {
        const mixer = createMixer();
        Object.assign(stages[0]?.[stage].failing ?? {}, { [call]: new Error('It broke.') });
        return mixer;
      };

      await assert.rejects(client.startMediaRecording(), { message: 'It broke.' });

      assert.deepEqual(['mixer1 close', 'spool1 close'], log.lines.slice(-2));
      assert.deepEqual([null, []], [room.subscriptions.at(-1), events]);
      await assert.rejects(client.stopMediaRecording(), { code: 10454 });
    });
  }

  test('that fails because MediaRecorder cannot be created closes the mixer', async (context) => {
    const { client, room, parts, log } = await joined(context);
    parts.createRecorder = () => {
      throw new DOMException('no such type', 'NotSupportedError');
    };

    await assert.rejects(client.startMediaRecording(), { name: 'NotSupportedError' });

    assert.equal('mixer1 close', log.lines.at(-1));
    assert.equal(null, room.subscriptions.at(-1));
  });

  test('that fails because a participant does not arrive subscribes to nobody', async (context) => {
    const { client, room, stages } = await joined(context);
    room.arrival = new Error('No picture of bob.');

    await assert.rejects(client.startMediaRecording(), { message: 'No picture of bob.' });

    assert.deepEqual([null, []], [room.subscriptions.at(-1), stages]);
  });
});

describe('starting again', () => {
  test('while recording begins the new one before it stops the old one, which is downloaded', async (context) => {
    const { client, log } = await joined(context);
    await client.startMediaRecording();
    log.lines = [];

    const { id, downloaded } = await client.startMediaRecording();

    assert.equal('id of spool2', id);
    assert.deepEqual(
      ['id of spool1'],
      downloaded.map((finished) => finished?.id),
    );
    assert.deepEqual(
      [
        ...[
          'recorder2 start',
          'recorder1 hold',
          'recorder1 stop',
          'spool1 end',
          'spool1 address',
          'download /recordings/spool1',
        ],
        ...['spool1 clean', 'spool1 close'],
      ],
      log.of('recorder', 'download', 'spool1 end', 'spool1 address', 'spool1 c'),
    );
    assert.equal('recording', client.getMediaRecording().state);
  });

  test('after a stopped one that nobody downloaded downloads it first', async (context) => {
    const { client, log } = await joined(context);
    await client.startMediaRecording();
    await client.stopMediaRecording();
    log.lines = [];

    const { downloaded } = await client.startMediaRecording();

    assert.deepEqual(
      ['id of spool1'],
      downloaded.map((finished) => finished?.id),
    );
    assert.deepEqual(
      ['download /recordings/spool1', 'recorder2 start', 'spool1 clean'],
      log.of('download', 'recorder2', 'spool1 clean'),
    );
  });

  test('after one that was downloaded does not download it again', async (context) => {
    const { client, log } = await joined(context);
    await client.startMediaRecording();
    await client.downloadMediaRecording();
    log.lines = [];

    const { downloaded } = await client.startMediaRecording();

    assert.deepEqual([[], []], [downloaded, log.of('download')]);
  });

  test('that fails leaves the old one running', async (context) => {
    const { client, room, parts } = await joined(context);
    room.enter('bob');
    await client.startMediaRecording();
    parts.createRecorder = () => {
      throw new Error('no more');
    };

    await assert.rejects(client.startMediaRecording(), { message: 'no more' });

    assert.equal('recording', client.getMediaRecording().state);
    assert.ok(room.subscriptions.at(-1)?.['id of bob']);
    assert.equal('id of spool1', (await client.stopMediaRecording()).id);
  });
});

describe('stopping', () => {
  test('answers with the finished file, and subscribes to nobody any more', async (context) => {
    const { client, room } = await joined(context);
    await client.startMediaRecording();

    const finished = await client.stopMediaRecording();

    assert.deepEqual(['id of spool1', 'abc', 10], [finished.id, finished.sha256, finished.size]);
    assert.ok(finished.stopToFileMs >= 0);
    assert.equal(null, room.subscriptions.at(-1));
  });

  test('twice, or with nothing recording, is refused', async (context) => {
    const { client } = await joined(context);
    await assert.rejects(client.stopMediaRecording(), { name: 'InvalidStateError', code: 10454 });
    await client.startMediaRecording();
    await client.stopMediaRecording();

    await assert.rejects(client.stopMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });

  test('also emits NERTC’s event', async (context) => {
    const { client } = await joined(context);
    /** @type {unknown[]} */
    const heard = [];
    client.on('@media-recording-stopped', (detail) => heard.push(detail));
    await client.startMediaRecording();

    const finished = await client.stopMediaRecording();

    assert.deepEqual([finished], heard);
  });
});

describe('downloading', () => {
  test('while recording stops first', async (context) => {
    const { client, log, events } = await joined(context);
    await client.startMediaRecording();

    const finished = await client.downloadMediaRecording();

    assert.equal('id of spool1', finished.id);
    assert.deepEqual(['started', 'stopped', 'downloaded'], events);
    assert.deepEqual(['download /recordings/spool1'], log.of('download'));
  });

  test('may be repeated until the clean', async (context) => {
    const { client, log } = await joined(context);
    await client.startMediaRecording();

    await client.downloadMediaRecording();
    await client.downloadMediaRecording();
    await client.cleanMediaRecording();

    assert.equal(2, log.of('download').length);
    await assert.rejects(client.downloadMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });

  test('with nothing recorded is refused', async (context) => {
    const { client } = await joined(context);

    await assert.rejects(client.downloadMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });
});

describe('cleaning', () => {
  test('twice is fine, and so is with nothing recorded', async (context) => {
    const { client, log } = await joined(context);
    await client.cleanMediaRecording();
    await client.startMediaRecording();
    await client.stopMediaRecording();

    await client.cleanMediaRecording();
    await client.cleanMediaRecording();

    assert.deepEqual(['spool1 clean'], log.of('spool1 clean'));
  });

  test('while recording stops first', async (context) => {
    const { client, events } = await joined(context);
    await client.startMediaRecording();

    await client.cleanMediaRecording();

    assert.deepEqual(['started', 'stopped', 'cleaned'], events);
  });
});

describe('pausing', () => {
  test('and resuming go on in one recording, which may stop while it is paused', async (context) => {
    const { client, events } = await joined(context);
    await client.startMediaRecording();

    await client.pauseMediaRecording();
    const { state } = client.getMediaRecording();
    await client.resumeMediaRecording();
    await client.pauseMediaRecording();
    await client.stopMediaRecording();

    assert.equal('paused', state);
    assert.deepEqual(['started', 'paused', 'resumed', 'paused', 'stopped'], events);
  });

  test('what does not record, and resuming what is not paused, are refused', async (context) => {
    const { client } = await joined(context);
    await assert.rejects(client.pauseMediaRecording(), { name: 'InvalidStateError', code: 10454 });
    await client.startMediaRecording();

    await assert.rejects(client.resumeMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });
});

describe('leaving', () => {
  test('ends the recording, which can still be downloaded and cleaned', async (context) => {
    const { client, room, media, events } = await joined(context);
    await client.startMediaRecording();

    await client.leave();
    await client.downloadMediaRecording();
    await client.cleanMediaRecording();

    assert.deepEqual(['started', 'stopped', 'downloaded', 'cleaned'], events);
    assert.deepEqual([true, true, 'left'], [room.left, media.closed, client.state]);
  });

  test('twice, or without having joined, is fine', async (context) => {
    const { client } = setUp(context);
    await client.leave();
    await client.join({ name: 'alice' });

    await client.leave();
    await client.leave();

    assert.equal('left', client.state);
  });

  test('and coming back records anew', async (context) => {
    const { client } = await joined(context);
    await client.leave();

    await client.join({ name: 'alice' });

    assert.equal('id of spool1', (await client.startMediaRecording()).id);
  });
});

describe('presence that only the page knows', () => {
  const BOB = /** @type {const} */ ({ event: 'join', participant: 'bob' });

  test('is in the recording from its start, and follows the room', async (context) => {
    const { client, room, log } = await joined(context);
    room.joins = [BOB];

    await client.startMediaRecording();
    room.emit('presence', { event: 'leave', participant: 'bob' });

    const entries = log.of('spool1 event').map((line) => line.split(' ')[2]);
    assert.deepEqual(['join', 'leave'], entries);
  });

  test('does not change a recording of ourselves alone', async (context) => {
    const { client, room, log } = await joined(context);

    await client.startMediaRecording({ recorder: 'local' });
    room.emit('presence', BOB);

    assert.deepEqual([], log.of('spool1 event'));
  });
});

describe('participants who join and leave while recording', () => {
  test('are added to the mix and removed from it', async (context) => {
    const { client, room, log } = await joined(context);
    await client.startMediaRecording();
    log.lines = [];

    const bob = room.enter('bob');
    bob.info.audio = false;
    room.emit('state', /** @type {CallParticipant} */ (bob));
    room.participants.delete(bob.id);
    room.emit('left', /** @type {CallParticipant} */ (bob));

    assert.deepEqual(['mixer1 add bob', 'mixer1 update bob', 'mixer1 remove id of bob'], log.lines);
  });

  test('are added even while the recording begins', async (context) => {
    const { client, room, stages, log } = await joined(context);
    const started = client.startMediaRecording();
    await until(() => stages.length > 0 && log.of('mixer1 add').length > 0);

    room.enter('bob');
    await started;

    assert.deepEqual(['mixer1 add alice', 'mixer1 add bob'], log.of('mixer1 add'));
  });

  test('do not matter to a recording that has stopped', async (context) => {
    const { client, room, log } = await joined(context);
    await client.startMediaRecording();
    await client.stopMediaRecording();
    log.lines = [];

    room.enter('bob');

    assert.deepEqual([], log.lines);
  });
});

/** @param {() => boolean} condition */
async function until(condition) {
  for (let turn = 0; turn < 100 && !condition(); turn += 1) await settled();
  assert.ok(condition());
}

describe('devices', () => {
  test('that are switched off are announced, and off in the recording', async (context) => {
    const { client, room, media, stages } = await joined(context);
    await client.startMediaRecording();

    client.setMicrophone(false);
    client.setCamera(false);

    assert.deepEqual({ audio: false, video: false, screen: false }, room.announced.at(-1));
    assert.deepEqual(
      [false, false],
      media.tracks.map(({ enabled }) => enabled),
    );
    const { audio, video } = stages[0]?.mixer.sources['me'] ?? assert.fail();
    assert.deepEqual([false, false], [audio, video]);
  });

  test('that were off before joining are off in the room', async (context) => {
    const { client, room, media } = setUp(context);
    client.setMicrophone(false);

    await client.join({ name: 'alice' });

    assert.deepEqual({ audio: false, video: true, screen: false }, room.announced.at(-1));
    assert.deepEqual(
      [true, false],
      media.tracks.map(({ enabled }) => enabled),
    );
  });

  test('that are unplugged leave silence, or the placeholder', async (context) => {
    const { client, room } = await joined(context);

    client.unplugDevice('audio');
    const [microphone, camera] = [client.microphone, client.camera];
    client.unplugDevice('video');

    assert.deepEqual([false, true, false], [microphone, camera, client.camera]);
    assert.deepEqual({ audio: false, video: false, screen: false }, room.announced.at(-1));
  });

  test('that are replaced come back in place', async (context) => {
    const { client, room, media, stages } = await joined(context);
    await client.startMediaRecording();
    const [, before] = media.tracks;
    client.unplugDevice('audio');

    await client.replaceDevice('audio');

    const [old, fresh] = room.replaced[0] ?? assert.fail();
    assert.deepEqual([before, 'another', true], [old, fresh.label, client.microphone]);
    assert.equal(fresh, stages[0]?.mixer.sources['me']?.audioTrack);
  });

  test('that were replaced do not matter when they end', async (context) => {
    const { client, media } = await joined(context);
    const [before] = media.tracks;
    await client.replaceDevice('video');

    before?.dispatchEvent(new Event('ended'));

    assert.equal(true, client.camera);
  });

  test('give way to the screen and come back', async (context) => {
    const { client, room, media, stages } = await joined(context);
    await client.startMediaRecording();

    await client.shareScreen(true);
    await client.shareScreen(true);
    const shared = { ...stages[0]?.mixer.sources['me'] };
    await client.shareScreen(false);

    assert.deepEqual([true, 'screen'], [shared.screen, shared.videoTrack?.label]);
    assert.deepEqual(
      ['screen', 'camera'],
      room.replaced.map(([, fresh]) => fresh.label),
    );
    assert.deepEqual({ audio: true, video: true, screen: false }, room.announced.at(-1));
    assert.equal('camera', media.stream.getVideoTracks()[0]?.label);
  });
});

describe('a shared screen that ends by itself', () => {
  test('gives way to the camera', async (context) => {
    const { client, room, media } = await joined(context);
    await client.shareScreen(true);

    media.stream.getVideoTracks()[0]?.dispatchEvent(new Event('ended'));
    await allSettled();

    assert.deepEqual([false, true], [client.screen, client.camera]);
    assert.equal('camera', media.stream.getVideoTracks()[0]?.label);
    assert.deepEqual({ audio: true, video: true, screen: false }, room.announced.at(-1));
  });

  test('leaves the placeholder if the camera is gone as well', async (context) => {
    const { client, media } = await joined(context);
    await client.shareScreen(true);
    media.share = () => Promise.reject(new Error('The camera is gone.'));

    media.stream.getVideoTracks()[0]?.dispatchEvent(new Event('ended'));
    await allSettled();

    assert.equal(false, client.camera);
  });
});

describe('a recording that breaks by itself', () => {
  test('is reported, and stopping it fails with its error', async (context) => {
    const { client, room, stages, events } = await joined(context);
    await client.startMediaRecording();
    const error = new Error('The spool is closed.');

    stages[0]?.recorder.emit('failed', error);
    await allSettled();

    assert.deepEqual(['started', 'failed'], events);
    assert.equal('failed', client.getMediaRecording().state);
    await assert.rejects(client.stopMediaRecording(), error);
    await assert.rejects(client.downloadMediaRecording(), error);
    assert.equal(null, room.subscriptions.at(-1));
  });

  test('can be cleaned, and another one started', async (context) => {
    const { client, stages, log } = await joined(context);
    await client.startMediaRecording();
    stages[0]?.mixer.emit('failed', new Error('The mixer failed.'));

    await client.cleanMediaRecording();
    const { id } = await client.startMediaRecording();

    assert.equal('id of spool2', id);
    assert.deepEqual(['spool1 close'], log.of('spool1 c'));
  });
});

describe('listening, NERTC’s way', () => {
  test('ends where it is ended, and nowhere else', async (context) => {
    const { client } = await joined(context);
    /** @type {unknown[]} */
    const heard = [];
    const handler = (/** @type {unknown} */ detail) => heard.push(detail);
    client.on('recording-started', handler);
    client.on('recording-cleaned', handler);

    client.off('recording-started', handler);
    await client.startMediaRecording();
    await client.cleanMediaRecording();

    assert.deepEqual([{ id: 'id of spool1' }], heard);
  });

  test('every change emits `changed`', async (context) => {
    const { client, room } = await joined(context);
    let changes = 0;
    client.addEventListener('changed', () => (changes += 1));

    room.enter('bob');
    client.setCamera(false);
    await client.startMediaRecording();

    assert.ok(changes >= 3);
  });
});

describe('watching', () => {
  test('subscribes without recording, and a recording asks for no less', async (context) => {
    const { client, room } = await joined(context);
    const huge = { width: 1920, height: 1080, frameRate: 30 };
    room.enter('bob');

    client.watch({ '*': huge });
    const watched = room.subscriptions.at(-1);
    await client.startMediaRecording();
    const recorded = room.subscriptions.at(-1);
    await client.stopMediaRecording();

    assert.deepEqual(
      [{ '*': huge }, huge, { '*': huge }],
      [watched, recorded?.['id of bob'], room.subscriptions.at(-1)],
    );
  });
});
