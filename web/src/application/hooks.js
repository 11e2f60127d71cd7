/**
 * hooks.js runs in every frame of another application's page, before any of the page's own scripts. The page's own
 * scripts can't detect hooks.js. This is a classic script, since a module would run after the page's first scripts. The
 * script tracks the page's peer connections and the tracks that they send. If Python requests virtual devices, the
 * script replaces the page's camera and microphone. The script loads attach.js when a call begins. Python defines the
 * options in `HARNESS` before hooks.js runs.
 */
(() => {
  const KEY = Symbol.for('recording-harness');
  if (KEY in globalThis || typeof RTCPeerConnection !== 'function') return;

  /** Matches host names that refer to this machine. */
  const LOCAL = /^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/;

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

    async #wake() {
      const scope = /** @type {{harnessMayReach: () => Promise<void>}} */ (
        /** @type {unknown} */ (globalThis)
      );
      // A page from another site needs permission to connect to this machine. Ask Python to grant the permission first;
      // otherwise, Chrome would prompt the user if it has a window. This call fails if Python has detached from the
      // page.
      if (!LOCAL.test(location.hostname)) await scope.harnessMayReach();
      const url = `${HARNESS.url}/src/attach.js`;
      const load = (/** @type {string} */ address) =>
        /** @type {Promise<typeof import('../attach.js')>} */ (import(address));
      // The first import may fail while the frame is still being created. It also fails if the host name matched LOCAL
      // but the page still needs the permission. Try again in both cases.
      const module = await load(url).catch(async () => {
        await scope.harnessMayReach();
        return load(`${url}?again`);
      });
      return module.attach(this, HARNESS);
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
   * Wraps a method so that `then` is called after each call of the method. The page can't detect the wrapper.
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
  /** @param {string} name @param {(camera: ApplicationCamera, argument: MediaStreamConstraints | undefined) => unknown} answer */
  const replaceMethod = (name, answer) => {
    const methods = /** @type {Record<string, Function>} */ (/** @type {unknown} */ (MediaDevices.prototype));
    methods[name] = new Proxy(/** @type {Function} */ (methods[name]), {
      async apply(native, self, /** @type {[MediaStreamConstraints | undefined]} */ args) {
        // If attach.js can't be loaded, the page works as it would without the harness, and Python's next call fails
        // with the error.
        await hooks.wake().catch(() => undefined);
        if (hooks.camera) return answer(hooks.camera, args[0]);
        const answered = /** @type {unknown} */ (Reflect.apply(native, self, args));
        return answered;
      },
    });
  };
  replaceMethod('getUserMedia', (camera, constraints) => camera.open(constraints));
  replaceMethod('enumerateDevices', (camera) => camera.devices());
  replaceMethod('getDisplayMedia', (camera) => camera.share());
})();
