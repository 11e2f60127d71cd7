/** What a participant sends: size, devices, and the interface of every kind of local media. */

interface VideoSize {
  /** Pixels. */
  width: number;
  height: number;
  /** Frames a second. */
  frameRate: number;
}

/** Which camera and microphone, by deviceId; the browser chooses what is left out. */
interface DeviceIds {
  audio?: string | undefined;
  video?: string | undefined;
}

/** The media that a participant brings to the room; every class in media/ implements it, and so does ApplicationMedia. */
interface LocalMedia {
  readonly kind: 'synthetic' | 'camera' | 'video-file' | 'application';
  readonly stream: MediaStream;
  /** The current size of the video. */
  readonly size: VideoSize;
  setClock(offset: number): void;
  fit(size: VideoSize): void;
  /** Replaces the video by the screen, or by the camera again; the new track is in `stream`. */
  share(on: boolean): Promise<MediaStreamTrack>;
  /** Replaces the device, by the one with that id if one is given; the new track is in `stream`, the old one is not. */
  replace(kind: 'audio' | 'video', deviceId?: string): Promise<MediaStreamTrack>;
  /** Raises the voice, or lowers it to normal; fails for media that are not synthetic. */
  setSpeaking(on: boolean): void;
  close(): Promise<void>;
}

/** Media that another application sends; the page follows them. */
interface ApplicationMediaSource extends LocalMedia, Emitter<{ changed: void }> {
  /** Whether something of that kind is sent and switched on. */
  sends(kind: 'audio' | 'video'): boolean;
}
