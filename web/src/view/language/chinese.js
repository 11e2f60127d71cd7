/** The Chinese texts of the page: each English text and its translation. Values replace `{braces}`. */

/** @type {Record<string, string>} */
export const CHINESE = {
  // The texts of the lobby.
  'This page needs JavaScript. Use Chrome, Edge or Chromium to record.':
    '本页面需要启用 JavaScript。录制请使用 Chrome、Edge 或 Chromium。',
  'Recording room': '录制房间',
  Language: '语言',
  'Enter your name to join. Any participant can record the whole room to a single WebM file.':
    '输入名字即可加入。每位参与者都可以将整个房间录制成一个 WebM 文件。',
  'Your name': '你的名字',
  'Join with': '加入方式',
  'Camera and microphone': '摄像头和麦克风',
  'Synthetic video and audio': '合成视频和音频',
  'Choose camera and microphone': '选择摄像头和麦克风',
  Code: '访问码',
  Join: '加入',
  Joining: '正在加入',
  'View recordings only': '仅查看录制文件',
  'Close recordings': '关闭录制列表',
  'This code does not give access to the recordings.': '此访问码无法用于查看录制文件。',
  'Lost connection to the server. The list will update when the server is back.':
    '与服务器的连接已断开。服务器恢复后，列表会自动更新。',
  'Enter your name.': '请输入你的名字。',
  'This is not the join code for this room.': '此访问码无法用于加入本房间。',
  'This room requires a code. Ask the server administrator for it.':
    '加入本房间需要访问码，请向服务器管理员索取。',
  'The server is not responding. Is it still running?': '服务器没有响应，请确认它仍在运行。',
  'Could not open a camera or microphone. Allow access in the browser, or join with synthetic video and audio.':
    '无法打开摄像头或麦克风。请在浏览器中允许访问，或使用合成视频和音频加入。',

  // The texts of the room.
  'Participants in the room': '房间内的参与者',
  'Room controls': '房间控制',
  'Only you so far': '目前只有你',
  '{count} participants': '{count} 位参与者',
  '{name} (you)': '{name}（你）',
  'microphone off': '麦克风已关闭',
  Microphone: '麦克风',
  Camera: '摄像头',
  Screen: '共享屏幕',
  Devices: '设备',
  Leave: '离开',
  'Lost connection to the server. Reconnecting. Video and audio continue in the meantime.':
    '与服务器的连接已断开，正在重新连接。视频和音频不受影响。',
  'Lost connection to the server. You will rejoin automatically.':
    '与服务器的连接已断开。连接恢复后，你会自动重新加入房间。',

  // The texts of the device dialog.
  Close: '关闭',
  'Speaker output': '扬声器',
  Default: '默认',
  'Camera {number}': '摄像头 {number}',
  'Microphone {number}': '麦克风 {number}',
  'Speaker {number}': '扬声器 {number}',
  'You joined with synthetic video and audio.': '你是以合成视频和音频加入的。',
  'Stop sharing your screen to choose a camera.': '停止共享屏幕后才能选择摄像头。',

  // The texts of the recording panel.
  Recording: '录制',
  'Recorded time': '已录制时长',
  'Recording health': '录制状态',
  Bitrate: '码率',
  Backlog: '待上传',
  none: '无',
  '{rate} fps': '{rate} 帧/秒',
  '{seconds} s': '{seconds} 秒',
  Alarms: '告警',
  Start: '开始',
  Stop: '停止',
  Download: '下载',
  Discard: '清除',
  'Recording options': '录制选项',
  Participants: '录制对象',
  Everybody: '所有人',
  'Only me': '仅自己',
  Type: '类型',
  Video: '视频',
  'Audio only': '仅音频',
  Quality: '清晰度',
  'Frame rate': '帧率',
  '15 fps': '15 帧/秒',
  '30 fps': '30 帧/秒',
  Layout: '布局',
  Grid: '宫格',
  'Active speaker': '突出发言者',
  Codec: '编码格式',
  'Show names in the video': '在视频中显示名字',
  'File name': '文件名',
  '(optional)': '（选填）',
  standup: '例会',
  'Recording all participants at {height}p, {rate} fps.': '正在录制所有参与者，{height}p，{rate} 帧/秒。',
  'Recording only you at {height}p, {rate} fps.': '正在录制你自己，{height}p，{rate} 帧/秒。',
  'Recording the audio of all participants.': '正在录制所有参与者的音频。',
  'Recording only your audio.': '正在录制你自己的音频。',
  'You are not recording.': '你当前没有在录制。',
  'recorded by {names}': '{names} 正在录制',
  'Waiting for video and audio.': '正在等待视频和音频。',
  'Paused.': '已暂停。',
  'Finalizing the file.': '正在生成文件。',
  'No file was saved.': '没有已完成的录制文件。',
  'Download or discard the recording.': '请下载或清除此录制文件。',
  "The recording ended early. The recorded part is in this room's list of recordings.":
    '录制提前结束，已录制的部分在本房间的列表中。',
  "The recording is in this room's list of recordings. Press Download to save a copy.":
    '录制文件已在本房间的列表中。点击“下载”可保存到本机。',
  'Downloading.': '正在下载。',
  'Downloaded. Discard the recording when you no longer need it.': '已下载。不再需要时，可以清除此录制文件。',
  'Discarding.': '正在清除。',

  // The texts of the recordings list and the player.
  'Recordings in this room': '本房间的录制文件',
  'No recordings yet.': '暂无录制文件。',
  'recording in progress': '正在录制',
  failed: '录制失败',
  'verification in progress': '正在验证',
  passed: '验证通过',
  'not everything could be examined': '部分内容无法检查',
  'a check failed': '有检查项未通过',
  'Recording playback': '录制回放',
  'Recording actions': '录制文件操作',
  'by {name}': '由 {name} 录制',
  Report: '验证报告',
  Verify: '验证',
  'Verifying all video and audio.': '正在验证全部视频和音频。',
  '✓ Passed: {count} checks': '✓ 通过：{count} 项检查',
  '✗ Failed: {failed} of {count} checks': '✗ 未通过：{count} 项检查中有 {failed} 项未通过',
  '? Unverified: {count} parts could not be examined': '? 未能验证：有 {count} 处无法检查',
  'Play from {time}': '从 {time} 播放',
  'Full report': '完整报告',
  Delete: '删除',
  'The recording will be deleted for everybody.': '删除后，所有人都无法再查看此录制文件。',
  Keep: '保留',

  "This browser can't play the recording. Verify the recording to see what is wrong.":
    '此浏览器无法播放该录制文件。点击“验证”可查看问题所在。',
  'The server was unreachable for too long, so the recording ended. The server has saved the part it received.':
    '与服务器断开连接的时间过长，录制已结束。服务器已保存收到的部分。',
  "The device can't be opened. Another program may be using it.": '无法打开该设备，它可能正被其他程序占用。',

  // Messages from the client and the server.
  'Not admitted: there is no recording to resume.': '没有可以继续的录制。',
  'Not admitted: join the room first.': '请先加入房间。',
  'Nothing is being recorded; start a recording before stopping it.': '当前没有录制。请先开始录制，再停止。',
  'Not in a room; join one before recording.': '你不在房间内。请先加入房间，再录制。',
  'The file is no longer in the recordings folder.': '文件已不在录制文件夹中。',
  'The recording is still running; stop it first.': '录制仍在进行中，请先停止录制。',
  'The recording was discarded before it was finished.': '录制在完成之前已被清除。',
  'MediaRecorder did not stop within 10 s.': 'MediaRecorder 在 10 秒内没有停止。',
  'The mixer did not respond within 5 s.': '混流器在 5 秒内没有响应。',
  "This browser can't create synthetic video; join with camera and microphone.":
    '此浏览器无法生成合成视频，请使用摄像头和麦克风加入。',
  'Lost connection to the server.': '与服务器的连接已断开。',
  'MediaRecorder is not delivering data.': 'MediaRecorder 没有输出数据。',
  'The server is not acknowledging data.': '服务器没有确认收到数据。',
  'The audio system has stalled.': '音频系统已停滞。',
  'The recording was not finalized, so there is nothing to download.': '录制文件没有生成，因此无法下载。',
  'The spool is closed. The server keeps the data it acknowledged.':
    '与服务器的录制连接已关闭。服务器会保留已确认收到的数据。',
  'The server is no longer accepting data: 64 MB are waiting to be sent. The server keeps the data it acknowledged.':
    '服务器不再接收数据：已有 64 MB 等待发送。服务器会保留已确认收到的数据。',
  'This recording does not exist, or it has been deleted.': '此录制文件不存在，或已被删除。',
};

/** Translations of client and server messages that contain names or numbers. @type {[RegExp, string][]} */
export const CHINESE_PATTERNS = [
  [/^No audio is arriving from (.+)\.$/, '没有收到 $1 的音频。'],
  [/^No video is arriving from (.+)\.$/, '没有收到 $1 的视频。'],
  [/^No video or audio from (.+) arrived within 20 s\.$/, '20 秒内没有收到 $1 的视频或音频。'],
  [
    /^(.+) did not receive our first frame and audio within (.+) s\.$/,
    '$1 在 $2 秒内没有收到你的视频和音频。',
  ],
  [
    /^Only (.+) of disk space is left\. The recording will end before the disk is full\.$/,
    '磁盘空间仅剩 $1。录制将在磁盘写满之前结束。',
  ],
  [
    /^Only (.+) of disk space is left at .+\. The recording was ended while it could still be finished\.$/,
    '磁盘空间仅剩 $1。录制已提前结束，以便生成完整的文件。',
  ],
  [
    /^Only (.+) of disk space is left at (.+) \(TMPDIR\)\. If the browser can't download the recording, it is taken from the spool\..+$/,
    '浏览器下载文件夹（TMPDIR，$2）的磁盘空间仅剩 $1。如果浏览器无法下载，录制文件将从服务器取得。',
  ],
  [/^No space for .+$/, '磁盘空间不足。'],
  [
    /^The recording did not begin within 15 s: expected .+, received (.+)\.$/,
    '录制在 15 秒内没有开始，收到的内容：$1。',
  ],
  [
    /^The browser did not download (.+) \(the browser did not request the file within (\d+) s\)\. The server still has .+$/,
    '浏览器在 $2 秒内没有开始下载 $1。服务器仍保留该文件：请允许此页面下载文件，然后重试。',
  ],
  [
    /^The browser did not download (.+) \(.+\)\. The server still has .+$/,
    '浏览器没有下载完 $1。服务器仍保留该文件：请允许此页面下载文件，然后重试。',
  ],
  [/^MediaRecorder failed: (.+)\.$/, 'MediaRecorder 出错：$1。'],
  [/^The mixer failed: (.+)\.$/, '混流器出错：$1。'],
  [/^The spool failed: (.+)\.$/, '服务器保存录制时出错：$1。'],
  [/^This browser can't record (video|audio)(\S+).*$/, '此浏览器无法录制 $1$2。'],
  [
    /^(.+) can't be published in .+, so it stays in the spool: .+$/,
    '无法发布 $1，它仍保留在服务器的缓存目录中。',
  ],
  [/^(.+) could not be read back; it stays in the spool\.$/, '无法读回 $1，它仍保留在服务器的缓存目录中。'],
  [/^The recording can't be deleted: (.+)\.$/, '无法删除录制文件：$1。'],
  [/^The server at .+ closed the connection\.$/, '服务器关闭了连接。'],
  [/^The server is full: (\d+) rooms\.$/, '服务器已满：$1 个房间。'],
  [/^The server is full: (\d+) viewers\.$/, '服务器已满：$1 位查看者。'],
  [
    /^You can make at most (\d+) recordings at a time\. Stop one first\.$/,
    '你最多可以同时进行 $1 个录制，请先停止一个。',
  ],
  [/^Too many recordings in this room: at most (\d+) at a time\.$/, '房间内同时进行的录制已达上限：$1 个。'],
  [/^The room is full: (\d+) participants\.$/, '房间已满：$1 位参与者。'],
  [/^This browser can't record a room: .+$/, '此浏览器无法录制房间，请使用 Chrome、Edge 或 Chromium。'],
  [
    /^This page can't record: .+$/,
    '此页面无法录制：它是通过普通 http 从另一台机器加载的。请使用 https 或在 localhost 上打开。',
  ],
];
