/** RecordingPanel: what to record, the four calls, and how the recording is doing. */

import { pageNow } from "../clock.js";
import { clockTime, fileSize, find, length, say, words } from "./page.js";

const LOOK_EVERY = 250;

/** @typedef {"idle" | "starting" | "recording" | "stopping" | "stopped" | "downloading" | "downloaded" | "cleaning"} State */
/** @typedef {"start" | "stop" | "download" | "clean"} Call */

/** What the panel says in each state, but for the one that depends on the recording. */
const STATUS = {
  idle: "Nothing is being recorded.",
  starting: "Waiting for everybody's picture and sound.",
  stopping: "Finishing the file.",
  stopped: "Not downloaded yet. Clean would throw it away.",
  downloading: "Downloading.",
  downloaded: "Downloaded. Clean removes the server's copy; yours stays.",
  cleaning: "Cleaning.",
};

/** Which calls make sense when; the first one is what people most likely want next. @type {Record<State, Call[]>} */
const CALLS = {
  idle: ["start"],
  starting: [],
  recording: ["stop"],
  stopping: [],
  stopped: ["download", "clean", "start"],
  downloading: [],
  downloaded: ["start", "download", "clean"],
  cleaning: [],
};

/** Emits `state` when the state or the elapsed time is another one. */
export class RecordingPanel extends EventTarget {
  /** @type {State} */
  state = "idle";
  elapsed = "0:00";
  /** A call under way. @type {State | null} */
  #busy = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #client;
  #tape;
  #elapsed;
  #received;
  #fileName;
  #fileFacts;
  #status;
  #problem;
  #fields;
  #choices;
  #buttons;

  /** @param {Document} document @param {import("../client.js").Client} client */
  constructor(document, client) {
    super();
    this.#client = client;
    this.#tape = find(document, "tape", HTMLElement);
    this.#elapsed = find(document, "elapsed", HTMLElement);
    this.#received = find(document, "received", HTMLElement);
    this.#fileName = find(document, "file-name", HTMLElement);
    this.#fileFacts = find(document, "file-facts", HTMLElement);
    this.#status = find(document, "recording-status", HTMLElement);
    this.#problem = find(document, "recording-problem", HTMLElement);
    this.#fields = find(document, "recording-fields", HTMLFieldSetElement);
    this.#choices = {
      recorder: find(document, "recorder", HTMLSelectElement),
      type: find(document, "record-type", HTMLSelectElement),
      quality: find(document, "quality", HTMLSelectElement),
      frameRate: find(document, "frame-rate", HTMLSelectElement),
      name: find(document, "record-name", HTMLInputElement),
    };
    this.#buttons = {
      start: find(document, "start", HTMLButtonElement),
      stop: find(document, "stop", HTMLButtonElement),
      download: find(document, "download", HTMLButtonElement),
      clean: find(document, "clean", HTMLButtonElement),
    };
    this.#listen(find(document, "recording-options", HTMLFormElement));
  }

  /** Shows how the client's recording is doing. */
  render() {
    const { take } = this.#client;
    const inRoom = this.#client.state === "joined";
    this.state = this.#busy ?? stateOf(take);
    const sensible = CALLS[this.state].filter((call) => call !== "start" || inRoom);
    const next = sensible.find((call) => call !== "clean");
    for (const [call, button] of Object.entries(this.#buttons)) {
      button.disabled = !sensible.some((one) => one === call);
      button.classList.toggle("strong", call === next);
    }
    const options = this.#choices;
    this.#fields.disabled = !sensible.includes("start");
    options.quality.disabled = options.frameRate.disabled = options.type.value === "audio";
    this.#tape.dataset["state"] = this.state;
    say(this.#status, this.state === "recording" && take ? planWords(take.plan) : STATUS[/** @type {keyof typeof STATUS} */ (this.state)]);
    const finished = take?.state === "stopped" ? take.finished : null;
    this.#tape.classList.toggle("has-file", finished !== null);
    say(this.#fileName, finished?.name ?? "");
    say(this.#fileFacts, finished ? `${length(finished.duration)}, ${fileSize(finished.size)}` : "");
    clearInterval(this.#timer);
    if (this.state === "recording") this.#timer = setInterval(() => this.#tick(), LOOK_EVERY);
    this.#tick();
  }

  /** Says what went wrong. @param {string} problem */
  tell(problem) {
    say(this.#problem, problem);
  }

  /** @param {HTMLFormElement} form */
  #listen(form) {
    const client = this.#client;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#buttons.start.click();
    });
    form.addEventListener("change", () => this.render());
    this.#on("start", "starting", () => client.startMediaRecording(this.#options()));
    this.#on("stop", "stopping", () => client.stopMediaRecording());
    this.#on("download", "downloading", () => client.downloadMediaRecording());
    this.#on("clean", "cleaning", () => client.cleanMediaRecording());
    client.addEventListener("recording-failed", (event) => {
      this.tell(words(/** @type {CustomEvent<Error>} */ (event).detail));
    });
  }

  /** @param {Call} call @param {State} busy @param {() => Promise<unknown>} make */
  #on(call, busy, make) {
    this.#buttons[call].addEventListener("click", () => void this.#run(busy, make));
  }

  /** @param {State} busy @param {() => Promise<unknown>} make */
  async #run(busy, make) {
    this.tell("");
    this.#busy = busy;
    this.render();
    try {
      await make();
    } catch (error) {
      this.tell(words(error));
    }
    this.#busy = null;
    this.render();
    // The pressed button can't be pressed again; whoever works with the keyboard goes on from the next one.
    const next = CALLS[this.state][0];
    const { activeElement } = this.#tape.ownerDocument;
    const lost = !activeElement || activeElement.matches("body, button:disabled");
    if (next && lost) this.#buttons[next].focus();
  }

  #tick() {
    const { take } = this.#client;
    const seconds = this.state === "recording" && take ? (pageNow() - take.recorder.startedAt) / 1000 : 0;
    this.elapsed = clockTime(seconds);
    say(this.#elapsed, this.elapsed);
    say(this.#received, take && this.state === "recording" ? fileSize(take.spool.acknowledged) : "");
    this.dispatchEvent(new Event("state"));
  }

  /** @returns {RecordOptions} */
  #options() {
    const { recorder, type, quality, frameRate, name } = this.#choices;
    return {
      recorder: /** @type {RecorderKind} */ (recorder.value),
      recordConfig: {
        recordType: /** @type {"audio" | "video"} */ (type.value),
        recordName: name.value.trim(),
        recordVideoQuality: Number(quality.value),
        recordVideoFrame: Number(frameRate.value),
      },
    };
  }
}

/** @param {import("../client.js").Client["take"]} take @returns {State} */
function stateOf(take) {
  if (!take || take.state === "cleaned") return "idle";
  if (take.state === "recording") return "recording";
  if (!take.finished) return "stopping";
  return take.downloaded ? "downloaded" : "stopped";
}

/** @param {RecordPlan} plan */
function planWords({ recorder, type, config, frameRate }) {
  const whom = recorder === "all" ? "Everybody" : "Only you";
  return type === "audio" ? `${whom}, sound only.` : `${whom}, ${config.recordVideoQuality}p at ${frameRate} frames a second.`;
}
