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
    if (this.readyState === FakeSocket.CONNECTING) throw new Error('still connecting');
    if (this.readyState === FakeSocket.OPEN)
      this.sent.push(typeof data === 'string' ? JSON.parse(data) : data);
  }

  close() {
    this.drop();
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

  /** The connection ends. */
  drop() {
    if (this.readyState === FakeSocket.CLOSED) return;
    this.readyState = FakeSocket.CLOSED;
    this.dispatchEvent(new Event('close'));
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
      await settled();
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
