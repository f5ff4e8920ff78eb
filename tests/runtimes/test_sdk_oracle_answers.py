"""Google's SDK as the oracle of what we read: both take the same from all that Gemini sends."""

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pydantic
import pytest
from google.genai import errors, types
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Close

from emulator_player import (
    CASCADE,
    DEFAULT,
    NATIVE,
    PREVIEW,
    QUIET,
    TEXT,
    THINKING,
    VOICE,
    WEATHER,
    Player,
)
from livegate.protocol import gemini
from livegate.protocol.emulator import SCENARIOS, Abort, Options, Service
from livegate.protocol.gemini import Message
from sdk import CUT, READY, MemoryLink, Sdk, SilenceError

SAMPLES: Final = sorted(
    (Path(__file__).parent.parent / "data" / "wire-samples").glob("server-*.json")
)
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:A_REASON_FROM_TOMORROW is not a valid:UserWarning"),
]

Json = dict[str, Any]


# What the SDK's messages mean in our words


def meaning(message: types.LiveServerMessage) -> list[Message]:
    """Return what a message of the SDK's says: content first, then what ends, then the link."""
    content = message.server_content or types.LiveServerContent()
    found: list[Message] = []
    if message.setup_complete:
        found.append(gemini.SetupComplete())
    found += content_of(content)
    if message.tool_call:
        found += [
            gemini.ToolCall(call.id or "", call.name or "", call.args)
            for call in message.tool_call.function_calls or ()
        ]
    if message.tool_call_cancellation:
        found.append(gemini.ToolCallCancelled(tuple(message.tool_call_cancellation.ids or ())))
    if message.voice_activity:
        found.append(gemini.VoiceActivity(voice_activity(message.voice_activity)))
    if content.interrupted:
        found.append(gemini.Interrupted())
    if content.generation_complete:
        found.append(gemini.GenerationComplete())
    usage = wire(message.usage_metadata)
    if content.turn_complete:
        reason = content.turn_complete_reason
        found.append(gemini.TurnComplete(reason.value if reason else None, usage))
    elif usage is not None:
        found.append(gemini.Usage(usage))
    update = message.session_resumption_update
    if update and update.resumable and update.new_handle:
        found.append(gemini.Resumable(update.new_handle))
    if message.go_away:
        found.append(gemini.GoAway(float((message.go_away.time_left or "").removesuffix("s"))))
    return found


def content_of(content: types.LiveServerContent) -> Iterator[Message]:
    """Return the pieces of an answer: sound, then text, then what describes them."""
    parts = (content.model_turn and content.model_turn.parts) or []
    for part in parts:
        if part.inline_data:
            data = base64.b64encode(part.inline_data.data or b"").decode()
            rate = (part.inline_data.mime_type or "").removeprefix("audio/pcm;rate=")
            yield gemini.Sound(data, int(rate))
    for part in parts:
        if part.text:
            yield gemini.Thought(part.text) if part.thought else gemini.ModelText(part.text)
        if part.executable_code:
            yield gemini.Code(wire(part.executable_code))
        if part.code_execution_result:
            yield gemini.CodeResult(wire(part.code_execution_result))
    said, heard = content.output_transcription, content.input_transcription
    if said and said.text:
        yield gemini.OutputTranscript(said.text)
    if heard and heard.text:
        yield gemini.InputTranscript(heard.text, bool(heard.finished))
    if content.grounding_metadata:
        yield gemini.Grounding(wire(content.grounding_metadata))


def wire(value: pydantic.BaseModel | None) -> object:
    """Return a value of the SDK's as the JSON that it came from."""
    return value and value.model_dump(mode="json", by_alias=True, exclude_none=True)


def voice_activity(found: types.VoiceActivity) -> object:
    """Return the one value that the SDK names otherwise than the wire does."""
    said: Any = wire(found)
    return {"type": said.pop("voiceActivityType"), **said}


def read_by_sdk(
    sdk: Sdk, coming: Sequence[bytes | Close]
) -> tuple[list[list[Message]], str | None]:
    """Return what the SDK takes from each message, and how it sees the end of the link."""

    async def read() -> tuple[list[list[Message]], str | None]:
        async with sdk.session(MemoryLink(coming)) as session:
            found = [meaning(types.LiveServerMessage(setup_complete=session.setup_complete))]
            with contextlib.suppress(SilenceError):
                try:
                    while True:
                        async for message in session.receive():
                            found.append(meaning(message))  # noqa: PERF401 - kept at its end
                except errors.APIError as ended:
                    return found, str(ended)
            return found, None

    return sdk.run(read())


def is_readable(payload: bytes) -> bool:
    """Whether the SDK can read a message: one with unknown keys alone ends it (TypeError)."""
    return [*json.loads(payload)] != ["aKeyFromTomorrow"]


# What the emulator sends


def payloads_of(player: Player) -> list[bytes]:
    """Return all that came."""
    return [sent.payload for _, sent in player.got]


def compare(sdk: Sdk, player: Player) -> None:
    """Read a whole link in both ways."""
    payloads = payloads_of(player)
    coming: list[bytes | Close] = [*filter(is_readable, payloads)]
    end: str | None = None
    if isinstance(player.end, Abort):
        coming.append(CUT)
        end = "1006 None. abnormal closure [internal]"
    elif player.end is not None:
        coming.append(Close(player.end.code, player.end.reason))
        end = f"{player.end.code} None. {player.end.reason}"
    ours = [gemini.decode(payload) for payload in payloads if is_readable(payload)]
    assert read_by_sdk(sdk, coming) == (ours, end)
    assert not any(gemini.decode(one) for one in payloads if not is_readable(one))


TOOLS: Final = [WEATHER]
SPOKEN: Final[Json] = {
    "inputAudioTranscription": {},
    "outputAudioTranscription": {},
    "sessionResumption": {},
    "tools": TOOLS,
}
SETUPS: Final[Mapping[str, Json]] = MappingProxyType(
    {
        DEFAULT: SPOKEN,
        THINKING: {
            **SPOKEN,
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}},
            "tools": [{"functionDeclarations": [{"name": "get_weather"}]}],
        },
        PREVIEW: {**SPOKEN, "historyConfig": {"initialHistoryInClientContent": True}},
        NATIVE: {**SPOKEN, "generationConfig": {"thinkingConfig": {"thinkingBudget": 1}}},
        CASCADE: {"generationConfig": TEXT, "sessionResumption": {}, "tools": TOOLS},
    }
)


def calls_of(player: Player) -> list[str]:
    """Return the ids of all calls that came."""
    calls = [one["toolCall"]["functionCalls"] for one in player.messages if "toolCall" in one]
    return [str(call["id"]) for some in calls for call in some]


@pytest.mark.parametrize("model", [DEFAULT, CASCADE, THINKING])
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(sdk: Sdk, name: str, model: str) -> None:
    """Both take the same from every scenario, to its end."""
    player = Player(model=model, **SETUPS[model])
    player.ask(f"/{name} 1008 a reason")
    player.wait()
    for call in calls_of(player):
        if name == "tool":
            player.answer(call)
    player.ask("And now?")
    player.wait()
    assert len(player.got) > 1 or player.end is not None
    compare(sdk, player)


Step = tuple[str, Any]
STEPS: Final[st.SearchStrategy[Step]] = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from([f"/{name} 1000 x" for name in SCENARIOS])),
    st.tuples(st.just("ask"), st.text(max_size=20) | st.just("weather")),
    st.tuples(st.just("write"), st.text(max_size=9)),
    st.tuples(st.just("speak"), st.sampled_from([VOICE, QUIET, VOICE + QUIET])),
    st.tuples(st.just("answer"), st.sampled_from([None, "INTERRUPT", "SILENT", "WHEN_IDLE"])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 30.0])),
    st.tuples(st.just("resume"), st.none()),
)


def take(player: Player, step: Step, model: str) -> Player:
    """Do one thing; return the link on which the next is to be done."""
    match step:
        case ("ask", text):
            player.ask(text)
        case ("write", text):
            player.realtime(text=text)
        case ("speak", pcm):
            player.speak(pcm)
        case ("answer", scheduling):
            fields = {} if scheduling is None else {"scheduling": scheduling}
            for call in calls_of(player)[-1:]:
                player.answer(call, **fields)
        case ("wait", seconds):
            player.wait(seconds)
        case _:
            handle = player.handle() if b"newHandle" in b"".join(payloads_of(player)) else "stale"
            resumed = {**SETUPS[model], "sessionResumption": {"handle": handle}}
            return Player(player.service, model, now=player.now, **resumed)
    return player


@given(st.sampled_from(sorted(SETUPS)), st.sampled_from([0.0, 1.0]), st.lists(STEPS, max_size=8))
@settings(max_examples=300)
def test_conversation(sdk: Sdk, model: str, pace: float, steps: list[Step]) -> None:
    """Both take the same from whatever is said, called, interrupted and resumed."""
    links = [Player(Service(Options(pace=pace)), model, **SETUPS[model])]
    for step in steps:
        link = take(links[-1], step, model)
        if link is not links[-1]:
            links.append(link)
    for link in links:
        link.wait(1.0)
        if link.got:
            compare(sdk, link)


# What Gemini was seen to send


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample(sdk: Sdk, path: Path) -> None:
    """Both take the same from a conversation of Gemini's."""
    frames = json.loads(path.read_text())["frames"]
    payloads = [json.dumps(frame["json"], indent=2).encode() for frame in frames]
    ours = [gemini.decode(payload) for payload in payloads]
    assert read_by_sdk(sdk, [READY, *payloads]) == ([[gemini.SetupComplete()], *ours], None)
