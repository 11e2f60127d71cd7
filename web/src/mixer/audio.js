/** The one steady sound: everybody's, each delayed as their picture is. */

/** The longest delay a participant's sound can get, in seconds. */
const MOST_DELAY = 1;
/** What WebAudio itself takes from a track to the mix, in ms (measured): from this page's own, and from a remote one. */
const OWN_DELAY = 15;
const REMOTE_DELAY = 45;
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

/** @param {HTMLAudioElement} element @param {MediaProvider | null} stream */
function play(element, stream) {
  element.srcObject = null;
  element.srcObject = stream;
  element.play().catch(() => undefined);
}

/** @typedef {{source: MediaStreamAudioSourceNode, delay: Delay, meter: AnalyserNode, element: HTMLAudioElement | null}} Strip */

export class AudioMixer {
  /** @type {Map<string, Strip>} */
  #strips = new Map();
  #samples = new Float32Array(METER);
  #heardAt = -1;
  #context = new AudioContext({ sampleRate: 48000 });
  #destination = new MediaStreamAudioDestinationNode(this.#context);

  constructor() {
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
    const stream = new MediaStream([track]);
    // Chrome fact 6: remote sound is silent in WebAudio until its stream also plays in a media element.
    const element = remote ? new Audio() : null;
    if (element) {
      element.muted = true;
      play(element, stream);
    }
    const source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: stream });
    const delay = new Delay(this.#context, source, this.#destination);
    const meter = new AnalyserNode(this.#context, { fftSize: METER });
    source.connect(meter);
    this.#strips.set(id, { source, delay, meter, element });
  }

  /** Delays a participant's sound. @param {string} id @param {number} ms of the picture @param {number} skew how late WebRTC let the sound come, ms */
  setDelay(id, ms, skew) {
    const strip = this.#strips.get(id);
    strip?.delay.set(ms - skew - (strip.element ? REMOTE_DELAY : OWN_DELAY));
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
    const strip = this.#strips.get(id);
    if (!strip) return 0;
    strip.meter.getFloatTimeDomainData(this.#samples);
    return Math.sqrt(this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / METER);
  }

  /** @param {string} id */
  remove(id) {
    const strip = this.#strips.get(id);
    if (!strip) return;
    strip.source.disconnect();
    strip.delay.disconnect();
    if (strip.element) strip.element.srcObject = null;
    this.#strips.delete(id);
  }

  async close() {
    for (const id of [...this.#strips.keys()]) this.remove(id);
    if (this.#context.state !== 'closed') await this.#context.close();
  }

  /** Wakes a sound system that stands; the remote players died with it (Chrome fact 6), and begin anew. */
  #resume() {
    if (this.#context.state !== 'suspended') return;
    this.#context.resume().then(
      () => {
        for (const { element } of this.#strips.values()) if (element) play(element, element.srcObject);
      },
      () => undefined,
    );
  }
}
