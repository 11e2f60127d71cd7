/** The media of a participant: size, devices, and the interface of every kind of local media. */

interface VideoSize {
  /** Size in pixels. */
  width: number;
  height: number;
  /** Frames per second. */
  frameRate: number;
}

/** The deviceIds of camera and microphone; the browser chooses a device that is not given. */
interface DeviceIds {
  audio?: string | undefined;
  video?: string | undefined;
}

/** The media that a participant sends. Every class in media/ implements it, and so does ApplicationMedia. */
interface LocalMedia {
  readonly kind: 'synthetic' | 'camera' | 'video-file' | 'application';
  readonly stream: MediaStream;
  /** The current size of the video. */
  readonly size: VideoSize;
  setClock(offset: number): void;
  fit(size: VideoSize): void;
  /** Switches the video to the screen, or back to the camera; the new track replaces the old one in `stream`. */
  share(on: boolean): Promise<MediaStreamTrack>;
  /** Switches to another device, or to the given one; the new track replaces the old one in `stream`. */
  replace(kind: 'audio' | 'video', deviceId?: string): Promise<MediaStreamTrack>;
  /** Raises the voice, or returns it to normal; throws for media that is not synthetic. */
  setSpeaking(on: boolean): void;
  close(): Promise<void>;
}

/** Media that another application sends and that our code follows. */
interface ApplicationMediaSource extends LocalMedia, Emitter<{ changed: void }> {
  /** Returns whether a track of this kind is sent and enabled. */
  sends(kind: 'audio' | 'video'): boolean;
}
