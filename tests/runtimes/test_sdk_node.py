"""Google's SDK for JavaScript, unmodified, on the emulator over TLS."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

import terminal
from livegate import recordings
from livegate.emulator import Emulator, Options, tone_of

pytestmark = pytest.mark.long

SCRIPT: Final = Path(__file__).parent.parent / "support" / "genai_client.cjs"
KEYS: Final = frozenset({"abc", "auth_tokens/one"})
KNOWN: Final = attrs.evolve(Emulator().service.options, pace=0.0, keys=KEYS)
"""At once, with the known recording."""

Converse = Callable[..., Any]


@pytest.fixture(scope="session")
def converse(npm: Callable[[str], Path]) -> Converse:
    """Install the SDK; return what runs one of the script's conversations."""
    modules = npm("@google/genai@2") / "lib" / "node_modules"
    node = shutil.which("node")
    assert node is not None, "npm is here, but not node"

    def run(conversation: str, *more: str, options: Options = KNOWN) -> Any:
        with Emulator(options=options, tls=True) as gemini:
            environment = terminal.clean_environment(
                NODE_PATH=str(modules), NODE_EXTRA_CA_CERTS=str(gemini.ca_file)
            )
            url = gemini.url.replace("wss:", "https:")
            command = (node, str(SCRIPT), conversation, url, *more)
            done = terminal.run(*command, environment=environment)
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_text(converse: Converse) -> None:
    """The SDK asks by text, and is answered in sound with its transcription."""
    said = "You said: Hello"
    assert converse("text") == {
        "heard": "",
        "text": said,
        "bytes": len(tone_of(said)),
        "interrupted": False,
    }


def test_sound(converse: Converse, tmp_path: Path) -> None:
    """The SDK speaks the known recording, and hears it again; what it said is transcribed."""
    file = tmp_path / "hello.pcm"
    file.write_bytes(recordings.hello().pcm)
    answer = converse("sound", str(file))
    assert answer["heard"] == recordings.HELLO_TEXT
    assert answer["text"] == f"You said: {recordings.HELLO_TEXT}"
    assert answer["bytes"] > 48_000


def test_tool(converse: Converse) -> None:
    """The SDK is called for a function, and its result is told."""
    assert converse("tool") == {
        "name": "get_weather",
        "args": {"city": "Lisbon"},
        "text": 'The tool said: {"is":"sunny"}',
    }


def test_interruption(converse: Converse) -> None:
    """The SDK interrupts a long answer, and gets the next one."""
    found = converse("interruption", options=attrs.evolve(KNOWN, pace=1.0))
    assert found == {"interrupted": True, "text": "You said: Stop"}


def test_resumption(converse: Converse) -> None:
    """The SDK resumes a conversation on another link, and is refused with a stale handle."""
    assert converse("resumption") == {
        "text": "You said before: My name is Ana",
        "stale": {"code": 1008, "reason": "BidiGenerateContent session not found"},
    }


def test_context_update(converse: Converse) -> None:
    """The SDK adds a tool in mid-session, and is called for it."""
    assert converse("update") == {"name": "get_weather"}


def test_ephemeral_token(converse: Converse) -> None:
    """The SDK takes an ephemeral token to the method that knows them."""
    assert converse("token") == {"text": "You said: Hello"}


def test_refused_setups(converse: Converse) -> None:
    """The SDK reports a refused setup with the service's code and reason."""
    ends = converse("refused")
    assert [end["code"] for end in ends] == [1008, 1007, 1007, 1007]
    for end, word in zip(ends, ("not found", "modalities", "invalid", "API key"), strict=True):
        assert word in end["reason"]
