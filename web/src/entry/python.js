/**
 * The calls that Python makes (harness/browser/pages/driven_page.py).
 *
 * Input: the name of a call and one plain-data argument. Output: a plain-data answer, and events. A call
 * never throws; if it fails, the answer contains the error.
 */

/** @typedef {import('../client/client.js').Client} Client */
/** @typedef {{ok: true, value: unknown} | {ok: false, error: {name: string, code: number | null, message: string}}} Answer */

const CALLS = /** @type {const} */ ([
  'join',
  'leave',
  'startMediaRecording',
  'stopMediaRecording',
  'downloadMediaRecording',
  'cleanMediaRecording',
  'pauseMediaRecording',
  'resumeMediaRecording',
  'getMediaRecording',
  'setMicrophone',
  'setCamera',
  'shareScreen',
  'replaceDevice',
  'unplugDevice',
  'setSpeaking',
  'getParticipants',
  'startObservation',
  'stopObservation',
  'getCounterZero',
]);

/** Python takes a file from the spool if the browser does not download it. */
const DOWNLOADS = { useSpool: true };

/** The events that Python receives through the binding `harnessEvent`. */
const EVENTS = ['started', 'paused', 'resumed', 'stopped', 'downloaded', 'cleaned', 'stalled', 'failed'];

/**
 * Returns the functions `begin`, `finish` and `call` for a client. Python uses `begin` to run calls on several pages in
 * parallel.
 *
 * @param {Client} client
 */
export function pythonCalls(client) {
  /** @type {Map<number, Promise<Answer>>} */
  const begun = new Map();
  let last = 0;
  for (const event of EVENTS)
    client.on(`recording-${event}`, (detail) => forwardEvent(`recording-${event}`, detail));
  client.on('observation', (detail) => callPython('observation', detail));

  /** @param {string} name @param {unknown} argument */
  const begin = (name, argument) => {
    last += 1;
    begun.set(last, answer(client, name, argument));
    return last;
  };

  /** @param {number} number */
  const finish = async (number) => {
    const result = await begun.get(number);
    begun.delete(number);
    return result;
  };

  return {
    begin,
    finish,
    call: (/** @type {string} */ name, /** @type {unknown} */ argument) => finish(begin(name, argument)),
  };
}

/** @param {string} name @param {unknown} detail */
function forwardEvent(name, detail) {
  const { error, ...plain } = /** @type {{error?: unknown}} */ (detail);
  const { message } = /** @type {{message?: string}} */ (error ?? detail);
  const kind = /** @type {{name?: string, code?: number} | undefined} */ (error);
  const broken = kind ? { name: kind.name, code: kind.code } : {};
  callPython(name, { ...plain, message, ...broken });
}

/** @param {string} name @param {unknown} detail */
function callPython(name, detail) {
  const scope = /** @type {{harnessEvent?: (name: string, detail: unknown) => Promise<void>}} */ (globalThis);
  // The binding no longer exists on a page that is closing.
  scope.harnessEvent?.(name, detail).catch(() => undefined);
}

/** Returns the arguments of a call. @param {string} call @param {unknown} argument */
function given(call, argument) {
  if (call === 'downloadMediaRecording') return [DOWNLOADS];
  return call === 'startMediaRecording' ? [argument, DOWNLOADS] : [argument];
}

/**
 * Chrome fact 22: an exception loses its name on the way to Python, so the answer includes the name.
 *
 * @param {Client} client
 * @param {string} name
 * @param {unknown} argument
 * @returns {Promise<Answer>}
 */
async function answer(client, name, argument) {
  try {
    const call = CALLS.find((known) => known === name);
    if (!call) throw new Error(`There is no method named ${name}.`);
    const callable = /** @type {Record<string, (...given: unknown[]) => unknown>} */ (
      /** @type {unknown} */ (client)
    );
    return { ok: true, value: (await callable[call]?.(...given(call, argument))) ?? null };
  } catch (error) {
    const {
      name: kind = 'Error',
      message = String(error),
      code = null,
    } = /** @type {Partial<Error & {code: number}>} */ (error ?? {});
    return { ok: false, error: { name: kind, code: typeof code === 'number' ? code : null, message } };
  }
}
