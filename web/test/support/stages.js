/** A recording's fake stages: mixer, spool and recorder. */

import { Emitter } from '../../src/shared/events.js';
import { settled } from './globals.js';

/** The calls to the stages of a client's recordings, in order, for example "mixer1 add alice" and "spool1 open". */
export class Log {
  /** @type {string[]} */
  lines = [];

  /** Returns the calls that begin with one of these strings. @param {string[]} starts */
  of(...starts) {
    return this.lines.filter((line) => starts.some((start) => line.startsWith(start)));
  }
}

/**
 * The base class of the fake stages.
 *
 * @extends {Emitter<Record<string, unknown>>}
 */
class Stage extends Emitter {
  /** The errors with which calls fail, by the call's name. @type {Record<string, Error>} */
  failing = {};

  /** @param {Log} log @param {string} name */
  constructor(log, name) {
    super();
    this.log = log;
    this.name = name;
  }

  /**
   * Logs a call, and takes several turns of the event loop to complete, like a real call.
   *
   * @param {string} call
   * @param {string} [detail]
   */
  async ask(call, detail = '') {
    this.note(call, detail);
    await settled();
    const error = this.failing[call];
    if (error) throw error;
  }

  /** @param {string} call @param {string} [detail] */
  note(call, detail = '') {
    this.log.lines.push(`${this.name} ${call} ${detail}`.trim());
  }
}

export class FakeMixer extends Stage {
  /** @type {unknown} */
  stream = 'the mixed stream';
  /** @type {string | null} */
  speaker = null;
  /** @type {Record<string, import('../../src/mixer/mixer.js').Source>} */
  sources = {};

  /** @param {import('../../src/mixer/mixer.js').Source} source */
  set(source) {
    this.note(source.id in this.sources ? 'update' : 'add', source.name);
    this.sources[source.id] = source;
  }

  /** @param {string} participant @param {import('../../src/mixer/mixer.js').Source[]} sources */
  setSources(participant, sources) {
    const ids = sources.map(({ id }) => id);
    for (const id of Object.keys(this.sources)) {
      if ((id !== participant && !id.startsWith(`${participant}/`)) || ids.includes(id)) continue;
      Reflect.deleteProperty(this.sources, id);
      this.note('remove', id);
    }
    for (const source of sources) this.set(source);
  }

  async settled() {
    await this.ask('settled');
    return true;
  }

  async flush() {
    this.emit('ticks', { first: 0, written: [1] });
    await this.ask('flush');
  }

  nextTick() {
    return this.ask('nextTick');
  }

  close() {
    return this.ask('close');
  }
}

export class FakeSpool extends Stage {
  recording = '';
  bytes = 0;
  acknowledged = 0;
  /** @type {unknown} */
  hello = null;
  /** Information about the finished file. @type {FinishedRecording} */
  finished = { id: '', name: 'take.webm', size: 10, sha256: 'abc', duration: 1 };

  /** @param {unknown} hello */
  async open(hello) {
    this.hello = hello;
    await this.ask('open');
    this.recording = `id of ${this.name}`;
    this.finished.id = this.recording;
  }

  /** @param {string} state */
  recorder(state) {
    this.note('recorder', state);
  }

  /** @param {number} first */
  ticks(first) {
    this.note('ticks', String(first));
  }

  /** @param {RoomEvent} event */
  event(event) {
    this.note('event', `${event.event} ${event.time}`);
  }

  /** @param {ConnectionStatistics} statistics */
  statistics({ participant, time }) {
    this.note('statistics', `${participant} ${Math.sign(time)}`);
  }

  async end() {
    await this.ask('end');
    return this.finished;
  }

  async address() {
    await this.ask('address');
    return { type: 'address', url: `/recordings/${this.name}`, name: 'take.webm' };
  }

  /** The reason why the browser does not download the file. @type {string | null} */
  undelivered = null;

  async delivery() {
    await this.ask('delivery');
    return this.undelivered;
  }

  clean() {
    return this.ask('clean');
  }

  close() {
    this.note('close');
  }
}

export class FakeRecorder extends Stage {
  startedAt = 0;
  state = 'inactive';

  async start() {
    this.startedAt = performance.timeOrigin + performance.now();
    await this.ask('start');
    this.state = 'recording';
  }

  pause() {
    this.state = 'paused';
    this.note('pause');
  }

  resume() {
    this.state = 'recording';
    this.note('resume');
  }

  hold() {
    this.note('hold');
  }

  async stop() {
    this.state = 'inactive';
    await this.ask('stop');
  }
}
