import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';

// Chrome hides SharedArrayBuffer on pages that are not isolated.
const { SharedArrayBuffer } = globalThis;
Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
const { Ring, RingSender, receivePieces } = await import('../../../src/mixer/audio/ring.js');
const { fallbacksInUse } = await import('../../../src/client/support.js');
Object.assign(globalThis, { SharedArrayBuffer });

/** Returns a sender and the ring to which it writes, connected by a real message port. */
function connect() {
  const { port1, port2 } = new MessageChannel();
  const ring = new Ring();
  const sender = new RingSender(/** @type {MessagePort} */ (/** @type {unknown} */ (port1)));
  receivePieces(/** @type {MessagePort} */ (/** @type {unknown} */ (port2)), ring);
  after(() => sender.close());
  const written = async (/** @type {number} */ frames) => {
    while (ring.written < frames) await new Promise((resolve) => setImmediate(resolve));
    return (/** @type {number} */ at) => [0, 1].map((channel) => ring.sample(channel, at, ring.written));
  };
  return { ring, sender, written };
}

describe('without shared memory', () => {
  test('a ring uses memory of its own', () => {
    assert.ok(new Ring().buffer instanceof ArrayBuffer);
  });

  test('a sender writes both channels to a ring in another thread, in order', async () => {
    const { sender, written } = connect();
    const left = Float32Array.from({ length: 480 }, (_, index) => index + 1);
    const right = left.map((sample) => -sample);

    for (let piece = 0; piece < 3; piece += 1) {
      sender.write(left, right);
      // The worker reuses its arrays for the next piece.
      left.forEach((sample, index) => (left[index] = sample + 480));
      right.forEach((sample, index) => (right[index] = sample - 480));
    }
    const at = await written(1440);

    assert.deepEqual(
      [
        [1, -1],
        [480, -480],
        [481, -481],
        [1440, -1440],
      ],
      [at(0), at(479), at(480), at(1439)],
    );
  });

  test('a sender writes mono audio to both channels', async () => {
    const { sender, written } = connect();
    const mono = Float32Array.of(0.25, 0.5);

    sender.write(mono, mono);
    const at = await written(2);

    assert.deepEqual([0.5, 0.5], at(1));
  });

  test('the fallbacks are named', () => {
    assert.deepEqual(['shared-memory', 'gc'], fallbacksInUse());
    assert.deepEqual(['shared-memory', 'gc', 'user-activation'], fallbacksInUse(true));
  });
});
