/** What tests put in the place of a browser's parts, and dice that fall the same way each time. */

// Node.js 20 lacks it; Chrome has it.
if (!('withResolvers' in Promise)) {
  Object.defineProperty(Promise, 'withResolvers', {
    value: () => {
      /** @type {Record<string, unknown>} */
      const made = {};
      made['promise'] = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
      return made;
    },
  });
}

/** Returns a generator of numbers from 0 to 1 (mulberry32). @param {number} seed */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lets everything happen that waits for nothing but its turn. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Lets whole chains of such things happen. */
export async function allSettled() {
  for (let turn = 0; turn < 10; turn += 1) await settled();
}

/**
 * Puts something in the place of a global for one test.
 *
 * @param {{after(restore: () => void): void}} test
 * @param {string} name
 * @param {unknown} fake
 */
export function replaceGlobal(test, name, fake) {
  const scope = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
  const before = scope[name];
  scope[name] = fake;
  test.after(() => {
    scope[name] = before;
  });
}

/** A WebSocket whose other end is the test. */
export class FakeSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  /** Every socket that was opened. @type {FakeSocket[]} */
  static all = [];
  readyState = FakeSocket.CONNECTING;
  /** What was sent, in order; text as the object that it says. @type {unknown[]} */
  sent = [];

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    FakeSocket.all.push(this);
  }

  /** Puts these sockets in place of the browser's for one test. @param {{after(restore: () => void): void}} test */
  static use(test) {
    FakeSocket.all = [];
    replaceGlobal(test, 'WebSocket', FakeSocket);
  }

  /** The socket that was opened last. */
  static get last() {
    return /** @type {FakeSocket} */ (FakeSocket.all.at(-1));
  }

  /** @param {string | Blob} data */
  send(data) {
    // Where it closes already Chrome throws nothing, but complains on the console.
    if (this.readyState !== FakeSocket.OPEN) throw new Error('not open');
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data);
  }

  close() {
    this.drop(1000);
  }

  /** The server accepts. */
  accept() {
    this.readyState = FakeSocket.OPEN;
    this.dispatchEvent(new Event('open'));
  }

  /** The server says something. @param {FromServer | FromSpool} message */
  say(message) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }

  /** The other end hangs up, and this one has not said so yet. */
  closing() {
    this.readyState = FakeSocket.CLOSING;
  }

  /** The connection ends; 1006 is one that nobody closed. @param {number} [code] */
  drop(code = 1006) {
    if (this.readyState === FakeSocket.CLOSED) return;
    this.readyState = FakeSocket.CLOSED;
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }
}

/** Time that passes when the test says so: `performance.now` and the timers of one test. */
export class FakeTime {
  /** In ms, as `performance.now` counts. */
  now = 1000;
  /** How late timers wake, in ms. */
  lateness = () => 0;
  /** @type {{at: number, call: () => void, every: number | null, id: number}[]} */
  #timers = [];
  #last = 0;

  /** @param {{after(restore: () => void): void}} test */
  constructor(test) {
    Object.defineProperty(performance, 'now', { configurable: true, value: () => this.now });
    test.after(() => Reflect.deleteProperty(performance, 'now'));
    const clear = (/** @type {number} */ id) => {
      this.#timers = this.#timers.filter((timer) => timer.id !== id);
    };
    replaceGlobal(test, 'setTimeout', (/** @type {() => void} */ call, ms = 0) => this.#add(call, ms, null));
    replaceGlobal(test, 'setInterval', (/** @type {() => void} */ call, ms = 0) => this.#add(call, ms, ms));
    replaceGlobal(test, 'clearTimeout', clear);
    replaceGlobal(test, 'clearInterval', clear);
  }

  /** Lets time pass; everything that falls due happens in order. @param {number} ms */
  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      await allSettled();
      const [next] = this.#timers.toSorted((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.now = Math.max(this.now, next.at);
      if (next.every === null) this.#timers.splice(this.#timers.indexOf(next), 1);
      else next.at = this.now + next.every;
      next.call();
    }
    this.now = Math.max(this.now, end);
  }

  /** @param {() => void} call @param {number} ms @param {number | null} every */
  #add(call, ms, every) {
    this.#last += 1;
    this.#timers.push({ at: this.now + Math.max(0, ms) + this.lateness(), call, every, id: this.#last });
    return this.#last;
  }
}

/**
 * A VideoFrame of any format, whose copyTo does what Chrome's does: it writes the visible picture, by the layout that
 * is asked for, and refuses layouts that do not fit.
 */
export class FakeFrame {
  timestamp = 0;
  closed = false;
  /** @type {{rtpTimestamp?: number}} */
  rtp = {};
  /** What every copy waits for before it is done. @type {Promise<unknown>} */
  ready = Promise.resolve();

  /**
   * @param {string | null} format
   * @param {number} width of the visible picture
   * @param {number} height
   * @param {(x: number, y: number, plane: number) => number} sample of a plane, or of the colours 0 to 3 (RGBA)
   */
  constructor(format, width, height, sample) {
    this.format = format;
    this.sample = sample;
    // Decoders pad: what is visible is less than what is coded.
    this.codedWidth = width + 64;
    this.codedHeight = height + 8;
    this.visibleRect = { x: 0, y: 0, width, height };
  }

  /** The frame as code under test knows it. */
  get frame() {
    return /** @type {VideoFrame} */ (/** @type {unknown} */ (this));
  }

  metadata() {
    return this.rtp;
  }

  close() {
    this.closed = true;
  }

  /** @param {Uint8Array} memory @param {{format?: string, layout: PlaneLayout[]}} options */
  async copyTo(memory, { format = this.format ?? '', layout }) {
    const { width, height } = this.visibleRect;
    const half = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
    const packed = /^(RGB|BGR)[AX]$/.test(format);
    if (format !== this.format && !packed) throw new DOMException('no such conversion', 'NotSupportedError');
    // Each plane: its samples across and down, bytes a sample, and which sample each byte is.
    const planes = packed
      ? [{ width, height, samples: format.startsWith('BGR') ? [2, 1, 0, 3] : [0, 1, 2, 3] }]
      : format === 'NV12'
        ? [
            { width, height, samples: [0] },
            { ...half, samples: [1, 2] },
          ]
        : [
            { width, height, samples: [0] },
            { ...half, samples: [1] },
            { ...half, samples: [2] },
            ...(format === 'I420A' ? [{ width, height, samples: [3] }] : []),
          ];
    if (layout.length !== planes.length) throw new TypeError('wrong number of planes');
    planes.forEach((plane, index) => {
      const { offset, stride } = /** @type {PlaneLayout} */ (layout[index]);
      if (stride < plane.width * plane.samples.length) throw new TypeError('stride too small');
      if (offset + stride * plane.height > memory.length) throw new TypeError('buffer too small');
      for (let y = 0; y < plane.height; y += 1) {
        for (let x = 0; x < plane.width; x += 1) {
          plane.samples.forEach((sample, byte) => {
            memory[offset + y * stride + x * plane.samples.length + byte] = this.sample(x, y, sample);
          });
        }
      }
    });
    await this.ready;
    return layout;
  }
}

/** What the stages of a client were asked, in order: "mixer1 add alice", "spool1 open". */
export class Log {
  /** @type {string[]} */
  lines = [];

  /** What was asked of those whose line begins so. @param {string[]} starts */
  of(...starts) {
    return this.lines.filter((line) => starts.some((start) => line.startsWith(start)));
  }
}

/** The base of the fakes of a client's stages. */
class Stage extends EventTarget {
  /** Calls that fail, by name, and with what. @type {Record<string, Error>} */
  failing = {};

  /** @param {Log} log @param {string} name */
  constructor(log, name) {
    super();
    this.log = log;
    this.name = name;
  }

  /** Notes a call, and takes as long as a real one: some turns. @param {string} call @param {string} [detail] */
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

  /** @param {string} type @param {unknown} detail */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export class FakeMixer extends Stage {
  /** @type {unknown} */
  stream = 'the mixed stream';
  /** @type {string | null} */
  speaker = null;
  /** @type {Record<string, import('../src/mixer/mixer.js').Source>} */
  sources = {};

  /** @param {import('../src/mixer/mixer.js').Source} source */
  add(source) {
    this.sources[source.id] = source;
    this.note('add', source.name);
  }

  /** @param {import('../src/mixer/mixer.js').Source} source */
  update(source) {
    this.sources[source.id] = source;
    this.note('update', source.name);
  }

  /** @param {string} id */
  remove(id) {
    Reflect.deleteProperty(this.sources, id);
    this.note('remove', id);
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
  /** What the finished file is. @type {FinishedRecording} */
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

  sent() {
    return this.ask('sent');
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
