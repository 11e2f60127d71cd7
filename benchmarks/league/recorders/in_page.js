/**
 * The recorders that run in Alice's page: NERTC's SDK and RecordRTC. Both record the tracks that the page sends and
 * receives, and participants who join later are added with the library's own call.
 *
 * This module runs in the harness's own page, where `client` has joined a room.
 */

import { recordPlan } from '/src/client/record-plan.js';
import { download } from '/src/recorder/download.js';

const { client } = window;

/** Returns our own tracks, and those of all other participants whose media has arrived. */
function participants() {
  const [videoTrack] = client.media.stream.getVideoTracks();
  const [audioTrack] = client.media.stream.getAudioTracks();
  const others = [...client.room.participants.values()].filter((one) => one.videoTrack && one.audioTrack);
  return [{ videoTrack, audioTrack }, ...others];
}

/** NERTC's SDK, as its npm package contains it. */
class Nertc {
  #client = window.NERTCSDK.createClient({ appkey: 'a'.repeat(32), debug: false });

  async begin(plan) {
    const [own, ...others] = await Promise.all(participants().map(played));
    this.#client.adapterRef.localStream = own;
    this.#client.adapterRef.remoteStreamMap = Object.fromEntries(
      others.map((stream, index) => [index + 1, stream]),
    );
    await this.#client.startMediaRecording({
      recorder: 'all',
      recordConfig: {
        recordType: 'video',
        recordName: 'nertc',
        recordVideoQuality: plan.config.recordVideoQuality,
        recordVideoFrame: plan.frameRate,
      },
    });
  }

  /** Adds a stream as the SDK does when it begins to play a remote stream. */
  async add(participant) {
    const { remoteStreamMap } = this.#client.adapterRef;
    remoteStreamMap[Object.keys(remoteStreamMap).length + 1] = await played(participant);
    this.#client.updateRecordingAudioStream();
  }

  async end() {
    const stopped = new Promise((resolve) => this.#client.on('@media-recording-stopped', resolve));
    await this.#client.stopMediaRecording();
    await stopped;
    await this.#client.downloadMediaRecording();
  }
}

/** Plays a participant's media, and returns what NERTC's mixer reads: the video element and the audio. */
async function played({ videoTrack, audioTrack }) {
  const dom = document.createElement('video');
  dom.muted = true;
  dom.srcObject = new MediaStream([videoTrack]);
  await dom.play();
  const audioStream = new MediaStream([audioTrack]);
  return {
    _play: { video: { dom }, screen: { dom: null }, mask: { video: { enabled: false } } },
    mediaHelper: { audio: { audioStream } },
  };
}

/** RecordRTC with several streams. */
class RecordRtc {
  #size = { width: 0, height: 0 };
  #recorder;

  begin({ width, height, frameRate, mimeType, videoBitsPerSecond, audioBitsPerSecond }) {
    this.#size = { width: width / 2, height: height / 2 };
    this.#recorder = window.RecordRTC(
      participants().map((one) => this.#streamOf(one)),
      {
        type: 'video',
        mimeType,
        videoBitsPerSecond,
        audioBitsPerSecond,
        frameInterval: 1000 / frameRate,
        disableLogs: true,
      },
    );
    this.#recorder.startRecording();
  }

  add(participant) {
    this.#recorder.getInternalRecorder().addStreams([this.#streamOf(participant)]);
  }

  async end() {
    await new Promise((resolve) => this.#recorder.stopRecording(resolve));
    const url = URL.createObjectURL(this.#recorder.getBlob());
    await download({ url, name: 'recordrtc.webm' });
  }

  /** RecordRTC draws a stream at the size that its properties `width` and `height` specify. */
  #streamOf({ videoTrack, audioTrack }) {
    return Object.assign(new MediaStream([videoTrack, audioTrack]), this.#size);
  }
}

const RECORDERS = { nertc: Nertc, recordrtc: RecordRtc };
let running;

window.league = {
  begin: async (key, recordConfig) => {
    running = new RECORDERS[key]();
    await running.begin(recordPlan({ recorder: 'all', recordConfig }));
    // The room reports a participant as received when both video and audio have arrived.
    client.room.listen('received', (participant) => void running.add(participant));
  },
  end: () => running.end(),
};
