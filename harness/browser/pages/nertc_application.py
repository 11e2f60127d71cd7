"""NertcApp controls the recorder of an application built on NERTC's SDK, and downloads the recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import Error as PlaywrightError

from harness.browser.pages.page_downloads import NotDownloaded, PageDownloads
from harness.errors import StepTimeout, one_of, page_error
from harness.recording.config import RecordConfig
from harness.recording.files.names import reserve

if TYPE_CHECKING:
    import os

    from playwright.sync_api import Page

    from harness.recording.config import Recorder

# The SDK throws plain errors, so this table gives the name of the harness's error for each NERTC error code.
_NAMES: Final = {
    10450: "NotSupportedError",
    10451: "InvalidStateError",
    10452: "RecordingError",
    10453: "RecordingError",
    10454: "InvalidStateError",
}
_RECORDERS: Final = ("local", "all")
# Maximum times until a download begins and until its file is stored, in seconds.
_BEGINS_WITHIN: Final = 30.0
_STORED_WITHIN: Final = 60.0
# Chrome fact 22: an exception loses its name on the way to Python, so this code returns the name explicitly.
_CALL: Final = """async ([name, argument]) => {{
  try {{
    return {{ ok: true, value: (await ({client})[name](argument)) ?? null }};
  }} catch (error) {{
    const {{ name: kind, message, code }} = error ?? {{}};
    const text = String(message ?? error);
    return {{ ok: false, name: String(kind ?? 'Error'), message: text, code: Number(code) || null }};
  }}
}}"""


class NertcApp:
    """The four recording calls of NERTC's own SDK, in an application that uses the SDK.

    An error in the SDK is raised as the harness error with the same NERTC code.

    Args:
        page: The Playwright page in which the application has created the SDK's client.
        client: JavaScript expression for the SDK's client in the page.
        recordings: Folder for downloads. A downloaded file gets the name that the SDK suggests, without unsafe
            characters. Existing files are never overwritten.
    """

    page: Page
    """Playwright's page."""

    def __init__(
        self, page: Page, *, client: str = "window.rtc.client", recordings: str | os.PathLike[str] = "recordings"
    ) -> None:
        self.page = page
        self._script = _CALL.format(client=client)
        self._folder = Path(recordings).absolute()

    def join(self, **options: Any) -> None:
        """Join a channel with the SDK's own ``join``, which needs an app key.

        Args:
            **options: The SDK's options, for example ``channelName``, ``uid`` and ``token``.
        """
        self._call("join", options)

    def start_media_recording(self, *, recorder: Recorder = "all", record_config: RecordConfig | None = None) -> None:
        """Start recording (NERTC ``startMediaRecording``).

        Args:
            recorder: ``"all"`` records everybody in the channel, ``"local"`` only this participant.
            record_config: Options of the recording. Only the options that the SDK knows are passed to it: type, name,
                video quality and frame rate.

        Raises:
            ConfigError: ``recorder`` is not valid.
        """
        one_of("recorder", recorder, _RECORDERS)
        config = (record_config or RecordConfig()).for_page()
        known = ("recordType", "recordName", "recordVideoQuality", "recordVideoFrame")
        options = {name: config[name] for name in known if config.get(name) is not None}
        self._call("startMediaRecording", {"recorder": recorder, "recordConfig": options})

    def stop_media_recording(self) -> None:
        """Stop the recording (NERTC ``stopMediaRecording``)."""
        self._call("stopMediaRecording")

    def download_media_recording(self) -> Path:
        """Download the recording (NERTC ``downloadMediaRecording``), and return the path of the file.

        Raises:
            StepTimeout: The download did not start within 30 s, or did not end within 60 s.
        """
        downloads = PageDownloads(self.page, lambda _: True)
        try:
            self._call("downloadMediaRecording")
            begun = downloads.next(seconds=_BEGINS_WITHIN)
            path = reserve(self._folder, Path(begun.playwright.suggested_filename).stem)
            try:
                downloads.save(begun, path, seconds=_STORED_WITHIN)
            except BaseException:
                path.unlink()
                raise
        except NotDownloaded as failure:
            message = f"downloadMediaRecording was called, but the browser did not download the file: {failure}."
            raise StepTimeout(message) from failure
        finally:
            downloads.close()
        return path

    def clean_media_recording(self) -> None:
        """Delete the SDK's copy of the recording (NERTC ``cleanMediaRecording``)."""
        self._call("cleanMediaRecording")

    def _call(self, name: str, argument: object = None) -> Any:
        try:
            answer = self.page.evaluate(self._script, [name, argument])
        except PlaywrightError as error:
            raise page_error(message=error.message.splitlines()[0], code=None, name="Error", page_log=[]) from error
        if not answer["ok"]:
            code = answer["code"]
            name = _NAMES.get(code, answer["name"])
            raise page_error(message=answer["message"], code=code, name=name, page_log=[])
        return answer["value"]
