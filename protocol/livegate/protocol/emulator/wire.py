"""The Live API as the server reads it: strict about names and types, lax about spelling.

Protobuf JSON takes a field in camelCase and in snake_case; the official SDK sends both.
"""

import base64
import binascii
import re
from typing import Annotated, Final, Literal

import msgspec

from livegate.protocol import _json

# What is below these keys is the user's own: its keys are data.
_FREE: Final = frozenset(
    {
        "parameters",
        "parametersJsonSchema",
        "response",
        "responseJsonSchema",
        "args",
        "labels",
        "partMetadata",
    }
)
_SNAKE: Final = re.compile(r"_([a-z0-9])")
_MAX_DEPTH: Final = 100  # protobuf's own limit
_CAPITAL: Final = re.compile(r"([A-Z])")
_UNKNOWN: Final = re.compile(
    r"Object contains unknown field `(?P<name>.*?)`(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL
)
_URL_SAFE: Final = str.maketrans("-_", "+/")


class RefusalError(Exception):
    """The service closes the link."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def invalid() -> RefusalError:
    """Return the refusal that says nothing, which is the commonest."""
    return RefusalError(1007, "Request contains an invalid argument.")


class Strict(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A message that has these fields and no others."""


Presence = dict[str, object]
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
# Protobuf JSON writes int64 as text, and reads both.
Int64 = (
    Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[str, msgspec.Meta(pattern=r"\A-?[0-9]{1,19}\Z")]
)


class Blob(Strict):
    data: str = ""
    mime_type: str = ""
    display_name: str | None = None


class Part(Strict):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Blob | None = None
    file_data: Presence | None = None
    function_call: Presence | None = None
    function_response: Presence | None = None
    executable_code: Presence | None = None
    code_execution_result: Presence | None = None
    tool_call: Presence | None = None
    tool_response: Presence | None = None
    audio_transcription: Presence | None = None
    part_metadata: Presence | None = None
    audio_metadata: Presence | None = None
    document_metadata: Presence | None = None
    speech_metadata: Presence | None = None
    spreadsheet_metadata: Presence | None = None
    video_metadata: Presence | None = None
    media_processing: Presence | None = None
    media_resolution: Presence | None = None


class Content(Strict):
    parts: list[Part] = []
    role: str | None = None


class PrebuiltVoice(Strict):
    voice_name: str | None = None


class VoiceConfig(Strict):
    prebuilt_voice_config: PrebuiltVoice | None = None
    replicated_voice_config: Presence | None = None
    voice: str | None = None


class SpeechConfig(Strict):
    voice_config: VoiceConfig | None = None
    language_code: str | None = None
    multi_speaker_voice_config: Presence | None = None


class ThinkingConfig(Strict):
    thinking_budget: Int32 | None = None
    include_thoughts: bool | None = None
    thinking_level: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH"] | None = None


class GenerationConfig(Strict):
    response_modalities: list[Literal["AUDIO", "TEXT", "IMAGE", "VIDEO"]] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: Int32 | None = None
    seed: Int32 | None = None
    candidate_count: Int32 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop_sequences: list[str] | None = None
    media_resolution: (
        Literal["MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"] | None
    ) = None
    speech_config: SpeechConfig | None = None
    thinking_config: ThinkingConfig | None = None
    enable_affective_dialog: bool | None = None
    translation_config: Presence | None = None


class Declaration(Strict):
    name: str
    description: str | None = None
    parameters: Presence | None = None
    parameters_json_schema: Presence | None = None
    response: Presence | None = None
    response_json_schema: Presence | None = None
    behavior: Literal["BLOCKING", "NON_BLOCKING"] | None = None


class Tool(Strict):
    function_declarations: list[Declaration] | None = None
    google_search: Presence | None = None
    google_search_retrieval: Presence | None = None
    code_execution: Presence | None = None
    url_context: Presence | None = None
    google_maps: Presence | None = None
    mcp_servers: list[Presence] | None = None


class Resumption(Strict):
    handle: str = ""


class SlidingWindow(Strict):
    target_tokens: Int64 | None = None


class Compression(Strict):
    trigger_tokens: Int64 | None = None
    sliding_window: SlidingWindow | None = None


class Detection(Strict):
    disabled: bool | None = None
    start_of_speech_sensitivity: (
        Literal["START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"] | None
    ) = None
    end_of_speech_sensitivity: Literal["END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"] | None = None
    prefix_padding_ms: Int32 | None = None
    silence_duration_ms: Int32 | None = None


class RealtimeInputConfig(Strict):
    automatic_activity_detection: Detection | None = None
    activity_handling: Literal["START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"] | None = None
    turn_coverage: (
        Literal[
            "TURN_INCLUDES_ONLY_ACTIVITY",
            "TURN_INCLUDES_ALL_INPUT",
            "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
        ]
        | None
    ) = None
    interim_transcript_timestamp_enabled: bool | None = None


class Transcription(Strict):
    language_codes: list[str] | None = None
    custom_vocabulary: list[str] | None = None
    word_timestamp: bool | None = None
    diarization: bool | None = None
    mode: Literal["VERBATIM", "SMART"] | None = None
    source_text: str | None = None
    language_auto: Presence | None = None
    language_hints: Presence | None = None
    adaptation_phrases: list[str] | None = None


class Proactivity(Strict):
    proactive_audio: bool | None = None
    proactive_video: bool | None = None


class HistoryConfig(Strict):
    initial_history_in_client_content: bool | None = None


class Setup(Strict):
    model: str = ""
    generation_config: GenerationConfig = msgspec.field(default_factory=GenerationConfig)
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    session_resumption: Resumption | None = None
    context_window_compression: Compression | None = None
    realtime_input_config: RealtimeInputConfig = msgspec.field(default_factory=RealtimeInputConfig)
    input_audio_transcription: Transcription | None = None
    output_audio_transcription: Transcription | None = None
    proactivity: Proactivity | None = None
    history_config: HistoryConfig | None = None
    safety_settings: list[Presence] | None = None
    avatar_config: Presence | None = None
    labels: dict[str, str] | None = None


class ClientContent(Strict):
    turns: list[Content] = []
    turn_complete: bool = False


class RealtimeInput(Strict):
    audio: Blob | None = None
    video: Blob | None = None
    text: str | None = None
    activity_start: Presence | None = None
    activity_end: Presence | None = None
    audio_stream_end: bool | None = None
    media_chunks: list[Blob] | None = None


class FunctionResponse(Strict):
    id: str = ""
    name: str | None = None
    response: Presence | None = None
    scheduling: Literal["SILENT", "WHEN_IDLE", "INTERRUPT"] | None = None
    will_continue: bool | None = None
    parts: list[Presence] | None = None


class ToolResponse(Strict):
    function_responses: list[FunctionResponse] = []


class ToolsUpdate(Strict):
    tools: list[Tool] = []


class ContextUpdate(Strict):
    system_instruction: Content | None = None
    tools: ToolsUpdate | None = None


class ClientMessage(Strict):
    setup: Setup | None = None
    client_content: ClientContent | None = None
    realtime_input: RealtimeInput | None = None
    tool_response: ToolResponse | None = None
    context_update: ContextUpdate | None = None


def read(payload: bytes) -> tuple[ClientMessage, dict[str, object]]:
    """Return one message of a client, and its JSON in camelCase.

    Raises:
        RefusalError: 1007, as the service words it.
    """
    spelled: dict[str, str] = {}
    try:
        value: object = msgspec.json.decode(payload)
        if _json.depth(value, _MAX_DEPTH) > _MAX_DEPTH:
            raise RecursionError
        given = _camel(value, spelled)
        message = msgspec.convert(given, ClientMessage)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), spelled) from None
    except _json.MALFORMED:
        raise RefusalError(1007, "Invalid JSON payload received.") from None
    if not _json.is_object(given) or [*given.values()].count(None) != len(given) - 1:
        raise invalid()
    return message, dict(given)


def _refusal(error: str, spelled: dict[str, str]) -> RefusalError:
    """Return what the service says of a message of the wrong shape."""
    unknown = _UNKNOWN.fullmatch(error)
    # A name that looks like the end of msgspec's sentence is not told from its place.
    if unknown is None or unknown["name"] not in spelled:
        return invalid()
    name = spelled[unknown["name"]]
    # The service names the place in snake_case: setup.generation_config, setup.tools[0].
    where = _CAPITAL.sub(lambda found: f"_{found[1].lower()}", unknown["where"] or "")
    place = f" at '{where}'" if where else ""
    return RefusalError(
        1007, f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
    )


def _camel(value: object, spelled: dict[str, str]) -> object:
    """Return JSON with every key in camelCase, but for keys that are data.

    Args:
        value: What was decoded.
        spelled: Takes each key in camelCase, with how the client wrote it.

    Raises:
        RefusalError: A field came twice, in both spellings.
    """
    if _json.is_array(value):
        return [_camel(item, spelled) for item in value]
    if not _json.is_object(value):
        return value
    given: dict[str, object] = {}
    for key, inner in value.items():
        name = _SNAKE.sub(lambda found: found[1].upper(), key)
        if name in given:
            raise invalid()
        spelled[name] = key
        given[name] = inner if name in _FREE else _camel(inner, spelled)
    return given


def bytes_of(blob: Blob) -> bytes:
    """Return a blob's bytes; both alphabets of base64 are good.

    Raises:
        RefusalError: It is not base64.
    """
    try:
        return base64.b64decode(blob.data.translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        raise invalid() from None
