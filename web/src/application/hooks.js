/**
 * hooks.js runs in every frame of another application's page, before any of the page's own scripts. The page's own
 * scripts can't detect hooks.js. This is a classic script, since a module would run after the page's first scripts. The
 * script tracks the page's peer connections and the tracks that they send. If Python requests virtual devices, the
 * script replaces the page's camera and microphone. The script loads attach.js when a call begins. Python defines the
 * options in `HARNESS` and the source code of attach.js in `MODULES` before hooks.js runs.
 */
(() => {
  const KEY = Symbol.for('recording-harness');
  if (KEY in globalThis || typeof RTCPeerConnection !== 'function') return;

  // The page may later replace any of these globals. For example, zone.js replaces Promise.
  const { Blob, CloseEvent, CustomEvent, Event, MessageEvent, Promise, Proxy, Reflect, URL, Worker } =
    globalThis;
  const createURL = URL.createObjectURL.bind(URL);

  /** Matches host names that refer to this machine. */
  const LOCAL = /^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/;

  /** The functions that call Python (application_page.py). */
  const bindings =
    /** @type {{harnessMayReach: () => Promise<void>, harnessActivate: () => Promise<void>}} */ (
      /** @type {unknown} */ (globalThis)
    );

  /** The functions and constructors that our modules use. (web/test/application/hooks.test.js checks this list.) */
  const NATIVES = [
    ...['AbortController', 'AnalyserNode', 'Audio', 'AudioBuffer', 'AudioBufferSourceNode', 'AudioContext'],
    ...['AudioWorkletNode', 'Blob', 'ConstantSourceNode', 'CustomEvent', 'Date', 'DelayNode', 'Event'],
    'EventTarget',
    ...['GainNode', 'Map', 'MediaElementAudioSourceNode', 'MediaRecorder', 'MediaStream'],
    ...['MediaStreamAudioDestinationNode', 'MediaStreamAudioSourceNode', 'MediaStreamTrackGenerator'],
    ...[
      'MediaStreamTrackProcessor',
      'OffscreenCanvas',
      'OscillatorNode',
      'Promise',
      'Set',
      'URL',
      'VideoFrame',
    ],
    ...['DOMException', 'InputDeviceInfo', 'MediaDeviceInfo', 'MessageChannel', 'MessagePort'],
    ...['OverconstrainedError', 'TransformStream', 'structuredClone'],
    ...['WeakMap', 'WebSocket', 'Worker', 'clearInterval', 'clearTimeout', 'performance', 'setInterval'],
    'setTimeout',
  ];

  /**
   * A WebSocket in a worker. Our modules use this class if the page's WebSocket is not Chrome's own: Playwright's
   * `route_web_socket` and some test libraries replace WebSocket before this script runs, but only in pages.
   */
  class WorkerSocket extends EventTarget {
    static OPEN = 1;
    readyState = 0;
    #worker;

    /** @param {string} url @param {string[]} protocols */
    constructor(url, protocols) {
      super();
      this.#worker = new Worker(createURL(new Blob([`(${String(runSocket)})()`])));
      this.#worker.addEventListener('message', (/** @type {MessageEvent<FromSocket>} */ { data }) => {
        if (data.type === 'message') this.dispatchEvent(new MessageEvent('message', data));
        else if (data.type === 'open') {
          this.readyState = WorkerSocket.OPEN;
          this.dispatchEvent(new Event('open'));
        } else {
          this.readyState = 3;
          this.#worker.terminate();
          this.dispatchEvent(new CloseEvent('close', data));
        }
      });
      this.#worker.postMessage({ url, protocols });
    }

    /** @param {Blob | string} data */
    send(data) {
      this.#worker.postMessage({ data });
    }

    close() {
      if (this.readyState > WorkerSocket.OPEN) return;
      this.readyState = 2;
      this.#worker.postMessage({});
    }
  }

  /** Runs in the worker of a WorkerSocket. The first message opens the socket, and an empty message closes it. */
  function runSocket() {
    /** @type {WebSocket | undefined} */
    let socket;
    /** @param {FromSocket} message */
    const post = (message) => postMessage(message);
    globalThis.onmessage = (/** @type {MessageEvent<ToSocket>} */ { data: { url, protocols, data } }) => {
      if (!url) {
        if (data === undefined) socket?.close();
        else socket?.send(data);
        return;
      }
      socket = new WebSocket(url, protocols);
      socket.onopen = () => post({ type: 'open' });
      socket.onmessage = (/** @type {MessageEvent<string>} */ event) =>
        post({ type: 'message', data: event.data });
      socket.onclose = ({ code, reason, wasClean }) => post({ type: 'close', code, reason, wasClean });
    };
  }

  /** Copies Chrome's own functions before the page can replace them. */
  function copyNatives() {
    const scope = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
    const natives = Object.fromEntries(NATIVES.map((name) => [name, scope[name]]));
    // Test libraries with a fake clock replace the method `now`, not the object `performance`.
    natives.performance = {
      now: performance.now.bind(performance),
      timeOrigin: performance.timeOrigin,
    };
    if (!/\[native code\]/.test(Function.prototype.toString.call(WebSocket)))
      natives.WebSocket = WorkerSocket;
    return Object.freeze(natives);
  }

  /**
   * Returns a blob URL from which attach.js can be imported. In each module, Chrome's own functions shadow the page's
   * replacements. Workers and worklets have no hooks, since nothing has been replaced there.
   */
  function moduleAddress() {
    const natives = `const {${NATIVES.join(',')}} = globalThis[Symbol.for('recording-harness')]?.natives ?? globalThis;`;
    /** @type {Map<string, string>} */
    const addresses = new Map();
    let last = '';
    for (const [path, text] of MODULES) {
      const linked = text.replace(
        /'harness:([^']+)'/g,
        (_, /** @type {string} */ used) => `'${addresses.get(used)}'`,
      );
      // The source URL appears in stack traces.
      const source = `${natives} ${linked}\n//# sourceURL=${HARNESS.url}/src/${path}\n`;
      last = createURL(new Blob([source], { type: 'text/javascript' }));
      addresses.set(path, last);
    }
    return last;
  }

  /** Emits `connection` and `closed` with an RTCPeerConnection, and `sending` when the sent tracks may have changed. */
  class Hooks extends EventTarget {
    /** @type {Set<RTCPeerConnection>} */
    connections = new Set();
    /**
     * The streams with which each receiver's track was announced. A listener that is added after the announcement finds
     * the streams here.
     *
     * @type {WeakMap<RTCRtpReceiver, readonly MediaStream[]>}
     */
    streams = new WeakMap();
    /**
     * The latest frame of each received video, until attach.js reads it. A video that is static may deliver only one
     * frame, long before attach.js is loaded.
     *
     * @type {WeakMap<RTCRtpReceiver, ReadableStream<VideoFrame>>}
     */
    frames = new WeakMap();
    /** Replaces navigator.mediaDevices. @type {ApplicationCamera | null} */
    camera = null;
    /**
     * The properties and methods that replace the browser's own for virtual devices and tracks.
     *
     * @type {WeakMap<object, Answers>}
     */
    answers = new WeakMap();
    natives = copyNatives();
    /** @type {Promise<AttachedPage> | null} */
    #awake = null;

    get isAwake() {
      return this.#awake !== null;
    }

    /** Loads attach.js into the page. @returns {Promise<AttachedPage>} */
    wake() {
      this.#awake ??= this.#wake().catch((error) => {
        // Let the next call to `wake` try again.
        this.#awake = null;
        throw error;
      });
      return this.#awake;
    }

    async activate() {
      // This call fails if Python has detached from the page.
      await bindings.harnessActivate().catch(() => undefined);
    }

    async #wake() {
      // A page from another site needs permission to connect to this machine. Ask Python to grant the permission first;
      // otherwise, Chrome would prompt the user if it has a window. This call fails if Python has detached from the
      // page.
      if (!LOCAL.test(location.hostname)) await bindings.harnessMayReach();
      const load = async () => {
        const { attach } = await /** @type {Promise<typeof import('../attach.js')>} */ (
          import(moduleAddress())
        );
        return attach(this, HARNESS);
      };
      // The first import may fail while the frame is still being created. The connection fails if the host name matched
      // LOCAL but the page still needs permission to connect. Try again in both cases.
      return load().catch(async () => {
        await bindings.harnessMayReach();
        return load();
      });
    }

    /** @param {string} type @param {RTCPeerConnection} [connection] */
    emit(type, connection) {
      this.dispatchEvent(new CustomEvent(type, { detail: connection }));
    }

    /**
     * Calls `handler` with the connection from each event of the given type. (This script can't import
     * shared/events.js.)
     *
     * @param {'connection' | 'closed'} type
     * @param {(connection: RTCPeerConnection) => void} handler
     */
    listen(type, handler) {
      this.addEventListener(type, (event) => {
        handler(/** @type {CustomEvent<RTCPeerConnection>} */ (event).detail);
      });
    }
  }

  const hooks = new Hooks();
  Object.defineProperty(globalThis, KEY, { value: hooks });

  const Processor = MediaStreamTrackProcessor;
  /** Returns a stream that keeps only the latest frame of a track. @param {MediaStreamTrack} track */
  const latestFrameOf = (track) =>
    new Processor({ track: /** @type {MediaStreamVideoTrack} */ (track), maxBufferSize: 1 }).readable;

  const Native = RTCPeerConnection;
  const Followed = new Proxy(Native, {
    construct(target, args, newTarget) {
      const made = /** @type {unknown} */ (Reflect.construct(target, args, newTarget));
      const connection = /** @type {RTCPeerConnection} */ (made);
      hooks.connections.add(connection);
      hooks.emit('connection', connection);
      connection.addEventListener('track', ({ receiver, streams }) => {
        hooks.streams.set(receiver, streams);
        if (receiver.track.kind === 'video' && !hooks.frames.has(receiver))
          hooks.frames.set(receiver, latestFrameOf(receiver.track));
      });
      connection.addEventListener('signalingstatechange', () => hooks.emit('sending'));
      void hooks.wake().catch(() => undefined);
      return connection;
    },
  });
  for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection']) {
    if (name in globalThis)
      Object.defineProperty(globalThis, name, { value: Followed, writable: true, configurable: true });
  }
  Native.prototype.constructor = Followed;

  /**
   * Wraps a method so that `then` is called after each call to the method. The page can't detect the wrapper.
   *
   * @param {object} prototype
   * @param {string} name
   * @param {(self: unknown) => void} then
   */
  function after(prototype, name, then) {
    const methods = /** @type {Record<string, Function | undefined>} */ (prototype);
    const native = methods[name];
    if (!native) return;
    methods[name] = new Proxy(native, {
      apply(target, self, args) {
        const answer = /** @type {unknown} */ (Reflect.apply(target, self, args));
        if (answer instanceof Promise)
          answer.then(
            () => then(self),
            () => undefined,
          );
        else then(self);
        return answer;
      },
    });
  }

  const sending = () => hooks.emit('sending');
  for (const name of ['addTrack', 'addTransceiver', 'removeTrack', 'addStream', 'removeStream'])
    after(Native.prototype, name, sending);
  after(RTCRtpSender.prototype, 'replaceTrack', sending);
  after(MediaStreamTrack.prototype, 'stop', sending);
  after(Native.prototype, 'close', (connection) => {
    hooks.connections.delete(/** @type {RTCPeerConnection} */ (connection));
    hooks.emit('closed', /** @type {RTCPeerConnection} */ (connection));
    sending();
  });

  const enabled = Object.getOwnPropertyDescriptor(MediaStreamTrack.prototype, 'enabled') ?? {};
  Object.defineProperty(MediaStreamTrack.prototype, 'enabled', {
    ...enabled,
    /** @param {boolean} on */
    set(on) {
      enabled.set?.call(this, on);
      sending();
    },
  });

  const { mediaDevices } = navigator;
  if (HARNESS.media === 'own' || !mediaDevices) return;

  // The page may replace the browser's functions later, so take references to them now.
  const [PageStream, PageDevices, CallProxy] = [MediaStream, MediaDevices.prototype, Proxy];
  const { defineProperty, getOwnPropertyDescriptor } = /** @type {PropertyFunctions} */ (Object);
  /** @param {object} owner @param {string} name */
  const functionOf = (owner, name) => /** @type {Function} */ (getOwnPropertyDescriptor(owner, name)?.value);
  const call = /** @type {(method: Function, self: unknown, args: unknown[]) => unknown} */ (
    functionOf(Reflect, 'apply')
  );
  const getAnswers = functionOf(WeakMap.prototype, 'get');
  const setAnswers = functionOf(WeakMap.prototype, 'set');
  /**
   * Returns the replacement properties and methods of a virtual device or track, or undefined for any other object.
   *
   * @param {unknown} object
   */
  const answersOf = (object) =>
    /** @type {Answers | undefined} */ (call(getAnswers, hooks.answers, [object]));

  /**
   * Replaces a method or a property's getter.
   *
   * @param {object} prototype
   * @param {string} name
   * @param {(native: Function, self: unknown, args: unknown[]) => unknown} answer
   */
  const replaceProperty = (prototype, name, answer) => {
    const descriptor = getOwnPropertyDescriptor(prototype, name);
    const part = descriptor?.get ? 'get' : 'value';
    const native = descriptor?.[part];
    if (typeof native !== 'function') return;
    defineProperty(prototype, name, { ...descriptor, [part]: new CallProxy(native, { apply: answer }) });
  };

  /**
   * Replaces a method that uses devices.
   *
   * @param {string} name
   * @param {(camera: ApplicationCamera, argument: unknown) => unknown} answer
   */
  const replaceMethod = (name, answer) =>
    replaceProperty(PageDevices, name, async (native, self, args) => {
      // If attach.js can't be loaded, the page works as it would without the harness, and Python's next call fails
      // with the error.
      await hooks.wake().catch(() => undefined);
      return hooks.camera ? answer(hooks.camera, args[0]) : call(native, self, args);
    });
  replaceMethod('getUserMedia', (camera, constraints) => camera.open(constraints));
  replaceMethod('enumerateDevices', (camera) => camera.devices());
  replaceMethod('getDisplayMedia', (camera, constraints) => camera.share(constraints));

  // Chrome's older versions of getUserMedia take callbacks.
  const getUserMedia = functionOf(PageDevices, 'getUserMedia');
  for (const name of ['getUserMedia', 'webkitGetUserMedia']) {
    replaceProperty(Navigator.prototype, name, (...[, , [constraints, onStream, onError]]) => {
      const opened = /** @type {Promise<unknown>} */ (call(getUserMedia, mediaDevices, [constraints]));
      void opened.then(
        /** @type {(stream: unknown) => void} */ (onStream),
        /** @type {(error: unknown) => void} */ (onError),
      );
    });
  }

  // The browser's own properties and methods would throw for a virtual device, and would describe the source of a
  // virtual track instead of its device.
  const ANSWERED = /** @type {[{prototype: object}, string[]][]} */ ([
    [MediaDeviceInfo, ['deviceId', 'groupId', 'kind', 'label', 'toJSON']],
    [InputDeviceInfo, ['getCapabilities']],
    [
      MediaStreamTrack,
      ['label', 'getSettings', 'getConstraints', 'getCapabilities', 'applyConstraints', 'clone'],
    ],
    [PermissionStatus, ['state']],
  ]);
  for (const [{ prototype }, names] of ANSWERED) {
    for (const name of names)
      replaceProperty(prototype, name, (native, self, args) =>
        call(answersOf(self)?.[name] ?? native, self, args),
      );
  }
  after(MediaStreamTrack.prototype, 'stop', (track) => answersOf(track)?.['stop']?.());

  // The browser's own `clone` would lose the replacement properties and methods of virtual tracks.
  const getTracks = functionOf(PageStream.prototype, 'getTracks');
  const cloneTrack = functionOf(MediaStreamTrack.prototype, 'clone');
  replaceProperty(PageStream.prototype, 'clone', (native, self, args) => {
    const tracks = /** @type {MediaStreamTrack[]} */ (call(getTracks, self, []));
    if (!tracks.some(answersOf)) return call(native, self, args);
    return new PageStream(
      tracks.map((track) => /** @type {MediaStreamTrack} */ (call(cloneTrack, track, []))),
    );
  });

  // The virtual camera and microphone need no permission from the user, only from the page's permissions policy.
  replaceProperty(Permissions.prototype, 'query', async (native, self, args) => {
    const status = await call(native, self, args);
    const { name } = /** @type {PermissionDescriptor & {name: string}} */ (args[0]);
    const { featurePolicy } = /** @type {PolicyDocument} */ (/** @type {unknown} */ (document));
    if (['camera', 'microphone'].includes(name) && (featurePolicy?.allowsFeature(name) ?? true))
      call(setAnswers, hooks.answers, [status, { state: () => 'granted' }]);
    return status;
  });
})();
