/** The one steady sound: everybody's, each delayed as their picture is. */

import { startWorker } from '../../shared/start-worker.js';
import { Ring } from './ring.js';

/** The longest delay a participant's sound can get, in seconds. */
const MOST_DELAY = 1;
/** What a sound takes from its track to the mix beside its delay, in ms (measured): of this page's own, and of a remote one. */
const OWN_DELAY = 15;
const REMOTE_DELAY = 15;
/** A delay that is off by less, in ms, stays as it is. */
const TOLERANCE = 6;
/** Samples over which loudness is measured. */
const METER = 8192;
/** How long the crossfade to another delay takes, in seconds. */
const FADE = 0.03;

/** Delays a sound. Another delay fades in on a second tap: gliding there would shift the pitch. */
class Delay {
  #taps;
  #current = 0;
  /** In ms; NaN before the first one. */
  #delay = Number.NaN;

  /** @param {AudioContext} context @param {AudioNode} source @param {AudioNode} destination */
  constructor(context, source, destination) {
    this.context = context;
    this.#taps = [1, 0].map((gain) => {
      const delay = new DelayNode(context, { maxDelayTime: MOST_DELAY });
      const fader = new GainNode(context, { gain });
      source.connect(delay).connect(fader).connect(destination);
      return { delay, fader };
    });
  }

  /** @param {number} ms */
  set(ms) {
    if (Math.abs(ms - this.#delay) < TOLERANCE) return;
    const now = this.context.currentTime;
    const seconds = Math.min(MOST_DELAY, Math.max(0, ms / 1000));
    const [from, to] = [this.#taps[this.#current], this.#taps[1 - this.#current]];
    if (!from || !to) return;
    if (Number.isNaN(this.#delay)) {
      from.delay.delayTime.setValueAtTime(seconds, now);
    } else {
      to.delay.delayTime.setValueAtTime(seconds, now);
      fade(to.fader.gain, 0, 1, now);
      fade(from.fader.gain, 1, 0, now);
      this.#current = 1 - this.#current;
    }
    this.#delay = ms;
  }

  disconnect() {
    for (const { delay, fader } of this.#taps) {
      delay.disconnect();
      fader.disconnect();
    }
  }
}

/** @param {AudioParam} gain @param {number} from @param {number} to @param {number} now */
function fade(gain, from, to, now) {
  gain.cancelScheduledValues(now);
  gain.setValueAtTime(from, now);
  gain.linearRampToValueAtTime(to, now + FADE);
}

/** A track of this page's own: Chrome's node takes it at any rate, and its buffer is small and always the same. */
class OwnSound {
  #delay;

  /** @param {AudioContext} context @param {MediaStreamTrack} track @param {AudioNode} destination */
  constructor(context, track, destination) {
    this.node = new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) });
    this.#delay = new Delay(context, this.node, destination);
  }

  /** @param {number} ms */
  set(ms) {
    this.#delay.set(ms - OWN_DELAY);
  }

  close() {
    this.node.disconnect();
    this.#delay.disconnect();
  }
}

/** A remote track: read in a worker, played at a fixed distance behind its arrival (ring-player.js). */
class RemoteSound {
  #worker;
  #id;
  /** @type {AudioWorkletNode | null} */
  #player = null;
  #delay = Number.NaN;
  #closed = false;

  /**
   * @param {AudioContext} context
   * @param {MediaStreamTrack} track
   * @param {AudioNode} destination
   * @param {{worker: Worker, id: string, ready: Promise<void>}} reading who reads it, under which name, and when a player can be had
   */
  constructor(context, track, destination, { worker, id, ready }) {
    this.#worker = worker;
    this.#id = id;
    this.node = new GainNode(context);
    this.node.connect(destination);
    const { buffer } = new Ring();
    const { readable } = new MediaStreamTrackProcessor({
      track: /** @type {MediaStreamAudioTrack} */ (track),
    });
    worker.postMessage({ type: 'read', id, readable, buffer }, [readable]);
    void ready.then(() => this.#play(context, buffer));
  }

  /** @param {number} ms */
  set(ms) {
    if (Math.abs(ms - this.#delay) < TOLERANCE) return;
    this.#delay = ms;
    this.#player?.port.postMessage({ delay: ms - REMOTE_DELAY });
  }

  close() {
    this.#closed = true;
    this.node.disconnect();
    this.#player?.disconnect();
    this.#player?.port.postMessage('stop');
    this.#worker.postMessage({ type: 'stop', id: this.#id });
  }

  /** @param {AudioContext} context @param {SharedArrayBuffer} buffer */
  #play(context, buffer) {
    if (this.#closed) return;
    this.#player = new AudioWorkletNode(context, 'ring-player', {
      numberOfInputs: 0,
      outputChannelCount: [2],
      processorOptions: { buffer },
    });
    this.#player.connect(this.node);
    if (!Number.isNaN(this.#delay)) this.#player.port.postMessage({ delay: this.#delay - REMOTE_DELAY });
  }
}

/** @typedef {{sound: OwnSound | RemoteSound, meter: AnalyserNode}} Strip */

export class AudioMixer {
  /** @type {Map<string, Strip>} */
  #strips = new Map();
  #samples = new Float32Array(METER);
  #heardAt = -1;
  #context = new AudioContext({ sampleRate: 48000 });
  #destination = new MediaStreamAudioDestinationNode(this.#context);
  /** Who reads remote tracks and plays them, once there is one. @type {{worker: Worker, ready: Promise<void>} | null} */
  #reading = null;

  #revived;

  /** @param {() => void} revived called when the sound system goes on after it stood still */
  constructor(revived) {
    this.#revived = revived;
    // Chrome fact 4: a destination without input yields no bytes; a constant of 0 keeps it alive.
    const silence = new ConstantSourceNode(this.#context, { offset: 0 });
    silence.connect(this.#destination);
    silence.start();
    this.#context.addEventListener('statechange', () => this.#resume());
    this.#resume();
  }

  /** The mixed track, the same from start to end; a microphone may end behind it (Chrome fact 5). */
  get track() {
    return /** @type {MediaStreamTrack} */ (this.#destination.stream.getAudioTracks()[0]);
  }

  /** Takes a participant's track in, or another one in its place. @param {string} id @param {MediaStreamTrack} track @param {boolean} remote */
  set(id, track, remote) {
    this.remove(id);
    const sound = remote
      ? new RemoteSound(this.#context, track, this.#destination, { id, ...this.#read() })
      : new OwnSound(this.#context, track, this.#destination);
    const meter = new AnalyserNode(this.#context, { fftSize: METER });
    sound.node.connect(meter);
    this.#strips.set(id, { sound, meter });
  }

  /** Delays a participant's sound. @param {string} id @param {number} ms of the picture @param {number} skew how late WebRTC let the sound come, ms */
  setDelay(id, ms, skew) {
    this.#strips.get(id)?.sound.set(ms - skew);
  }

  /** Whether the sound system has moved on since it was last asked; one that is suspended is woken. */
  moved() {
    this.#resume();
    const { currentTime } = this.#context;
    const moved = currentTime > this.#heardAt;
    this.#heardAt = currentTime;
    return moved;
  }

  /** How loud a participant is now, 0 to 1. @param {string} id */
  level(id) {
    const samples = this.#latest(id);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / METER);
  }

  /** Whether anything at all comes from a participant now. @param {string} id */
  sounds(id) {
    return this.#latest(id).some((sample) => sample !== 0);
  }

  /** @param {string} id @returns {Float32Array} */
  #latest(id) {
    const strip = this.#strips.get(id);
    if (strip) strip.meter.getFloatTimeDomainData(this.#samples);
    else this.#samples.fill(0);
    return this.#samples;
  }

  /** @param {string} id */
  remove(id) {
    const strip = this.#strips.get(id);
    if (!strip) return;
    strip.sound.close();
    this.#strips.delete(id);
  }

  async close() {
    for (const id of [...this.#strips.keys()]) this.remove(id);
    // It ends by itself when it has let go of its tracks: one that is cut off leaves them with a reader that never reads.
    this.#reading?.worker.postMessage({ type: 'end' });
    if (this.#context.state !== 'closed') await this.#context.close();
  }

  #read() {
    this.#reading ??= {
      worker: startWorker(new URL('./worker.js', import.meta.url)),
      ready: this.#context.audioWorklet.addModule(new URL('./ring-worklet.js', import.meta.url)),
    };
    return this.#reading;
  }

  /** Wakes a sound system that stands; remote sound died with it (Chrome fact 6), and begins anew. */
  #resume() {
    if (this.#context.state === 'suspended') this.#context.resume().then(this.#revived, () => undefined);
  }
}
