"""The Live API's JSON: what we send to Gemini, and what its messages mean.

Source: Live API reference, BidiGenerateContentClientMessage and BidiGenerateContentServerMessage.
We write camelCase, the documented form. Of what Gemini sends, unknown keys are skipped, since new
ones appear every month.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs
import msgspec

from livegate.protocol import _json, audio, frames
from livegate.protocol.profiles import TextPath

KEY_HEADER: Final = "x-goog-api-key"
"""The request header that holds the API key; in the address it would be logged on the way."""


@attrs.frozen
class SetupComplete:
    """`setupComplete`: Gemini accepted the setup."""


@attrs.frozen
class Sound:
    """`modelTurn.parts[].inlineData`: a piece of the answer to hear."""

    data: str
    """Base64 of PCM, 16-bit little-endian mono, as it came."""
    rate: int
    """Hz."""

    @property
    def seconds(self) -> float:
        """How long the piece plays."""
        return audio.decoded_size(self.data) / (2 * self.rate)


@attrs.frozen
class ModelText:
    """`modelTurn.parts[].text`: a piece of the answer to read."""

    text: str


@attrs.frozen
class Thought:
    """`modelTurn.parts[]` with `thought: true`: never part of the answer."""

    text: str


@attrs.frozen
class Code:
    """`modelTurn.parts[].executableCode`."""

    data: object


@attrs.frozen
class CodeResult:
    """`modelTurn.parts[].codeExecutionResult`."""

    data: object


@attrs.frozen
class OutputTranscript:
    """`outputTranscription`: what is being said, in pieces to be joined."""

    text: str


@attrs.frozen
class InputTranscript:
    """`inputTranscription`: what Gemini heard, in pieces to be joined."""

    text: str
    is_final: bool


@attrs.frozen
class Grounding:
    """`groundingMetadata`."""

    data: object


@attrs.frozen
class Interrupted:
    """`interrupted`: the user spoke; the rest of the answer will not come."""


@attrs.frozen
class GenerationComplete:
    """`generationComplete`: all of the answer has been sent."""


@attrs.frozen
class TurnComplete:
    """`turnComplete`: the answer has ended."""

    reason: str | None
    usage: object
    """`usageMetadata` of the same message, or None."""


@attrs.frozen
class Usage:
    """`usageMetadata` on its own."""

    data: object


@attrs.frozen
class ToolCall:
    """One of `toolCall.functionCalls`."""

    id: str
    name: str
    args: object


@attrs.frozen
class ToolCallCancelled:
    """`toolCallCancellation`."""

    ids: tuple[str, ...]


@attrs.frozen
class GoAway:
    """`goAway`: Gemini will end the link."""

    time_left_s: float


@attrs.frozen
class Resumable:
    """`sessionResumptionUpdate` with a handle that a later link may name."""

    handle: str


@attrs.frozen
class VoiceActivity:
    """`voiceActivity`."""

    data: object


Message: TypeAlias = (
    SetupComplete
    | Sound
    | ModelText
    | Thought
    | Code
    | CodeResult
    | OutputTranscript
    | InputTranscript
    | Grounding
    | Interrupted
    | GenerationComplete
    | TurnComplete
    | Usage
    | ToolCall
    | ToolCallCancelled
    | GoAway
    | Resumable
    | VoiceActivity
)


class _Blob(msgspec.Struct, rename="camel"):
    data: str = ""
    mime_type: str = ""


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    inline_data: _Blob | None = None
    executable_code: object = None
    code_execution_result: object = None


class _Turn(msgspec.Struct):
    parts: list[_Part] | None = None


class _Transcription(msgspec.Struct):
    text: str | None = None
    finished: bool | None = None


class _ServerContent(msgspec.Struct, rename="camel"):
    model_turn: _Turn | None = None
    output_transcription: _Transcription | None = None
    input_transcription: _Transcription | None = None
    grounding_metadata: object = None
    interrupted: bool | None = None
    generation_complete: bool | None = None
    turn_complete: bool | None = None
    turn_complete_reason: str | None = None


class _FunctionCall(msgspec.Struct):
    id: str = ""
    name: str = ""
    args: object = None


class _ToolCall(msgspec.Struct, rename="camel"):
    function_calls: list[_FunctionCall] | None = None


class _Cancellation(msgspec.Struct):
    ids: list[str] | None = None


class _GoAway(msgspec.Struct, rename="camel"):
    time_left: str = ""


class _Resumption(msgspec.Struct, rename="camel"):
    new_handle: str | None = None
    resumable: bool | None = None


class _ServerMessage(msgspec.Struct, rename="camel"):
    setup_complete: object = None
    server_content: _ServerContent | None = None
    tool_call: _ToolCall | None = None
    tool_call_cancellation: _Cancellation | None = None
    usage_metadata: object = None
    go_away: _GoAway | None = None
    session_resumption_update: _Resumption | None = None
    voice_activity: object = None


_message = msgspec.json.Decoder(_ServerMessage)
_GO_AWAY_DEFAULT_S: Final = 60.0
"""The lead that the documentation gives, should `timeLeft` be unreadable."""
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
TOKENS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "prompt": ("promptTokenCount",),
        "response": ("responseTokenCount", "candidatesTokenCount"),  # the latter is Vertex AI's
        "thoughts": ("thoughtsTokenCount",),
        "tool_use_prompt": ("toolUsePromptTokenCount",),
    }
)
"""What a `usageMetadata` counts, none of it twice: our word, and the Live API's."""
_MAX_COUNT: Final = 2**31 - 1
_MAX_DEPTH: Final = 100
"""How deep free JSON may nest: what can be decoded must be encodable again for the client."""


def decode(payload: bytes) -> list[Message]:
    """Return what one message of Gemini says, content first and flags last.

    Raises:
        ValueError: It is not the Live API's JSON.
    """
    try:
        wire = _message.decode(payload)
    except _json.MALFORMED as error:
        raise ValueError(str(error)) from None
    if any(_json.depth(value, _MAX_DEPTH) > _MAX_DEPTH for value in _free_json(wire)):
        raise ValueError(f"it nests deeper than {_MAX_DEPTH} levels")
    found: list[Message] = []
    if wire.setup_complete is not None:
        found.append(SetupComplete())
    if wire.server_content is not None:
        found += _content(wire.server_content)
    if wire.tool_call is not None:
        found += [ToolCall(c.id, c.name, c.args) for c in wire.tool_call.function_calls or ()]
    if wire.tool_call_cancellation is not None:
        found.append(ToolCallCancelled(tuple(wire.tool_call_cancellation.ids or ())))
    if wire.voice_activity is not None:
        found.append(VoiceActivity(wire.voice_activity))
    found += _ending(wire)
    if wire.session_resumption_update is not None:
        update = wire.session_resumption_update
        # `{}` or resumable: false means "not now": the last handle stays the best one.
        if update.resumable and update.new_handle:
            found.append(Resumable(update.new_handle))
    if wire.go_away is not None:
        found.append(GoAway(_seconds(wire.go_away.time_left)))
    return found


def _free_json(wire: _ServerMessage) -> Iterator[object]:
    """Return all that has no schema."""
    yield from (wire.usage_metadata, wire.voice_activity)
    for call in (wire.tool_call and wire.tool_call.function_calls) or ():
        yield call.args
    content = wire.server_content or _ServerContent()
    yield content.grounding_metadata
    for part in (content.model_turn and content.model_turn.parts) or ():
        yield from (part.executable_code, part.code_execution_result)


def _content(content: _ServerContent) -> list[Message]:
    """Return the pieces of a `serverContent`: sound, text, then what describes them."""
    parts = content.model_turn.parts or [] if content.model_turn else []
    sounds: list[Message] = []
    others: list[Message] = []
    for part in parts:
        if part.inline_data is not None and part.inline_data.mime_type.startswith("audio/"):
            blob = part.inline_data
            sounds.append(Sound(blob.data, audio.output_rate(blob.mime_type)))
        if part.text:
            others.append(Thought(part.text) if part.thought else ModelText(part.text))
        if part.executable_code is not None:
            others.append(Code(part.executable_code))
        if part.code_execution_result is not None:
            others.append(CodeResult(part.code_execution_result))
    said = content.output_transcription
    if said is not None and said.text:
        others.append(OutputTranscript(said.text))
    heard = content.input_transcription
    if heard is not None and heard.text:
        others.append(InputTranscript(heard.text, bool(heard.finished)))
    if content.grounding_metadata is not None:
        others.append(Grounding(content.grounding_metadata))
    return sounds + others


def _ending(wire: _ServerMessage) -> list[Message]:
    """Return the flags of a message: what ends, and what it cost."""
    content = wire.server_content or _ServerContent()
    found: list[Message] = []
    if content.interrupted:
        found.append(Interrupted())
    if content.generation_complete:
        found.append(GenerationComplete())
    if content.turn_complete:
        found.append(TurnComplete(content.turn_complete_reason, wire.usage_metadata))
    elif wire.usage_metadata is not None:
        found.append(Usage(wire.usage_metadata))
    return found


def tokens(usage: object) -> dict[str, int]:
    """Return the counts of a `usageMetadata`, by the names of `TOKENS`; what is none is 0."""
    given: Mapping[str, object] = usage if _json.is_object(usage) else {}
    return {kind: max(_count(given.get(name)) for name in names) for kind, names in TOKENS.items()}


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT:
        return value
    return 0


def _seconds(duration: str) -> float:
    """Return a protobuf JSON duration (`"9.500s"`) in seconds."""
    found = _DURATION.fullmatch(duration)
    return float(found.group(1)) if found else _GO_AWAY_DEFAULT_S


def encode_setup(
    setup: Mapping[str, object], handle: str | None, *, is_seeded: bool = False
) -> bytes:
    """Return the first message of a link; with a handle it resumes that conversation.

    Args:
        setup: The config.
        handle: Of the conversation to go on with.
        is_seeded: What was said before follows, by `encode_history`.
    """
    resumption = {"handle": handle} if handle else {}
    seeding = {"historyConfig": {"initialHistoryInClientContent": True}} if is_seeded else {}
    return _json.encode({"setup": {**setup, "sessionResumption": resumption, **seeding}})


GOES_ON: Final = "(The conversation goes on over a new connection.)"
"""What a history ends with that has to end with a user's turn."""


def encode_history(turns: Sequence[tuple[str, str]], *, ends_with_user: bool) -> bytes:
    """Return what was said before, as (role, text): nothing that Gemini shall answer.

    Args:
        turns: In order.
        ends_with_user: `Profile.history_ends_with_user`.
    """
    if ends_with_user and turns[-1][0] != "user":
        turns = [*turns, ("user", GOES_ON)]
    told = [{"role": role, "parts": [{"text": text}]} for role, text in turns]
    return _json.encode({"clientContent": {"turns": told, "turnComplete": True}})


def encode_text(text: str, path: TextPath) -> bytes:
    """Return a user's text turn, which Gemini shall answer."""
    if path is TextPath.REALTIME_TEXT:
        return _json.encode({"realtimeInput": {"text": text}})
    turn = {"role": "user", "parts": [{"text": text}]}
    return _json.encode({"clientContent": {"turns": [turn], "turnComplete": True}})


def encode_audio(data: str, rate: int) -> bytes:
    """Return a piece of sound. `data` is checked base64, so it needs no JSON escapes."""
    return b'{"realtimeInput":{"audio":{"data":"%b","mimeType":"audio/pcm;rate=%d"}}}' % (
        data.encode("ascii"),
        rate,
    )


def encode_image(data: str, mime_type: str) -> bytes:
    """Return one still frame of `realtimeInput.video`."""
    return _json.encode({"realtimeInput": {"video": {"data": data, "mimeType": mime_type}}})


def encode_stream_end() -> bytes:
    """Return `audioStreamEnd`: the microphone is off."""
    return b'{"realtimeInput":{"audioStreamEnd":true}}'


def encode_activity_start() -> bytes:
    """Return `activityStart`, for sessions without automatic detection."""
    return b'{"realtimeInput":{"activityStart":{}}}'


def encode_activity_end() -> bytes:
    """Return `activityEnd`, for sessions without automatic detection."""
    return b'{"realtimeInput":{"activityEnd":{}}}'


def encode_tool_response(responses: tuple[frames.FunctionResponse, ...]) -> bytes:
    """Return functions' results. Without a `name` 3.8 extended-thinking takes one for failed."""
    return _json.encode(
        {"toolResponse": {"functionResponses": [_function_response(one) for one in responses]}}
    )


def _function_response(one: frames.FunctionResponse) -> Mapping[str, object]:
    fields = {
        "id": one.id,
        "name": one.name,
        "response": one.response,
        "scheduling": one.scheduling,
        "willContinue": one.will_continue,
    }
    return {key: value for key, value in fields.items() if value is not None}
