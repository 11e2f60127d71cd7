"""Programs written against the types of the real NERTC SDK also compile against our page's types."""

import json
from pathlib import Path

import pytest

from tests.support.servers.nertc_sdk import ROOT, install_sdk, with_node

pytestmark = pytest.mark.parallel

TSC = ROOT / "node_modules" / ".bin" / "tsc"

# TypeScript compares method parameters bivariantly, so the program also calls our methods with the SDK's option types.
PROGRAM = f"""
import type {{ Client as SdkClient }} from 'nertc-web-sdk/types/client';
import type {{ ClientMediaRecordingOptions, JoinOptions }} from 'nertc-web-sdk/types/types';
import {{ Client }} from '{ROOT}/web/src/client/client.js';
import {{ nertc }} from '{ROOT}/web/src/entry/nertc.js';

type Recording = Pick<
  SdkClient,
  'startMediaRecording' | 'stopMediaRecording' | 'downloadMediaRecording' | 'cleanMediaRecording'
>;
type Joining = Pick<SdkClient, 'join' | 'leave'>;
declare const ours: Client;
declare const calls: MediaRecordingCalls;
declare const theirs: Recording;
declare const options: ClientMediaRecordingOptions;
declare const joining: JoinOptions;

// Our client is assignable to the types of the SDK's client.
export const typed: MediaRecordingCalls = ours;
export const recording: Recording = calls;
export const member: Joining = ours;

// Our calls accept the option types of the SDK.
void ours.startMediaRecording(options);
void calls.startMediaRecording(options);
void ours.join(joining);

// Both clients accept the sample of NERTC's guide with our constants.
const NERTC = nertc(() => ours);
const data = {{
  recorder: 'all' as const,
  recordConfig: {{
    recordType: 'video' as const,
    recordName: '录制文件名称',
    recordVideoQuality: NERTC.RECORD_VIDEO_QUALITY_360p,
    recordVideoFrame: NERTC.RECORD_VIDEO_FRAME_RATE_15,
  }},
}};
void theirs.startMediaRecording(data);
void NERTC.createClient().startMediaRecording(data);
"""

# Load global types only from these files and packages, not from packages in the scratch folder.
CONFIGURATION = {
    "compilerOptions": {
        "allowJs": True,
        "noEmit": True,
        "strict": True,
        "target": "es2024",
        "module": "nodenext",
        "lib": ["es2024", "dom", "dom.iterable", "dom.asynciterable"],
        "typeRoots": [str(ROOT / "node_modules" / "@types")],
        "types": ["dom-mediacapture-transform"],
        "skipLibCheck": True,
    },
    "files": ["program.ts", *map(str, (ROOT / "web" / "src" / "types").glob("*.d.ts"))],
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an installed SDK."""
    if not TSC.exists():
        pytest.skip("The page's tools are not installed; run make setup-dev.")
    folder = tmp_path_factory.mktemp("sdk")
    (folder / "tsconfig.json").write_text(json.dumps(CONFIGURATION))
    install_sdk(folder)
    return folder


def compiler_errors(scratch: Path, program: str) -> list[str]:
    """Return the compiler's errors for a program, one per line."""
    (scratch / "program.ts").write_text(program)
    return with_node(str(TSC), "--pretty", "false", folder=scratch).stdout.splitlines()


def test_program_for_the_sdk_compiles_against_our_client(scratch: Path) -> None:
    """The four recording calls, join and leave match the SDK's types, including their options."""
    assert [] == compiler_errors(scratch, PROGRAM)


# Lines that must not compile, each with a word that the compiler's error must contain.
INVALID_LINES = {
    "export const answer: Recording = { ...calls, startMediaRecording: () => 1 };": "number",
    "export const missing: Recording = { ...calls, stopMediaRecording: undefined };": "undefined",
    "void ours.startMediaRecording({ recorder: 'everybody' });": "everybody",
    "void calls.startMediaRecording({ recordConfig: { recordType: 'picture' } });": "picture",
    "void ours.join({ uid: true });": "true",
}


def test_differences_from_the_sdk_are_errors(scratch: Path) -> None:
    """A wrong return type, a missing method and invalid options each cause a compiler error."""
    before = len(PROGRAM.splitlines())

    errors = compiler_errors(scratch, PROGRAM + "\n".join(INVALID_LINES))

    for line, word in enumerate(INVALID_LINES.values(), before + 1):
        assert any(error.startswith(f"program.ts({line},") and word in error for error in errors), errors
