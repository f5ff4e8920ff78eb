"""The Live API as the server reads it: strict about names and types, lax about spelling.

Protobuf JSON takes a field in camelCase and in snake_case; the official SDK sends both.
"""

import base64
import binascii
import re
from typing import Final

import msgspec

from livegate.protocol import _json

# What is below these keys is the user's own: its keys are data.
_FREE: Final = frozenset(
    {"parameters", "parametersJsonSchema", "response", "responseJsonSchema", "args", "labels"}
)
_SNAKE: Final = re.compile(r"_([a-z0-9])")
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
Int64 = int | str


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
    video_metadata: Presence | None = None
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
    thinking_budget: int | None = None
    include_thoughts: bool | None = None
    thinking_level: str | None = None


class GenerationConfig(Strict):
    response_modalities: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: int | None = None
    seed: int | None = None
    candidate_count: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop_sequences: list[str] | None = None
    media_resolution: str | None = None
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
    behavior: str | None = None


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
    transparent: bool | None = None


class SlidingWindow(Strict):
    target_tokens: Int64 | None = None


class Compression(Strict):
    trigger_tokens: Int64 | None = None
    sliding_window: SlidingWindow | None = None


class Detection(Strict):
    disabled: bool | None = None
    start_of_speech_sensitivity: str | None = None
    end_of_speech_sensitivity: str | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None


class RealtimeInputConfig(Strict):
    automatic_activity_detection: Detection | None = None
    activity_handling: str | None = None
    turn_coverage: str | None = None
    interim_transcript_timestamp_enabled: bool | None = None


class Transcription(Strict):
    language_codes: list[str] | None = None
    custom_vocabulary: list[str] | None = None
    word_timestamp: bool | None = None
    diarization: bool | None = None
    mode: str | None = None
    source_text: bool | None = None
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
    scheduling: str | None = None
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
    try:
        value: object = msgspec.json.decode(payload)
        spelled = _camel(value)
        message = msgspec.convert(spelled, ClientMessage)
    except msgspec.ValidationError as error:
        unknown = re.search(r"unknown field `(\w+)`", str(error))
        if unknown:
            raise RefusalError(
                1007,
                f'Invalid JSON payload received. Unknown name "{unknown[1]}": Cannot find field.',
            ) from None
        raise invalid() from None
    except _json.MALFORMED:
        raise RefusalError(1007, "Invalid JSON payload received.") from None
    given = spelled if isinstance(spelled, dict) else {}
    if len(given) != 1:
        raise invalid()
    return message, given


def _camel(value: object) -> object:
    """Return JSON with every key in camelCase, but for keys that are data."""
    if _json.is_array(value):
        return [_camel(item) for item in value]
    if not _json.is_object(value):
        return value
    spelled: dict[str, object] = {}
    for key, inner in value.items():
        name = _SNAKE.sub(lambda found: found[1].upper(), key)
        spelled[name] = inner if name in _FREE else _camel(inner)
    return spelled


def bytes_of(blob: Blob) -> bytes:
    """Return a blob's bytes; both alphabets of base64 are good.

    Raises:
        RefusalError: It is not base64.
    """
    try:
        return base64.b64decode(blob.data.translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        raise invalid() from None
