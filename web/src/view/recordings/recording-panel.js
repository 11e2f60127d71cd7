/** RecordingPanel: the four calls, each where it makes sense, and how the recording is doing. */

import { Emitter } from '../../shared/events.js';
import { RecordingOptions } from './recording-options.js';
import { clockTime, fileSize, find, length, say } from '../page.js';

/** How often the time and size are looked at while recording, in ms. */
const LOOK_EVERY = 250;
/** What is worth a second look: pictures a second, of those wanted; bytes that wait for the server. */
const FEW_PICTURES = 0.95;
const LARGE_BACKLOG = 1_000_000;

/** @typedef {import('../../client/client.js').Client['recording']} Take */
/** @typedef {'idle' | 'recording' | 'paused' | 'broken' | 'stopped' | 'downloaded'} TakeState */
/** @typedef {'starting' | 'stopping' | 'downloading' | 'cleaning'} Busy a call under way */
/** @typedef {'start' | 'stop' | 'download' | 'clean'} Call */

/** Which calls make sense when, the one that people most likely want first. @type {Record<TakeState, Call[]>} */
const CALLS = {
  idle: ['start'],
  recording: ['stop'],
  paused: ['stop'],
  broken: ['clean', 'start'],
  stopped: ['download', 'clean', 'start'],
  downloaded: ['start', 'download', 'clean'],
};

/** @type {Record<Exclude<TakeState, 'recording'> | Busy, string>} */
const STATUS = {
  idle: 'You are not recording.',
  starting: 'Waiting for picture and sound.',
  paused: 'Paused.',
  stopping: 'Finishing the file.',
  broken: 'There is no finished file.',
  stopped: 'Download it; Clean discards it.',
  downloading: 'Downloading.',
  downloaded: 'Downloaded. Clean when done.',
  cleaning: 'Cleaning.',
};

/** How one stands that the server keeps: it broke, or it was stopped. */
const CUT_OFF = 'It ended early; what there is of it is in the list of this room.';
const LISTED = 'It stays in the list of this room; Download takes a copy home.';

/**
 * Emits `state` when the state or the elapsed time is another one.
 *
 * @extends {Emitter<{state: void}>}
 */
export class RecordingPanel extends Emitter {
  /** @type {TakeState | Busy} */
  state = 'idle';
  elapsed = clockTime(0);
  /** @type {Busy | null} */
  #busy = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #client;
  #options;
  #tape;
  #elapsed;
  #received;
  #fileName;
  #fileFacts;
  #status;
  #problem;
  #health;
  #alarms;
  /** @type {Take} */
  #alarmsOf = null;
  #buttons;
  #language;

  /**
   * @param {Document} document
   * @param {import('../../client/client.js').Client} client
   * @param {import('../language/language.js').Language} language
   */
  constructor(document, client, language) {
    super();
    this.#client = client;
    this.#language = language;
    this.#options = new RecordingOptions(document);
    this.#tape = find(document, 'tape', HTMLElement);
    this.#elapsed = find(document, 'elapsed', HTMLElement);
    this.#received = find(document, 'received', HTMLElement);
    this.#fileName = find(document, 'file-name', HTMLElement);
    this.#fileFacts = find(document, 'file-facts', HTMLElement);
    this.#status = find(document, 'recording-status', HTMLElement);
    this.#problem = find(document, 'recording-problem', HTMLElement);
    this.#health = {
      all: find(document, 'health', HTMLElement),
      pictures: find(document, 'health-pictures', HTMLElement),
      data: find(document, 'health-data', HTMLElement),
      backlog: find(document, 'health-backlog', HTMLElement),
    };
    this.#alarms = find(document, 'alarms', HTMLElement);
    this.#buttons = {
      start: find(document, 'start', HTMLButtonElement),
      stop: find(document, 'stop', HTMLButtonElement),
      download: find(document, 'download', HTMLButtonElement),
      clean: find(document, 'clean', HTMLButtonElement),
    };
    this.#on('start', 'starting', () => client.startMediaRecording(this.#options.chosen));
    this.#on('stop', 'stopping', () => client.stopMediaRecording());
    this.#on('download', 'downloading', () => client.downloadMediaRecording());
    this.#on('clean', 'cleaning', () => client.cleanMediaRecording());
    this.#options.listen('submit', () => this.#buttons.start.click());
    client.listen('recording-failed', ({ error }) => say(this.#problem, language.error(error)));
  }

  /** Shows how the client's recording is doing. */
  render() {
    const { recording: take } = this.#client;
    const calls = this.#calls();
    const [next] = CALLS[stateOf(take)];
    this.state = this.#busy ?? stateOf(take);
    for (const [call, button] of Object.entries(this.#buttons)) {
      button.disabled = !calls.some((one) => one === call);
      button.classList.toggle('strong', call === next && !button.disabled);
    }
    this.#options.allow(calls.includes('start'));
    this.#tape.dataset['state'] = this.state;
    const { t } = this.#language;
    say(this.#status, this.state === 'recording' ? this.#progress(take) : t(this.#word()));
    this.#renderAlarms(take);
    const finished = take?.state === 'stopped' ? take.finished : null;
    this.#tape.classList.toggle('has-file', finished !== null);
    say(this.#fileName, this.#listed()?.name ?? finished?.name ?? '');
    say(this.#fileFacts, finished ? `${length(finished.duration, t)}, ${fileSize(finished.size)}` : '');
    clearInterval(this.#timer);
    if (this.state === 'recording') this.#timer = setInterval(() => this.#tick(), LOOK_EVERY);
    this.#tick();
  }

  /**
   * Makes a call; shows that it is under way, and afterwards what went wrong.
   *
   * @param {Busy} busy
   * @param {() => Promise<unknown>} call
   */
  async run(busy, call) {
    say(this.#problem, '');
    this.#busy = busy;
    this.render();
    try {
      await call();
    } catch (error) {
      say(this.#problem, this.#language.error(error));
    }
    this.#busy = null;
    this.render();
    // A button that was just pressed can't be pressed again: whoever uses the keyboard goes on from the next one.
    const { activeElement } = this.#tape.ownerDocument;
    const [next] = this.#calls();
    if (next && (!activeElement || activeElement.matches('body, button:disabled')))
      this.#buttons[next].focus();
  }

  /** @param {Call} name @param {Busy} busy @param {() => Promise<unknown>} call */
  #on(name, busy, call) {
    this.#buttons[name].addEventListener('click', () => void this.run(busy, call));
  }

  /** @returns {Call[]} */
  #calls() {
    if (this.#busy) return [];
    const { recording: take, state } = this.#client;
    return CALLS[stateOf(take)].filter((call) => call !== 'start' || state === 'joined');
  }

  #tick() {
    const { recording: take } = this.#client;
    const running = take?.running || this.state === 'stopping';
    this.elapsed = clockTime(take && running ? take.elapsed / 1000 : 0);
    say(this.#elapsed, this.elapsed);
    say(this.#received, take && running ? fileSize(take.spool.acknowledged) : '');
    this.#renderHealth(take);
    this.emit('state');
  }

  /** How many pictures are mixed, how much reaches the server, how much waits for it. @param {Take} take */
  #renderHealth(take) {
    this.#health.all.hidden = this.state !== 'recording' || !take;
    if (this.state !== 'recording' || !take) return;
    const { t } = this.#language;
    const { health, plan, spool } = take;
    const { frameRate, bitsPerSecond } = health;
    const backlog = spool.bytes - spool.acknowledged;
    const sound = plan.type === 'audio';
    const { pictures, data } = this.#health;
    say(
      pictures,
      sound ? t('none') : frameRate === null ? '–' : t('{rate}/s', { rate: frameRate.toFixed(1) }),
    );
    pictures.toggleAttribute(
      'data-bad',
      !sound && frameRate !== null && frameRate < FEW_PICTURES * plan.frameRate,
    );
    say(data, bitsPerSecond === null ? '–' : bitRate(bitsPerSecond));
    say(this.#health.backlog, fileSize(backlog));
    this.#health.backlog.toggleAttribute('data-bad', backlog > LARGE_BACKLOG);
  }

  /** Every alarm of this recording, and when it was raised. @param {Take} take */
  #renderAlarms(take) {
    const alarms = take && take.state !== 'cleaned' ? take.alarms : [];
    const { children } = this.#alarms;
    if (this.#alarmsOf !== take || children.length > alarms.length) this.#alarms.replaceChildren();
    this.#alarmsOf = take;
    for (const { elapsed, message } of alarms.slice(children.length)) {
      const line = this.#alarms.ownerDocument.createElement('p');
      say(line, `${clockTime(elapsed / 1000)} ${this.#language.said(message)}`);
      this.#alarms.append(line);
    }
  }

  /** How things stand. */
  #word() {
    const { state } = this;
    if (state === 'recording') return '';
    if (!this.#listed()) return STATUS[state];
    return state === 'stopped' ? LISTED : state === 'broken' ? CUT_OFF : STATUS[state];
  }

  /** What the server keeps of this recording, if it does. */
  #listed() {
    const { recording: take, room } = this.#client;
    return room?.recordings?.find(({ id, state }) => id === take?.id && state === 'published') ?? null;
  }

  /** What is being recorded. @param {Take} take */
  #progress(take) {
    if (!take) return '';
    const { t } = this.#language;
    const { recorder, type, config, frameRate } = take.plan;
    const whom = recorder === 'all' ? t('Everybody') : t('Only you');
    return type === 'audio'
      ? t('{whom}, sound only.', { whom })
      : t('{whom}, {height}p at {rate} fps.', {
          whom,
          height: String(config.recordVideoQuality),
          rate: frameRate,
        });
  }
}

/** 1234567 -> 1.2 Mbps. @param {number} bits a second */
const bitRate = (bits) =>
  bits < 1e6 ? `${Math.round(bits / 1000)} kbps` : `${(bits / 1e6).toFixed(1)} Mbps`;

/** @param {Take} take @returns {TakeState} */
function stateOf(take) {
  if (!take || take.state === 'cleaned') return 'idle';
  if (take.state === 'recording' || take.state === 'paused') return take.state;
  if (!take.finished) return 'broken';
  return take.downloaded ? 'downloaded' : 'stopped';
}
