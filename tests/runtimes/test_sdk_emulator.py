"""Google's own SDK, unmodified, on the emulator over TLS."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import pytest
from google.genai import errors, types
from google.genai.live import AsyncSession

from livegate import recordings
from livegate.emulator import Emulator, Options, tone_of
from sdk import session_over_tls

NATIVE: Final = "gemini-2.5-flash-native-audio-preview-12-2025"
CASCADE: Final = "gemini-live-2.5-flash"
AT_ONCE: Final = Options(pace=0.0)
PATIENCE_S: Final = 20.0
WEATHER: Final = {"name": "get_weather"}
BLOCKING: Final = [{"function_declarations": [{**WEATHER, "behavior": "BLOCKING"}]}]
NON_BLOCKING: Final = [{"function_declarations": [{**WEATHER, "behavior": "NON_BLOCKING"}]}]
MANUAL: Final = {"automatic_activity_detection": {"disabled": True}}
SPEECH: Final = recordings.hello()
HEARD: Final = f"You said: {recordings.HELLO_TEXT}"
KNOWN: Final = attrs.evolve(Emulator().service.options, pace=0.0)
"""At once, with the known recording."""

Talk = Callable[[AsyncSession, Emulator], Awaitable[None]]


def on_sdk(talk: Talk, options: Options = AT_ONCE, **config: Any) -> None:
    """Run a conversation."""

    async def run() -> None:
        with Emulator(options=options, tls=True) as gemini:
            async with asyncio.timeout(PATIENCE_S), session_over_tls(gemini, **config) as link:
                await talk(link, gemini)

    asyncio.run(run())


async def ask(link: AsyncSession, text: str) -> None:
    """Send a turn of text."""
    content = types.Content(role="user", parts=[types.Part(text=text)])
    await link.send_client_content(turns=content, turn_complete=True)


async def realtime(link: Any, **fields: Any) -> None:
    """Send realtime input; the SDK's own type of it needs PIL."""
    await link.send_realtime_input(**fields)


async def speak(link: AsyncSession, pcm: bytes) -> None:
    """Send the sound of the known recording, a tenth of a second at a time."""
    for at in range(0, len(pcm), 3200):
        blob = types.Blob(data=pcm[at : at + 3200], mime_type=f"audio/pcm;rate={SPEECH.rate}")
        await realtime(link, audio=blob)


async def turn(link: AsyncSession) -> list[types.LiveServerMessage]:
    """Return all messages until the turn is complete."""
    return [message async for message in link.receive()]


async def answered(link: AsyncSession, text: str) -> str:
    """Ask, and return the transcription of the answer."""
    await ask(link, text)
    return text_of(await turn(link))


async def called(link: AsyncSession, text: str) -> types.FunctionCall:
    """Ask, and return the function call that follows."""
    await ask(link, text)
    async for message in link.receive():
        if message.tool_call and message.tool_call.function_calls:
            return message.tool_call.function_calls[0]
    pytest.fail("no function was called")


async def respond(link: AsyncSession, call: types.FunctionCall, **fields: Any) -> None:
    """Send a function's result."""
    result = types.FunctionResponse(id=call.id, name=call.name, response={"is": "sunny"}, **fields)
    await link.send_tool_response(function_responses=result)


async def end_of(link: AsyncSession) -> tuple[list[types.LiveServerMessage], errors.APIError]:
    """Return all messages until the link ends, and how it does."""
    found: list[types.LiveServerMessage] = []
    try:
        while True:
            async for message in link.receive():
                found.append(message)  # noqa: PERF401 - kept at the end
    except errors.APIError as ended:
        return found, ended


def contents_of(messages: list[types.LiveServerMessage]) -> list[types.LiveServerContent]:
    """Return what belongs to answers."""
    return [one.server_content for one in messages if one.server_content]


def text_of(messages: list[types.LiveServerMessage]) -> str:
    """Return the transcription of an answer."""
    said = [one.output_transcription for one in contents_of(messages) if one.output_transcription]
    return "".join(one.text or "" for one in said)


def heard_in(messages: list[types.LiveServerMessage]) -> list[str | None]:
    """Return the transcription of what was said."""
    contents = contents_of(messages)
    return [one.input_transcription.text for one in contents if one.input_transcription]


def sound_of(messages: list[types.LiveServerMessage]) -> bytes:
    """Return the sound of an answer."""
    turns = [one.model_turn for one in contents_of(messages) if one.model_turn]
    parts = [part for one in turns for part in one.parts or []]
    return b"".join(part.inline_data.data or b"" for part in parts if part.inline_data)


async def new_handle(link: AsyncSession) -> str:
    """Return the handle that follows an answer."""
    update = (await anext(link.receive())).session_resumption_update
    assert update
    assert update.resumable
    assert update.new_handle
    return update.new_handle


# Text and sound


def test_text() -> None:
    """The SDK asks by text, is answered in sound with its transcription, and reads the usage."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        await ask(link, "Hello")
        messages = await turn(link)
        assert text_of(messages) == "You said: Hello"
        assert sound_of(messages) == tone_of("You said: Hello")
        assert messages[-1].usage_metadata
        assert messages[-1].usage_metadata.response_token_count == 20

    on_sdk(talk)


def test_written_answer() -> None:
    """The SDK is answered in text by a model that writes."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        await ask(link, "Hello")
        assert "".join([one.text or "" for one in await turn(link)]) == "You said: Hello"

    on_sdk(talk, model=CASCADE, response_modalities=["TEXT"], output_audio_transcription=None)


def test_realtime_text() -> None:
    """The SDK asks by realtime text, with and without a picture before it."""

    async def talk(link: AsyncSession, gemini: Emulator) -> None:
        await realtime(link, text="Hello")
        assert text_of(await turn(link)) == "You said: Hello"
        await realtime(link, video=types.Blob(data=b"\xff\xd8\xff\xd9", mime_type="image/jpeg"))
        await realtime(link, text="What is this?")
        assert text_of(await turn(link)) == "You said: What is this?"
        assert gemini.service.received[0].messages[1] == {
            "realtimeInput": {"video": {"data": "_9j_2Q==", "mimeType": "image/jpeg"}}
        }

    on_sdk(talk, model="gemini-3.1-flash-live-preview")


def test_sound() -> None:
    """The SDK speaks the known recording, and hears it again; what it said is transcribed."""

    async def talk(link: AsyncSession, gemini: Emulator) -> None:
        sound = SPEECH.pcm + bytes(2 * SPEECH.rate)
        await speak(link, sound)
        messages = await turn(link)
        assert heard_in(messages) == [recordings.HELLO_TEXT]
        assert text_of(messages) == HEARD
        assert len(sound_of(messages)) > 48_000
        assert sound.startswith(gemini.service.received[0].audio)

    on_sdk(talk, KNOWN, input_audio_transcription={})


def test_stream_end() -> None:
    """The SDK ends what it says by audio_stream_end, on a model that hears it."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        await speak(link, SPEECH.pcm)
        await realtime(link, audio_stream_end=True)
        assert text_of(await turn(link)) == HEARD

    on_sdk(talk, KNOWN, model=NATIVE)


def test_turns_by_hand() -> None:
    """The SDK says itself when an activity begins and ends."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        await realtime(link, activity_start=types.ActivityStart())
        await speak(link, SPEECH.pcm)
        await realtime(link, activity_end=types.ActivityEnd())
        assert text_of(await turn(link)) == HEARD

    on_sdk(talk, KNOWN, realtime_input_config=MANUAL)


def test_history() -> None:
    """The SDK seeds a conversation, model's turns included, and is not answered until it asks."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        code = types.ExecutableCode(code="print(1)", language=types.Language.PYTHON)
        result = types.CodeExecutionResult(outcome=types.Outcome.OUTCOME_OK, output="1")
        parts = [types.Part(executable_code=code), types.Part(code_execution_result=result)]
        await link.send_client_content(
            turns=[
                types.Content(role="user", parts=[types.Part(text="My name is Ana")]),
                types.Content(role="model", parts=[*parts, types.Part(text="Hello, Ana")]),
            ]
        )
        assert await answered(link, "What did I say?") == "You said before: My name is Ana"

    on_sdk(talk, history_config={"initial_history_in_client_content": True})


# Tools


def test_tool() -> None:
    """The SDK is called for a function, and its result is told."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        call = await called(link, "What is the weather?")
        assert (call.name, call.args) == ("get_weather", {"city": "Lisbon"})
        await respond(link, call)
        assert text_of(await turn(link)) == 'The tool said: {"is":"sunny"}'

    on_sdk(talk, tools=BLOCKING)


def test_tool_in_the_background() -> None:
    """The model talks on, and tells the result when it has it, more of which may follow."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        call = await called(link, "What is the weather?")
        assert text_of(await turn(link)) == "One moment, please."
        scheduling = types.FunctionResponseScheduling.WHEN_IDLE
        for will_continue in (True, False):
            await respond(link, call, scheduling=scheduling, will_continue=will_continue)
            assert text_of(await turn(link)) == 'The tool said: {"is":"sunny"}'

    on_sdk(talk, tools=NON_BLOCKING)


def test_tool_cancelled() -> None:
    """The SDK is told that a call is void when the user interrupts it."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        call = await called(link, "What is the weather?")
        await realtime(link, text="Never mind")
        messages = await turn(link)
        cancelled = [one.tool_call_cancellation for one in messages if one.tool_call_cancellation]
        assert [one.ids for one in cancelled] == [[call.id]]
        assert any(one.interrupted for one in contents_of(messages))
        assert text_of(await turn(link)) == "You said: Never mind"

    on_sdk(talk, tools=BLOCKING)


def test_context_update() -> None:
    """The SDK changes instruction and tools in mid-session, and takes the tools away."""

    async def talk(link: Any, gemini: Emulator) -> None:
        assert await answered(link, "Weather?") == "You said: Weather?"
        await link.send_context_update(
            system_instruction="Be terse.", tools=[types.Tool.model_validate(BLOCKING[0])]
        )
        await respond(link, await called(link, "Weather?"))
        assert text_of(await turn(link)) == 'The tool said: {"is":"sunny"}'
        await link.send_context_update(tools=[])
        assert await answered(link, "Weather?") == "You said: Weather?"
        updates = [one for one in gemini.service.received[0].messages if "contextUpdate" in one]
        assert updates[1] == {"contextUpdate": {"tools": {"tools": []}}}

    on_sdk(talk)


# Interruption, and a link's end


def test_interruption() -> None:
    """The SDK interrupts a long answer, and gets the next one."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        await ask(link, "/long")
        messages: list[types.LiveServerMessage] = []
        async for message in link.receive():
            if not messages:
                await realtime(link, text="Stop")
            messages.append(message)
        assert any(one.interrupted for one in contents_of(messages))
        assert not any(one.generation_complete for one in contents_of(messages))
        assert text_of(await turn(link)) == "You said: Stop"

    on_sdk(talk, Options())


def test_interruption_by_voice() -> None:
    """The SDK interrupts a long answer by speaking."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        await ask(link, "/long")
        await anext(link.receive())
        await speak(link, SPEECH.pcm)
        assert any(one.interrupted for one in contents_of(await turn(link)))

    on_sdk(talk, Options())


def test_resumption() -> None:
    """The SDK resumes a conversation on another link."""

    async def talk(link: AsyncSession, gemini: Emulator) -> None:
        await ask(link, "My name is Ana")
        await turn(link)
        resumed = {"handle": await new_handle(link)}
        async with session_over_tls(gemini, session_resumption=resumed) as other:
            assert await answered(other, "What did I say?") == "You said before: My name is Ana"

    on_sdk(talk, session_resumption={})


def test_resumption_refused() -> None:
    """The SDK is refused with a stale handle, and with another model."""

    async def talk(link: AsyncSession, gemini: Emulator) -> None:
        await ask(link, "My name is Ana")
        await turn(link)
        with pytest.raises(errors.APIError, match=r"1008 .* session not found"):
            async with session_over_tls(gemini, session_resumption={"handle": "stale"}):
                pass
        resumed = {"handle": await new_handle(link)}
        with pytest.raises(errors.APIError, match=r"1007 .* Request contains an invalid argument"):
            async with session_over_tls(gemini, model=NATIVE, session_resumption=resumed):
                pass

    on_sdk(talk, session_resumption={})


@pytest.mark.parametrize(
    ("options", "text", "time_left"),
    [(AT_ONCE, "/goaway", "50s"), (Options(pace=0.0, link_life_s=0.2), "", "0.1s")],
)
def test_go_away(options: Options, text: str, time_left: str) -> None:
    """The SDK is told that the link will end, and sees it end."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        if text:
            await ask(link, text)
        messages, end = await end_of(link)
        assert [one.go_away.time_left for one in messages if one.go_away] == [time_left]
        assert end.code == 1011
        assert "Deadline expired" in str(end)

    on_sdk(talk, options)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (
            "/close 1008 Requested entity was not found",
            "1008 None. Requested entity was not found",
        ),
        ("/quota", "1011 None. You exceeded your current quota"),
        ("/drop", "1006 None. "),
    ],
)
def test_ends(text: str, end: str) -> None:
    """The SDK reports the code and the reason of a close, or that there was none."""

    async def talk(link: AsyncSession, _gemini: Emulator) -> None:
        await ask(link, text)
        assert str((await end_of(link))[1]).startswith(end)

    on_sdk(talk)


# What is refused


REFUSED: Final[list[tuple[dict[str, Any], str]]] = [
    ({"model": "gemini-2.0-flash-live-001"}, "1008 None. models/gemini-2.0-flash-live-001 is"),
    (
        {"model": "gemini-2.5-flash-native-audio-latest", "version": "v1"},
        "1008 None. models/gemini-2.5-flash-native-audio-latest is not found for API version v1",
    ),
    (
        {"response_modalities": ["TEXT"]},
        "1007 None. The requested combination of response mod",
    ),
    ({"response_modalities": ["TEXT", "AUDIO"]}, "1007 None. Request contains an invalid"),
    ({"thinking_config": {"thinking_budget": 5}}, "1007 None. Request contains an invalid"),
    (
        {"model": CASCADE, "thinking_config": {"thinking_level": "LOW"}},
        "1007 None. Request contains an invalid",
    ),
    ({"model": "gemini-3.8-live-extended-thinking"}, "1007 None. Request contains an invalid"),
    (
        {
            "model": CASCADE,
            "response_modalities": ["TEXT"],
            "speech_config": {"language_code": "de"},
        },
        "1007 None. Cannot extract voices from a non-audio request.",
    ),
    ({"tools": [{"code_execution": {}}]}, "1007 None. Request contains an invalid"),
    ({"enable_affective_dialog": True}, "1007 None. Request contains an invalid"),
    ({"key": "bad"}, "1007 None. API key not valid. Please pass a valid API key."),
    (
        {"tools": [{"file_search": {"file_search_store_names": ["x"]}}]},
        "1007 None. Invalid JSON payload received. Unknown name \"fileSearch\" at 'setup.tools[0]'",
    ),
]


@pytest.mark.parametrize(("config", "end"), REFUSED)
def test_refused_setup(config: dict[str, Any], end: str) -> None:
    """The SDK reports a refused setup with the service's code and reason."""

    async def run() -> None:
        options = Options(keys=frozenset({"abc"}))
        with (
            Emulator(options=options, tls=True) as gemini,
            pytest.raises(errors.APIError) as refused,
        ):
            async with session_over_tls(gemini, **config):
                pass
        assert str(refused.value).startswith(end)

    asyncio.run(run())


@pytest.mark.filterwarnings("ignore:The `session.send` method is deprecated:DeprecationWarning")
def test_deprecated_sound() -> None:
    """What the SDK's deprecated ways of sending sound make is refused by new models alone."""

    async def talk(link: Any, gemini: Emulator) -> None:
        sound = types.Blob(data=SPEECH.pcm, mime_type="audio/pcm;rate=16000")
        await link.send_realtime_input(media=sound)
        await link.send(input="Hello", end_of_turn=True)
        assert text_of(await turn(link)) == "You said: Hello"
        assert gemini.service.received[0].audio == SPEECH.pcm
        async with session_over_tls(gemini) as other:
            await realtime(other, media=sound)
            assert "media_chunks is deprecated" in str((await end_of(other))[1])

    on_sdk(talk, model=NATIVE)


@pytest.mark.filterwarnings("ignore:The SDK's ephemeral token support")
def test_ephemeral_token() -> None:
    """The SDK takes an ephemeral token to the method that knows them, and is refused with another."""

    async def talk(link: AsyncSession, gemini: Emulator) -> None:
        assert await answered(link, "Hello") == "You said: Hello"
        path = gemini.service.received[0].path
        assert path.endswith(".v1alpha.GenerativeService.BidiGenerateContentConstrained")
        with pytest.raises(errors.APIError, match="1007"):
            async with session_over_tls(gemini, key="auth_tokens/another", version="v1alpha"):
                pass

    token = "auth_tokens/one"  # noqa: S105 - of the emulator
    options = Options(pace=0.0, keys=frozenset({token}))
    on_sdk(talk, options, key=token, version="v1alpha")
