/* global NERTC */
// Uses NERTC's client and a local stream, but makes no call through NERTC's cloud. The SDK's recorder only needs a
// stream that is playing.
const client = NERTC.createClient({ appkey: 'a'.repeat(32), debug: false });
const stream = NERTC.createStream({ uid: 1, audio: true, video: true, client });
await stream.init();
await stream.play(document.querySelector('#me'));
client.bindLocalStream(stream);
window.rtc = { client, stream };
document.querySelector('#state').textContent = 'ready';
