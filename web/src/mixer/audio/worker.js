/**
 * Reads the audio of remote tracks as it arrives, and writes it to ring buffers, from which worklets play it. A `read`
 * message contains either a ring's shared memory, or the port of a RingSender.
 */

import { keepCollecting } from '../../shared/memory.js';
import { Ring, RingSender } from './ring.js';

/**
 * @typedef {{type: 'read', id: string, readable: ReadableStream<AudioData>, target: SharedArrayBuffer | MessagePort}} ReadMessage
 */
/**
 * A message that stops reading one track, or ends the worker after all tracks have been stopped.
 *
 * @typedef {{type: 'stop', id: string} | {type: 'end'}} StopMessage
 */

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
  if (data.target instanceof MessagePort) {
    const sender = new RingSender(data.target);
    void read(reader, sender).finally(() => sender.close());
  } else void read(reader, new Ring(data.target));
});

/** @param {ReadableStreamDefaultReader<AudioData>} reader @param {Ring | RingSender} ring */
async function read(reader, ring) {
  let planes = [new Float32Array(0), new Float32Array(0)];
  for (;;) {
    const { value: audio, done } = await reader.read();
    if (done) return;
    const { numberOfFrames: frames, numberOfChannels: channels } = audio;
    if (planes[0]?.length !== frames) planes = [new Float32Array(frames), new Float32Array(frames)];
    const [left, right] = /** @type {[Float32Array, Float32Array]} */ (planes);
    audio.copyTo(left, { planeIndex: 0, format: 'f32-planar' });
    if (channels > 1) audio.copyTo(right, { planeIndex: 1, format: 'f32-planar' });
    audio.close();
    ring.write(left, channels > 1 ? right : left);
  }
}
