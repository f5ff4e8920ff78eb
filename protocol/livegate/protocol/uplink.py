"""A client's content, as messages to Gemini."""

from typing import Final, assert_never

from livegate.protocol import audio, frames, gemini
from livegate.protocol.config import Plan
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.limits import Limits

_SILENCE: Final = gemini.encode_audio(audio.silence(1.0), audio.INPUT_RATE)
"""It ends a turn where `audioStreamEnd` does not; end-of-speech detection waits less."""


class Uplink:
    """Encodes content for one link after the other."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.is_active = False
        """Between `activityStart` and `activityEnd`."""

    def link_ended(self) -> None:
        """Forget what only the old link knew."""
        self.is_active = False

    def encode(self, frame: frames.Content, plan: Plan) -> list[bytes]:
        """Return the messages for one piece of content.

        Raises:
            RemoteProtocolError: `bad_frame`: Gemini would close the link for it.
        """
        match frame:
            case frames.Text(text=text):
                return [gemini.encode_text(text, plan.profile.text_path)]
            case frames.Pcm(data=data, rate=rate):
                step = self._limits.upstream_chunk_chars
                pieces = (data[at : at + step] for at in range(0, len(data), step))
                return [gemini.encode_audio(piece, rate) for piece in pieces]
            case frames.Piece():
                return []  # what was decoded of it has gone before
            case frames.Image(data=data, mime_type=mime_type):
                return [gemini.encode_image(data, mime_type)]
            case frames.AudioEnd(is_said=is_said):
                if plan.detects_activity:
                    return [_end_of_speech(plan)]
                return self._end_activity() if is_said and self.is_active else []
            case frames.ActivityStart():
                _check_manual("activity_start", plan)
                self.is_active = True
                return [gemini.encode_activity_start()]
            case frames.ActivityEnd():
                _check_manual("activity_end", plan)
                if not self.is_active:
                    raise RemoteProtocolError(
                        ErrorCode.BAD_FRAME, "activity_end without an activity_start before it"
                    )
                return self._end_activity()
            case frames.ToolResponse(responses=responses):
                return [gemini.encode_tool_response(responses)]
            case _:
                assert_never(frame)

    def _end_activity(self) -> list[bytes]:
        self.is_active = False
        return [gemini.encode_activity_end()]


def least_size(frame: frames.Content) -> int:
    """Return how many bytes go to Gemini for this, however short the client's frame was."""
    return len(_SILENCE) if isinstance(frame, frames.AudioEnd) else 0


def asks(frame: frames.Content, plan: Plan) -> bool:
    """Whether Gemini must answer this.

    Where Gemini itself detects activity, it has mostly answered before a client says that the
    speaker has finished, and there may have been nothing but silence: it owes nothing.
    """
    match frame:
        case frames.Text() | frames.ActivityEnd():
            return True
        case frames.AudioEnd():
            return not plan.detects_activity
        case _:
            return False


def _end_of_speech(plan: Plan) -> bytes:
    return gemini.encode_stream_end() if plan.profile.hears_stream_end else _SILENCE


def _check_manual(type_: str, plan: Plan) -> None:
    """Raise unless the client has taken turns into its own hands (closed with 1007 otherwise)."""
    if plan.detects_activity:
        raise RemoteProtocolError(
            ErrorCode.BAD_FRAME,
            f'{type_} needs a config with "vad": {{"disabled": true}}; use audio_end without it',
        )
