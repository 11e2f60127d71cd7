/**
 * AudioMixer: mixes all participants' audio into one continuous track, and delays each participant's audio to match
 * their video.
 *
 * Input: one track and one delay per participant. Output: the mixed track, and each participant's loudness. The Mixer
 * (../mixer.js) creates the AudioMixer.
 */

import { hasSharedMemory } from '../../shared/memory.js';
import { startWorker } from '../../shared/start-worker.js';
import { Ring } from './ring.js';

/** Maximum delay of a participant's audio, in seconds. */
const MOST_DELAY = 1;
/**
 * Measured latency from a track to the mix, without the added delay, in ms. The first value is for local tracks, and
 * the second for remote tracks.
 */
const LOCAL_DELAY = 15;
const REMOTE_DELAY = 15;
/** A delay is corrected only if it deviates from its target by at least this much, in ms. */
const TOLERANCE = 6;
/** Number of samples over which loudness is measured. */
const METER = 8192;
/** Duration of the crossfade to a new delay, in seconds. */
const FADE = 0.03;

/**
 * Delays audio. A new delay is set on a second delay node and then faded in, since changing the first node's delay
 * gradually would shift the pitch.
 */
class Delay {
  #taps;
  #current = 0;
  /** The current delay in ms; NaN until a delay has been set. */
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

/** A local track. Chrome's source node accepts any sample rate, and its buffer is small and constant. */
class LocalAudio {
  #delay;

  /** @param {AudioContext} context @param {MediaStreamTrack} track @param {AudioNode} destination */
  constructor(context, track, destination) {
    this.node = new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) });
    this.#delay = new Delay(context, this.node, destination);
  }

  /** @param {number} ms */
  set(ms) {
    this.#delay.set(ms - LOCAL_DELAY);
  }

  close() {
    this.node.disconnect();
    this.#delay.disconnect();
  }
}

/**
 * The audio of a remote track. A worker reads the track, and a RingPlayer plays the track's audio with a fixed delay
 * (ring-player.js).
 */
class RemoteAudio {
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
   * @param {{worker: Worker, id: string, ready: Promise<void>}} reading the worker that reads the track, the track's id
   * in the worker, and a promise that resolves when players can be created
   */
  constructor(context, track, destination, { worker, id, ready }) {
    this.#worker = worker;
    this.#id = id;
    this.node = new GainNode(context);
    this.node.connect(destination);
    const { readable } = new MediaStreamTrackProcessor({
      track: /** @type {MediaStreamAudioTrack} */ (track),
    });
    if (hasSharedMemory) {
      const { buffer } = new Ring();
      worker.postMessage({ type: 'read', id, readable, target: buffer }, [readable]);
      void ready.then(() => this.#createPlayer(context, buffer));
    } else {
      const { port1, port2 } = new MessageChannel();
      worker.postMessage({ type: 'read', id, readable, target: port1 }, [readable, port1]);
      void ready.then(() => this.#createPlayer(context)?.port.postMessage({ pieces: port2 }, [port2]));
    }
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

  /**
   * Starts the playback; does nothing if the track has been removed in the meantime.
   *
   * @param {AudioContext} context
   * @param {SharedArrayBuffer | ArrayBuffer} [buffer] the memory of the ring; by default, the player allocates it
   */
  #createPlayer(context, buffer) {
    if (this.#closed) return null;
    this.#player = new AudioWorkletNode(context, 'ring-player', {
      numberOfInputs: 0,
      outputChannelCount: [2],
      processorOptions: { buffer },
    });
    this.#player.connect(this.node);
    if (!Number.isNaN(this.#delay)) this.#player.port.postMessage({ delay: this.#delay - REMOTE_DELAY });
    return this.#player;
  }
}

/** @typedef {{audio: LocalAudio | RemoteAudio, meter: AnalyserNode}} Channel */

export class AudioMixer {
  /** @type {Map<string, Channel>} */
  #channels = new Map();
  #samples = new Float32Array(METER);
  #lastTime = -1;
  #context = new AudioContext({ sampleRate: 48000 });
  #destination = new MediaStreamAudioDestinationNode(this.#context);
  /**
   * The worker that reads remote tracks, and a promise that resolves when players can be created; null before the first
   * remote track.
   *
   * @type {{worker: Worker, ready: Promise<void>} | null}
   */
  #reading = null;

  #onResumed;

  /** @param {() => void} onResumed called when the audio system has resumed */
  constructor(onResumed) {
    this.#onResumed = onResumed;
    // Chrome fact 4: a destination without input produces no data, so a constant signal of 0 keeps the destination
    // running.
    const silence = new ConstantSourceNode(this.#context, { offset: 0 });
    silence.connect(this.#destination);
    silence.start();
    this.#context.addEventListener('statechange', () => this.#resume());
    this.#resume();
  }

  /** The mixed track, which stays the same even if a microphone's track ends (Chrome fact 5). */
  get track() {
    return /** @type {MediaStreamTrack} */ (this.#destination.stream.getAudioTracks()[0]);
  }

  /**
   * Adds or replaces a participant's track.
   *
   * @param {string} id
   * @param {MediaStreamTrack} track
   * @param {boolean} remote
   */
  set(id, track, remote) {
    this.remove(id);
    const audio = remote
      ? new RemoteAudio(this.#context, track, this.#destination, { id, ...this.#startReading() })
      : new LocalAudio(this.#context, track, this.#destination);
    const meter = new AnalyserNode(this.#context, { fftSize: METER });
    audio.node.connect(meter);
    this.#channels.set(id, { audio, meter });
  }

  /**
   * Delays a participant's audio.
   *
   * @param {string} id
   * @param {number} ms the delay of the participant's video, in ms
   * @param {number} skew how much later the audio arrives than the video, in ms
   */
  setDelay(id, ms, skew) {
    this.#channels.get(id)?.audio.set(ms - skew);
  }

  /**
   * Resumes the audio system if it is suspended. Returns whether the audio system's clock has advanced since the last
   * call.
   */
  advances() {
    this.#resume();
    const { currentTime } = this.#context;
    const advanced = currentTime > this.#lastTime;
    this.#lastTime = currentTime;
    return advanced;
  }

  /** Returns a participant's current loudness, from 0 to 1. @param {string} id */
  level(id) {
    const samples = this.#readSamples(id);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / METER);
  }

  /** Returns whether any sample of a participant's current audio is not zero. @param {string} id */
  hasSignal(id) {
    return this.#readSamples(id).some((sample) => sample !== 0);
  }

  /** @param {string} id @returns {Float32Array} */
  #readSamples(id) {
    const channel = this.#channels.get(id);
    if (channel) channel.meter.getFloatTimeDomainData(this.#samples);
    else this.#samples.fill(0);
    return this.#samples;
  }

  /** @param {string} id */
  remove(id) {
    const channel = this.#channels.get(id);
    if (!channel) return;
    channel.audio.close();
    this.#channels.delete(id);
  }

  async close() {
    for (const id of [...this.#channels.keys()]) this.remove(id);
    // The worker releases its tracks and then ends by itself. If we terminated the worker instead, the tracks would
    // stay locked by readers that no longer read.
    this.#reading?.worker.postMessage({ type: 'end' });
    if (this.#context.state !== 'closed') await this.#context.close();
  }

  #startReading() {
    this.#reading ??= {
      worker: startWorker(new URL('./worker.js', import.meta.url)),
      ready: this.#context.audioWorklet.addModule(new URL('./ring-worklet.js', import.meta.url)),
    };
    return this.#reading;
  }

  /**
   * Resumes a suspended audio system. Remote audio stops when the system is suspended (Chrome fact 6), so its playback
   * must be restarted afterwards.
   */
  #resume() {
    if (this.#context.state === 'suspended') this.#context.resume().then(this.#onResumed, () => undefined);
  }
}
