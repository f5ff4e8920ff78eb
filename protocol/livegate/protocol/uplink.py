"""A client's content, as messages to Gemini."""

from typing import Final, assert_never

from livegate.protocol import audio, frames, gemini
from livegate.protocol.config import Plan
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.limits import Limits

_SILENCE: Final = gemini.encode_audio(audio.silence(1.0), audio.INPUT_RATE)
"""It ends a turn where `audioStreamEnd` does not; end-of-speech detection waits less."""


def encode(frame: frames.Content, plan: Plan, limits: Limits) -> list[bytes]:
    """Return the messages for one piece of content.

    Raises:
        RemoteProtocolError: `bad_frame`: Gemini would close the link for it.
    """
    match frame:
        case frames.Text(text=text):
            return [gemini.encode_text(text, plan.profile.text_path)]
        case frames.Audio(data=data, rate=rate):
            step = limits.upstream_chunk_chars
            pieces = (data[at : at + step] for at in range(0, len(data), step))
            return [gemini.encode_audio(piece, rate) for piece in pieces]
        case frames.Image(data=data, mime_type=mime_type):
            return [gemini.encode_image(data, mime_type)]
        case frames.AudioEnd():
            return [_end_of_speech(plan)]
        case frames.ActivityStart():
            _check_manual("activity_start", plan)
            return [gemini.encode_activity_start()]
        case frames.ActivityEnd():
            _check_manual("activity_end", plan)
            return [gemini.encode_activity_end()]
        case frames.ToolResponse(responses=responses):
            return [gemini.encode_tool_response(responses)]
        case _:
            assert_never(frame)


def least_size(frame: frames.Content) -> int:
    """Return how many bytes go to Gemini for this, however short the client's frame was."""
    return len(_SILENCE) if isinstance(frame, frames.AudioEnd) else 0


def asks(frame: frames.Content) -> bool:
    """Whether Gemini must answer this."""
    return isinstance(frame, frames.Text | frames.AudioEnd | frames.ActivityEnd)


def _end_of_speech(plan: Plan) -> bytes:
    if not plan.detects_activity:
        return gemini.encode_activity_end()
    if plan.profile.hears_stream_end:
        return gemini.encode_stream_end()
    return _SILENCE


def _check_manual(type_: str, plan: Plan) -> None:
    """Raise unless the client has taken turns into its own hands (closed with 1007 otherwise)."""
    if plan.detects_activity:
        raise RemoteProtocolError(
            ErrorCode.BAD_FRAME,
            f'{type_} needs a config with "vad": {{"disabled": true}}; use audio_end without it',
        )
