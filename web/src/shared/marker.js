/**
 * The markers in a synthetic participant's media, which `verify` reads from the finished file.
 *
 * Video: a strip across the top, one ninth as high as the video, contains two rows of 32 cells. The cells
 * encode the marker number (8 bits), a counter (18 bits), the capture time in ms on the room's clock (22
 * bits) and a CRC of these values (16 bits). The counter increases 30 times per second,
 * independently of the video's frame rate, and starts again at 0 after 262,080 counts. If the whole video is as
 * `frame-painter.js` paints it, the CRC is CRC-16/CCITT-FALSE XOR 0x5A5A; a strip over another video has the plain
 * CRC. In the middle of the video, a symbol encodes the same values (`symbol.js`).
 *
 * Audio: each participant has a different tone, and a burst of two chirps in a different band. The first chirp
 * rises, and begins whenever the counter is a multiple of 30. The second chirp falls. The time between the
 * chirps encodes the second, modulo 16 (harness/verification/markers/audio_signals.py).
 *
 * Participants have the marker numbers 0 to 127. A screen that a participant shares next to the camera has the
 * participant's number plus 128.
 */

/** The CRC of a strip is combined with this number if the whole video is synthetic. */
const WHOLE_VIDEO = 0x5a5a;
export const COUNTS_PER_SECOND = 30;
/**
 * The counter starts again at 0 after this many counts. This is the largest 18-bit number of counts that contains a
 * whole number of cycles of the audio marker, so that the markers in audio and video stay aligned.
 */
export const COUNTER_PERIOD = 262_080;
export const ROWS = 2;
export const COLUMNS = 32;
/** The luma of a cell that encodes 0, and of a cell that encodes 1. */
export const DARK = 30;
export const BRIGHT = 225;
/** The duration of a chirp in seconds. */
export const CHIRP = 0.08;
/** Amplitudes of the tone and of the chirps; 1 is full scale. `verify` compares the level in the file with these. */
export const TONE_LEVEL = 0.04;
export const CHIRP_LEVEL = 0.15;
/** Number of seconds that the audio marker distinguishes. */
export const SECONDS = 16;
/** Number of different tones and chirps. A marker modulo this number is the marker's voice. */
export const VOICES = 16;
/**
 * Markers from this number upward belong to shared screens; a shared screen's marker is the participant's marker plus
 * this number.
 */
export const SCREEN_MARKER = 128;

/** Returns the marker of a participant's shared screen. @param {number} marker the participant's marker */
export const screenMarker = (marker) => SCREEN_MARKER + (marker % SCREEN_MARKER);

/** @param {number} marker */
const isScreen = (marker) => marker >= SCREEN_MARKER;

/**
 * Returns the marker itself if nobody has it or its voice, otherwise the next marker whose voice is free. If all voices
 * are taken, the next free marker is returned.
 *
 * @param {number} marker 0 to 127
 * @param {Set<number | null>} taken the markers of the other participants; null for a participant without a marker
 */
export function freeMarker(marker, taken) {
  const voices = new Set([...taken].map((other) => other !== null && other % VOICES));
  const following = Array.from({ length: SCREEN_MARKER }, (_, step) => (marker + step) % SCREEN_MARKER);
  const free = following.filter((candidate) => !taken.has(candidate));
  return free.find((candidate) => !voices.has(candidate % VOICES)) ?? free[0] ?? marker;
}

/**
 * Returns the frequency of the tone in Hz. The screens' tones are above all participants' tones and chirps. If a screen
 * had its participant's tone, the two tones could cancel each other out in a recording's mixed audio.
 *
 * @param {number} marker
 */
export const toneOf = (marker) =>
  isScreen(marker) ? 6200 + 100 * (marker % VOICES) : 300 + 50 * (marker % VOICES);

/**
 * Returns the center frequency of the chirps in Hz. A chirp sweeps over the range from 120 Hz below this frequency to
 * 120 Hz above it.
 *
 * @param {number} marker
 */
export const bandOf = (marker) => (isScreen(marker) ? 8100 : 1350) + 300 * (marker % VOICES);

/** Returns the capture time that a marker contains. @param {number} time the time on the room's clock in ms */
export const captureOf = (time) => ((Math.round(time) % 0x400000) + 0x400000) % 0x400000;

/**
 * Writes the strip's cells, row by row. A 1 is a bright cell.
 *
 * @param {number} marker 0 to 255
 * @param {number} counter modulo 262,080
 * @param {number} time the time on the room's clock in ms; stored modulo 2^22
 * @param {Uint8Array} cells 64 cells, which are overwritten
 */
export function encode(marker, counter, time, cells) {
  let crc = 0xffff;
  let cell = 0;
  const put = (/** @type {number} */ value, /** @type {number} */ bits, /** @type {boolean} */ counted) => {
    for (let bit = bits - 1; bit >= 0; bit -= 1) {
      const one = (value >>> bit) & 1;
      cells[cell] = one;
      cell += 1;
      if (counted) crc = ((crc << 1) ^ (((crc >>> 15) ^ one) & 1 ? 0x1021 : 0)) & 0xffff;
    }
  };
  put(marker & 0xff, 8, true);
  put(counter % COUNTER_PERIOD, 18, true);
  put(captureOf(time), 22, true);
  put(crc ^ WHOLE_VIDEO, 16, false);
}

/**
 * Returns the marker number in a strip, or null if the checksum is wrong.
 *
 * @param {Uint8Array} cells 64 cells, 1 for bright
 */
export function decode(cells) {
  const bits = (/** @type {number} */ from, /** @type {number} */ count) =>
    cells.subarray(from, from + count).reduce((value, bit) => value * 2 + bit, 0);
  const [marker, counter, time] = [bits(0, 8), bits(8, 18), bits(26, 22)];
  const again = new Uint8Array(ROWS * COLUMNS);
  encode(marker, counter, time, again);
  return again.every((bit, index) => bit === cells[index]) ? marker : null;
}

/**
 * Returns the time between the starts of a burst's two chirps in seconds, which encodes the second.
 *
 * @param {number} second
 */
export const spacingOf = (second) => 0.16 + 0.04 * (second % SECONDS);

/**
 * Returns the chirps of a burst, each with its direction and the time in seconds at which it starts.
 *
 * @param {number} second the counter's second, which the burst encodes modulo 16
 * @returns {{at: number, direction: 'rising' | 'falling'}[]}
 */
export const burstAt = (second) => [
  { at: second, direction: 'rising' },
  { at: second + spacingOf(second), direction: 'falling' },
];

/**
 * Returns the mono samples of a chirp.
 *
 * @param {number} marker
 * @param {number} sampleRate Hz
 * @param {'rising' | 'falling'} direction
 */
export function chirp(marker, sampleRate, direction) {
  const length = Math.round(CHIRP * sampleRate);
  const samples = new Float32Array(length);
  const sweep = direction === 'rising' ? 240 : -240;
  const from = bandOf(marker) - sweep / 2;
  for (let index = 0; index < length; index += 1) {
    const t = index / sampleRate;
    const phase = 2 * Math.PI * (from * t + (sweep / CHIRP) * 0.5 * t * t);
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / (length - 1));
    samples[index] = CHIRP_LEVEL * hann * Math.sin(phase);
  }
  return samples;
}
