/** A participant's media: sizes, devices, and the interface that all kinds of local media implement. */

interface VideoSize {
  /** Size in pixels. */
  width: number;
  height: number;
  /** Frames per second. */
  frameRate: number;
}

/** The deviceIds of the camera and the microphone. If a deviceId is omitted, the browser chooses the device. */
interface DeviceIds {
  audio?: string | undefined;
  video?: string | undefined;
}

/** Frames with this marker that were painted late, or not at all, because the machine was too busy. */
interface LateFrames {
  marker: number;
  /** The frames' counters, in order. */
  counters: number[];
}

/** The media that a participant sends. ApplicationMedia and every class in media/ implement this interface. */
interface LocalMedia {
  readonly kind: 'synthetic' | 'camera' | 'video-file' | 'application';
  readonly stream: MediaStream;
  /** The current size of the video. */
  readonly size: VideoSize;
  /** When the counter in the markers was 0, in ms on the page's clock; absent or null for media without markers. */
  readonly counterZero?: number | null;
  setClock(offset: number): void;
  fit(size: VideoSize): void;
  /** Switches the video to the screen, or back to the camera; the new track replaces the old one in `stream`. */
  share(on: boolean): Promise<MediaStreamTrack>;
  /**
   * Switches to the given device, or to any other device if none is given; the new track replaces the old one in
   * `stream`.
   */
  replace(kind: 'audio' | 'video', deviceId?: string): Promise<MediaStreamTrack>;
  /** Raises the voice, or returns it to normal; throws if the media is not synthetic. */
  setSpeaking(on: boolean): void;
  close(): Promise<void>;
}

/** Media that is controlled by another application. */
interface ApplicationMediaSource extends LocalMedia, Emitter<{ changed: void }> {
  /** Unplugs the virtual camera or microphone; throws if the application uses the browser's own devices. */
  unplug(kind: 'audio' | 'video'): void;
  /** Replaces the virtual camera or microphone with another one, which the application can then open. */
  plugIn(kind: 'audio' | 'video'): void;
  /** Returns whether a track of the given kind is sent and enabled. */
  sends(kind: 'audio' | 'video'): boolean;
  /** The markers in the video and audio tracks of `stream`. */
  readonly markers: TrackMarkers;
  /** The other tracks that are sent, for example a shared screen. */
  readonly extras: readonly ExtraTracks[];
  /**
   * Returns whether it is normal for the video to be static, and for the audio to be silent; a null label stands for
   * the tracks of `stream`.
   */
  mayRest(label: string | null): { video: boolean; audio: boolean };
}
