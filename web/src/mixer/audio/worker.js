/** Reads tracks' sound as it arrives and lays it into rings, from which the sound system plays it. */

import { keepCollecting } from '../../shared/garbage.js';
import { Ring } from './ring.js';

/** @typedef {{type: 'read', id: string, readable: ReadableStream<AudioData>, buffer: SharedArrayBuffer}} ReadMessage */
/** @typedef {{type: 'stop', id: string} | {type: 'end'}} StopMessage one track, or all; each has been stopped before the end */

/** @type {Map<string, ReadableStreamDefaultReader<AudioData>>} */
const readers = new Map();

keepCollecting();

self.addEventListener('message', (/** @type {MessageEvent<ReadMessage | StopMessage>} */ { data }) => {
  if (data.type === 'end') {
    self.close();
    return;
  }
  readers
    .get(data.id)
    ?.cancel()
    .catch(() => undefined);
  readers.delete(data.id);
  if (data.type === 'stop') return;
  const reader = data.readable.getReader();
  readers.set(data.id, reader);
  void read(reader, new Ring(data.buffer));
});

/** @param {ReadableStreamDefaultReader<AudioData>} reader @param {Ring} ring */
async function read(reader, ring) {
  let planes = [new Float32Array(0), new Float32Array(0)];
  for (;;) {
    const { value: sound, done } = await reader.read();
    if (done) return;
    const { numberOfFrames: frames, numberOfChannels: channels } = sound;
    if (planes[0]?.length !== frames) planes = [new Float32Array(frames), new Float32Array(frames)];
    const [left, right] = /** @type {[Float32Array, Float32Array]} */ (planes);
    sound.copyTo(left, { planeIndex: 0, format: 'f32-planar' });
    if (channels > 1) sound.copyTo(right, { planeIndex: 1, format: 'f32-planar' });
    sound.close();
    ring.write(left, channels > 1 ? right : left);
  }
}
