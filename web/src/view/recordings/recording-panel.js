/** RecordingPanel: the buttons for the four recording calls, and the recording's health. */

import { Emitter } from '../../shared/events.js';
import { RecordingOptions } from './recording-options.js';
import { clockTime, fileSize, find, length, setText } from '../page.js';

/** How often time, size and health are updated while recording, in ms. */
const UPDATE_EVERY = 250;
/**
 * The frame rate is marked as bad if it is below this fraction of the requested rate, and the backlog is marked as bad
 * if it exceeds this number of bytes.
 */
const LOW_FRAME_RATE = 0.95;
const LARGE_BACKLOG = 1_000_000;

/** @typedef {import('../../client/client.js').Client['recording']} Recording */
/** @typedef {'idle' | 'recording' | 'paused' | 'broken' | 'stopped' | 'downloaded'} PanelState */
/** @typedef {'starting' | 'stopping' | 'downloading' | 'cleaning'} Busy a call in progress */
/** @typedef {'start' | 'stop' | 'download' | 'clean'} Call */

/**
 * The recording calls that are enabled in each state. The call that the user is most likely to make next is listed
 * first.
 *
 * @type {Record<PanelState, Call[]>}
 */
const CALLS = {
  idle: ['start'],
  recording: ['stop'],
  paused: ['stop'],
  broken: ['clean', 'start'],
  stopped: ['download', 'clean', 'start'],
  downloaded: ['start', 'download', 'clean'],
};

/** @type {Record<Exclude<PanelState, 'recording'> | Busy, string>} */
const STATUS = {
  idle: 'You are not recording.',
  starting: 'Waiting for video and audio.',
  paused: 'Paused.',
  stopping: 'Finalizing the file.',
  broken: 'No file was saved.',
  stopped: 'Download or discard the recording.',
  downloading: 'Downloading.',
  downloaded: 'Downloaded. Discard the recording when you no longer need it.',
  cleaning: 'Discarding.',
};

/** The status messages for a published recording that failed, and for one that was stopped. */
const CUT_OFF = "The recording ended early. The recorded part is in this room's list of recordings.";
const LISTED = "The recording is in this room's list of recordings. Press Download to save a copy.";

/**
 * Emits `state` when the state or the elapsed time has changed.
 *
 * @extends {Emitter<{state: void}>}
 */
export class RecordingPanel extends Emitter {
  /** @type {PanelState | Busy} */
  state = 'idle';
  elapsed = clockTime(0);
  /** @type {Busy | null} */
  #busy = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #client;
  #options;
  #box;
  #elapsed;
  #received;
  #fileName;
  #fileFacts;
  #status;
  #problem;
  #health;
  #alarms;
  /** The recording whose alarms are displayed. @type {Recording} */
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
    this.#box = find(document, 'recorder-state', HTMLElement);
    this.#elapsed = find(document, 'elapsed', HTMLElement);
    this.#received = find(document, 'received', HTMLElement);
    this.#fileName = find(document, 'file-name', HTMLElement);
    this.#fileFacts = find(document, 'file-facts', HTMLElement);
    this.#status = find(document, 'recording-status', HTMLElement);
    this.#problem = find(document, 'recording-problem', HTMLElement);
    this.#health = {
      all: find(document, 'health', HTMLElement),
      frameRate: find(document, 'health-frame-rate', HTMLElement),
      bitrate: find(document, 'health-bitrate', HTMLElement),
      backlog: find(document, 'health-backlog', HTMLElement),
    };
    this.#alarms = find(document, 'alarms', HTMLElement);
    this.#buttons = {
      start: find(document, 'start', HTMLButtonElement),
      stop: find(document, 'stop', HTMLButtonElement),
      download: find(document, 'download', HTMLButtonElement),
      clean: find(document, 'clean', HTMLButtonElement),
    };
    this.#onClick('start', 'starting', () => client.startMediaRecording(this.#options.chosen));
    this.#onClick('stop', 'stopping', () => client.stopMediaRecording());
    this.#onClick('download', 'downloading', () => client.downloadMediaRecording());
    this.#onClick('clean', 'cleaning', () => client.cleanMediaRecording());
    this.#options.listen('submit', () => this.#buttons.start.click());
    client.listen('recording-failed', ({ error }) => setText(this.#problem, language.describeError(error)));
    // The panel lists the alarms of the current recording only.
    client.listen('recording-stalled', ({ id, message }) => {
      if (id !== client.recording?.id) setText(this.#problem, language.translateMessage(message));
    });
  }

  /** Shows the state and health of the client's recording. */
  render() {
    const { recording } = this.#client;
    const calls = this.#possibleCalls();
    const [next] = CALLS[stateOf(recording)];
    this.state = this.#busy ?? stateOf(recording);
    for (const [call, button] of Object.entries(this.#buttons)) {
      button.disabled = !calls.some((one) => one === call);
      button.classList.toggle('strong', call === next && !button.disabled);
    }
    this.#options.allow(calls.includes('start'));
    this.#box.dataset['state'] = this.state;
    const { t } = this.#language;
    setText(this.#status, this.state === 'recording' ? this.#progressText(recording) : t(this.#statusText()));
    this.#renderAlarms(recording);
    const finished = recording?.state === 'stopped' ? recording.finished : null;
    this.#box.classList.toggle('has-file', finished !== null);
    setText(this.#fileName, this.#publishedItem()?.name ?? finished?.name ?? '');
    setText(this.#fileFacts, finished ? `${length(finished.duration, t)} · ${fileSize(finished.size)}` : '');
    clearInterval(this.#timer);
    if (this.state === 'recording') this.#timer = setInterval(() => this.#updateNumbers(), UPDATE_EVERY);
    this.#updateNumbers();
  }

  /**
   * Runs a recording call, shows that it is in progress, and then shows any error.
   *
   * @param {Busy} busy
   * @param {() => Promise<unknown>} call
   */
  async run(busy, call) {
    setText(this.#problem, '');
    this.#busy = busy;
    this.render();
    try {
      await call();
    } catch (error) {
      setText(this.#problem, this.#language.describeError(error));
    }
    this.#busy = null;
    this.render();
    // The pressed button is now disabled, so move the keyboard focus to the next button.
    const { activeElement } = this.#box.ownerDocument;
    const [next] = this.#possibleCalls();
    if (next && (!activeElement || activeElement.matches('body, button:disabled')))
      this.#buttons[next].focus();
  }

  /** @param {Call} name @param {Busy} busy @param {() => Promise<unknown>} call */
  #onClick(name, busy, call) {
    this.#buttons[name].addEventListener('click', () => void this.run(busy, call));
  }

  /** @returns {Call[]} */
  #possibleCalls() {
    if (this.#busy) return [];
    const { recording, state } = this.#client;
    return CALLS[stateOf(recording)].filter((call) => call !== 'start' || state === 'joined');
  }

  #updateNumbers() {
    const { recording } = this.#client;
    const running = recording?.running || this.state === 'stopping';
    this.elapsed = clockTime(recording && running ? recording.elapsed / 1000 : 0);
    setText(this.#elapsed, this.elapsed);
    setText(this.#received, recording && running ? fileSize(recording.spool.acknowledged) : '');
    this.#renderHealth(recording);
    this.emit('state');
  }

  /** Shows the mixer's frame rate, the bitrate that reaches the server, and the backlog. @param {Recording} recording */
  #renderHealth(recording) {
    this.#health.all.hidden = this.state !== 'recording' || !recording;
    if (this.state !== 'recording' || !recording) return;
    const { t } = this.#language;
    const { health, plan, spool } = recording;
    const { frameRate, bitsPerSecond } = health;
    const backlog = spool.bytes - spool.acknowledged;
    const audioOnly = plan.type === 'audio';
    const { frameRate: rateField, bitrate: bitrateField } = this.#health;
    setText(
      rateField,
      audioOnly ? t('none') : frameRate === null ? '–' : t('{rate} fps', { rate: frameRate.toFixed(1) }),
    );
    rateField.toggleAttribute(
      'data-bad',
      !audioOnly && frameRate !== null && frameRate < LOW_FRAME_RATE * plan.frameRate,
    );
    setText(bitrateField, bitsPerSecond === null ? '–' : bitRate(bitsPerSecond));
    setText(this.#health.backlog, fileSize(backlog));
    this.#health.backlog.toggleAttribute('data-bad', backlog > LARGE_BACKLOG);
  }

  /** Shows every alarm of this recording with its time. @param {Recording} recording */
  #renderAlarms(recording) {
    const alarms = recording && recording.state !== 'cleaned' ? recording.alarms : [];
    const { children } = this.#alarms;
    if (this.#alarmsOf !== recording || children.length > alarms.length) this.#alarms.replaceChildren();
    this.#alarmsOf = recording;
    for (const { elapsed, message } of alarms.slice(children.length)) {
      const line = this.#alarms.ownerDocument.createElement('p');
      setText(line, `${clockTime(elapsed / 1000)} ${this.#language.translateMessage(message)}`);
      this.#alarms.append(line);
    }
  }

  /** Returns the status text. */
  #statusText() {
    const { state } = this;
    if (state === 'recording') return '';
    if (!this.#publishedItem()) return STATUS[state];
    return state === 'stopped' ? LISTED : state === 'broken' ? CUT_OFF : STATUS[state];
  }

  /** Returns this recording's entry in the room's list of recordings, or null if the recording isn't published. */
  #publishedItem() {
    const { recording, room } = this.#client;
    return room?.recordings?.find(({ id, state }) => id === recording?.id && state === 'published') ?? null;
  }

  /** Returns the status text while recording. @param {Recording} recording */
  #progressText(recording) {
    if (!recording) return '';
    const { t } = this.#language;
    const { recorder, type, config, frameRate } = recording.plan;
    const all = recorder === 'all';
    if (type === 'audio')
      return t(all ? 'Recording the audio of all participants.' : 'Recording only your audio.');
    return t(
      all
        ? 'Recording all participants at {height}p, {rate} fps.'
        : 'Recording only you at {height}p, {rate} fps.',
      { height: String(config.recordVideoQuality), rate: frameRate },
    );
  }
}

/** Formats a bitrate: 1234567 becomes 1.2 Mbps. @param {number} bits per second */
const bitRate = (bits) =>
  bits < 1e6 ? `${Math.round(bits / 1000)} kbps` : `${(bits / 1e6).toFixed(1)} Mbps`;

/** @param {Recording} recording @returns {PanelState} */
function stateOf(recording) {
  if (!recording || recording.state === 'cleaned') return 'idle';
  if (recording.state === 'recording' || recording.state === 'paused') return recording.state;
  if (!recording.finished) return 'broken';
  return recording.downloaded ? 'downloaded' : 'stopped';
}
