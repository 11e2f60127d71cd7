/** RecordingPanel: the four calls, each where it makes sense, and how the recording is doing. */

import { RecordingOptions } from './options.js';
import { clockTime, fileSize, find, length, say, words } from './page.js';

/** How often the time and size are looked at while recording, in ms. */
const LOOK_EVERY = 250;

/** @typedef {import('../client.js').Client['take']} Take */
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
  idle: 'Nothing is being recorded.',
  starting: 'Waiting for picture and sound.',
  paused: 'Paused.',
  stopping: 'Finishing the file.',
  broken: 'There is no finished file.',
  stopped: 'Download it; Clean discards it.',
  downloading: 'Downloading.',
  downloaded: 'Downloaded. Clean when done.',
  cleaning: 'Cleaning.',
};

/** Emits `state` when the state or the elapsed time is another one. */
export class RecordingPanel extends EventTarget {
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
  #buttons;

  /** @param {Document} document @param {import('../client.js').Client} client */
  constructor(document, client) {
    super();
    this.#client = client;
    this.#options = new RecordingOptions(document);
    this.#tape = find(document, 'tape', HTMLElement);
    this.#elapsed = find(document, 'elapsed', HTMLElement);
    this.#received = find(document, 'received', HTMLElement);
    this.#fileName = find(document, 'file-name', HTMLElement);
    this.#fileFacts = find(document, 'file-facts', HTMLElement);
    this.#status = find(document, 'recording-status', HTMLElement);
    this.#problem = find(document, 'recording-problem', HTMLElement);
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
    this.#options.addEventListener('submit', () => this.#buttons.start.click());
    client.addEventListener('recording-failed', (event) => {
      say(this.#problem, words(/** @type {CustomEvent<{error: Error}>} */ (event).detail.error));
    });
  }

  /** Shows how the client's recording is doing. */
  render() {
    const { take } = this.#client;
    const calls = this.#calls();
    const [next] = CALLS[stateOf(take)];
    this.state = this.#busy ?? stateOf(take);
    for (const [call, button] of Object.entries(this.#buttons)) {
      button.disabled = !calls.some((one) => one === call);
      button.classList.toggle('strong', call === next && !button.disabled);
    }
    this.#options.allow(calls.includes('start'));
    this.#tape.dataset['state'] = this.state;
    say(this.#status, this.state === 'recording' ? progress(take) : STATUS[this.state]);
    const finished = take?.state === 'stopped' ? take.finished : null;
    this.#tape.classList.toggle('has-file', finished !== null);
    say(this.#fileName, finished?.name ?? '');
    say(this.#fileFacts, finished ? `${length(finished.duration)}, ${fileSize(finished.size)}` : '');
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
      say(this.#problem, words(error));
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
    const { take, state } = this.#client;
    return CALLS[stateOf(take)].filter((call) => call !== 'start' || state === 'joined');
  }

  #tick() {
    const { take } = this.#client;
    const running = take?.running || this.state === 'stopping';
    this.elapsed = clockTime(take && running ? take.elapsed / 1000 : 0);
    say(this.#elapsed, this.elapsed);
    say(this.#received, take && running ? fileSize(take.spool.acknowledged) : '');
    this.dispatchEvent(new Event('state'));
  }
}

/** @param {Take} take @returns {TakeState} */
function stateOf(take) {
  if (!take || take.state === 'cleaned') return 'idle';
  if (take.state === 'recording' || take.state === 'paused') return take.state;
  if (!take.finished) return 'broken';
  return take.downloaded ? 'downloaded' : 'stopped';
}

/** What is being recorded, or what is wrong with it. @param {Take} take */
function progress(take) {
  if (!take) return '';
  if (take.alarm) return take.alarm;
  const { recorder, type, config, frameRate } = take.plan;
  const whom = recorder === 'all' ? 'Everybody' : 'Only you';
  return type === 'audio'
    ? `${whom}, sound only.`
    : `${whom}, ${config.recordVideoQuality}p at ${frameRate} fps.`;
}
