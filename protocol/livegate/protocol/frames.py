"""The client's JSON: what a frame may look like, and what it means.

The original protocol allows several spellings of one frame; all of them become one value here.
`docs/wire.md` shows each frame. Unknown keys of a known frame are skipped, as its clients expect.
"""

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Annotated, Final, TypeAlias, TypeVar

import attrs
import msgspec

from livegate.protocol import _json, audio
from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.limits import Limits
from livegate.protocol.media import kinds

_T = TypeVar("_T")

_HEAD: Final = kinds.HEAD_BYTES // 3 * 4
"""Characters of base64 that show the first bytes."""


@attrs.frozen
class ConfigFrame:
    """`config`: settings for the session, not judged yet."""

    data: Mapping[str, object]


@attrs.frozen
class Text:
    """`message` or `text`: a user's turn; Gemini answers."""

    text: str


@attrs.frozen
class Audio:
    """`audio` or a binary frame, not judged yet: PCM, or a piece of a recording."""

    data: bytes = attrs.field(repr=False)
    """As it came; base64 is checked."""
    is_base64: bool
    declared: audio.Declared = attrs.field(factory=audio.Declared)

    @property
    def content(self) -> bytes:
        """What it stands for."""
        return audio.bytes_of(self.data) if self.is_base64 else self.data

    @property
    def head(self) -> bytes:
        """The first bytes of that."""
        return (
            audio.bytes_of(self.data[:_HEAD]) if self.is_base64 else self.data[: kinds.HEAD_BYTES]
        )


@attrs.frozen
class Pcm:
    """Sound for Gemini: whole samples, 16-bit little-endian mono."""

    data: str = attrs.field(repr=False)
    """Base64, checked."""
    rate: int = audio.INPUT_RATE
    """Hz."""

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return audio.decoded_size(self.data) / (2 * self.rate)


@attrs.frozen
class Piece:
    """A piece of a recording, to be decoded."""

    job: int
    """Which recording of this session."""
    kind: kinds.Kind
    data: bytes = attrs.field(repr=False)
    is_base64: bool
    came_at: float
    """In the shell's monotonic seconds."""
    read_since: float = -inf
    """Since when the client was read: before, this may have waited for us."""


@attrs.frozen
class Image:
    """`image` or `video`: one still frame."""

    data: str
    mime_type: str


@attrs.frozen
class AudioEnd:
    """`audio_end`: the speaker has finished."""

    is_said: bool = True
    """The client said so itself; else its sound just stopped."""


@attrs.frozen
class ActivityStart:
    """`activity_start`: the user begins, when automatic detection is off."""


@attrs.frozen
class ActivityEnd:
    """`activity_end`: the user has finished, when automatic detection is off."""


@attrs.frozen
class FunctionResponse:
    """One function's result (Live API, FunctionResponse)."""

    id: str
    name: str | None
    response: Mapping[str, object]
    scheduling: str | None = None
    will_continue: bool | None = None


@attrs.frozen
class ToolResponse:
    """`tool_response`: answers to one or more `tool_call` frames."""

    responses: tuple[FunctionResponse, ...]


@attrs.frozen
class Interrupt:
    """`interrupt`: stop the answer now."""


@attrs.frozen
class Resume:
    """`resume`: the first frame of a client that comes back."""

    token: str = attrs.field(repr=False)
    seq: int
    """The number of the last frame that it has."""


@attrs.frozen
class Ping:
    """`ping`: answered by a `pong` with the same data."""

    data: object


Content: TypeAlias = (
    Text | Pcm | Piece | Image | AudioEnd | ActivityStart | ActivityEnd | ToolResponse
)
"""What is meant for Gemini, in the order it came."""

Frame: TypeAlias = (
    Audio
    | Text
    | Image
    | AudioEnd
    | ActivityStart
    | ActivityEnd
    | ToolResponse
    | ConfigFrame
    | Interrupt
    | Ping
    | Resume
)


class _Wire(msgspec.Struct, frozen=True, gc=False):
    """What any frame may carry, undecoded where its form depends on the type."""

    type: str
    data: msgspec.Raw = msgspec.Raw()
    text: msgspec.Raw = msgspec.Raw()
    mime_type: msgspec.Raw = msgspec.Raw()


class _TextData(msgspec.Struct, frozen=True):
    text: str = ""


class _MediaData(msgspec.Struct, frozen=True):
    """The object form of `audio.data` and `image.data`, under the original's many names."""

    data: str | None = None
    base64: str | None = None
    b64: str | None = None
    mime_type: str | None = None
    mimeType: str | None = None  # noqa: N815 - the wire's name
    format: str | None = None
    codec: str | None = None
    sample_rate: int | None = None


class _ResumeData(msgspec.Struct, frozen=True):
    session: str
    seq: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class _ResponseData(msgspec.Struct, frozen=True):
    id: str
    response: dict[str, object]
    name: str | None = None
    scheduling: str | None = None
    will_continue: bool | None = None


_wire = msgspec.json.Decoder(_Wire)
_mime_type: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
_string = msgspec.json.Decoder(str)
_text_data = msgspec.json.Decoder(str | _TextData)
_media_data = msgspec.json.Decoder(_MediaData)
_free = msgspec.json.Decoder()
_resume = msgspec.json.Decoder(_ResumeData)
_responses = msgspec.json.Decoder(_ResponseData | list[_ResponseData])

_MEDIA: Final = frozenset({"audio", "image", "video"})
_SCHEDULING: Final = ("SILENT", "WHEN_IDLE", "INTERRUPT")
_IMAGES: Final = ("image/jpeg", "image/png")


def decode(payload: bytes, limits: Limits) -> Frame:
    """Return what a text frame means.

    Raises:
        RemoteProtocolError: It means nothing, with the code and the sentence for the client.
    """
    if len(payload) > limits.frame_bytes:
        raise _too_large("a frame", len(payload), limits.frame_bytes)
    try:
        wire = _wire.decode(payload)
    except _json.MALFORMED as error:
        raise RemoteProtocolError(
            ErrorCode.BAD_JSON, f'a frame must be a JSON object with a string "type": {error}'
        ) from None
    if len(payload) > limits.control_frame_bytes and wire.type not in _MEDIA:
        raise _too_large(f"a {shown(wire.type)} frame", len(payload), limits.control_frame_bytes)
    try:
        read = _READERS[wire.type]
    except KeyError:
        raise RemoteProtocolError(
            ErrorCode.UNKNOWN_TYPE,
            f"unknown type {shown(wire.type)}: expected one of {', '.join(_READERS)}",
        ) from None
    return read(wire, payload, limits)


def decode_binary(payload: bytes, limits: Limits) -> Audio:
    """Return what a binary frame means: PCM at 16 kHz, or a piece of a recording.

    Raises:
        RemoteProtocolError: It is too large.
    """
    if len(payload) > limits.frame_bytes:
        raise _too_large("a frame", len(payload), limits.frame_bytes)
    return Audio(payload, is_base64=False)


def _read_config(wire: _Wire, payload: bytes, limits: Limits) -> ConfigFrame:
    """Read `{"data": {...}}` or the flat form, whose settings stand beside `type`."""
    if wire.data:
        return ConfigFrame(_free_object("config.data", bytes(wire.data), limits))
    settings = dict(_free_object("config", payload, limits))
    del settings["type"]
    return ConfigFrame(settings)


def _read_text(wire: _Wire, _payload: bytes, _limits: Limits) -> Text:
    field = f"{wire.type}.text"
    if wire.text:
        text = _typed(field, _string, bytes(wire.text))
    elif wire.data:
        data = _typed(f"{wire.type}.data", _text_data, bytes(wire.data))
        text = data if isinstance(data, str) else data.text
    else:
        text = ""
    if not text.strip():
        raise RemoteProtocolError(
            ErrorCode.BAD_FRAME, f"{field} is empty: send {{'text': '...'}} with words in it"
        )
    if "\0" in text:
        raise RemoteProtocolError(
            ErrorCode.BAD_FRAME, f"{field} has a NUL character at position {text.index(chr(0))}"
        )
    return Text(text)


def _read_audio(wire: _Wire, _payload: bytes, _limits: Limits) -> Audio:
    field = "audio.data"
    raw = bytes(wire.data)
    mime_type = _declared_mime_type(wire)
    said: str | None = None
    rate: int | None = None
    if raw.startswith(b"{"):
        data = _typed(field, _media_data, raw)
        mime_type = data.mime_type or data.mimeType or mime_type
        said, rate = data.format or data.codec, data.sample_rate
        found = next((one for one in (data.data, data.base64, data.b64) if one is not None), None)
        text = None if found is None else found.encode()
    else:
        text = _raw_string(field, raw) if raw else None
    if text is None:
        raise RemoteProtocolError(ErrorCode.AUDIO_FORMAT, f"{field} is missing: send base64")
    head, text = _base64(field, text)
    return Audio(text, is_base64=True, declared=audio.declared(mime_type or head, said, rate))


def _read_image(wire: _Wire, _payload: bytes, _limits: Limits) -> Image:
    field = f"{wire.type}.data"
    raw = bytes(wire.data)
    mime_type = _declared_mime_type(wire)
    if raw.startswith(b"{"):
        data = _typed(field, _media_data, raw)
        mime_type = data.mime_type or data.mimeType or mime_type
        raw_text = (data.data or data.base64 or data.b64 or "").encode()
    else:
        raw_text = _raw_string(field, raw)
    mime_type = mime_type or "image/jpeg"
    if mime_type not in _IMAGES:
        raise RemoteProtocolError(
            ErrorCode.BAD_FRAME,
            f"{wire.type}.mime_type must be {' or '.join(_IMAGES)}, got {shown(mime_type)}",
        )
    _, text = _base64(field, raw_text)
    if not text:
        raise RemoteProtocolError(ErrorCode.AUDIO_FORMAT, f"{field} is empty: send base64")
    return Image(text.decode("ascii"), mime_type)


def _declared_mime_type(wire: _Wire) -> str | None:
    return _typed(f"{wire.type}.mime_type", _mime_type, bytes(wire.mime_type) or b"null")


def _base64(field: str, text: bytes) -> tuple[str, bytes]:
    """Return checked base64, and the media type of the `data:` URL (RFC 2397) before it, if any.

    The media type may hold commas (`codecs=vp8,opus`); base64 holds none.
    """
    head = b""
    if text.startswith(b"data:"):
        head, _, text = text.removeprefix(b"data:").rpartition(b",")
    if text:
        audio.check_base64(field, text)
    return head.removesuffix(b";base64").decode("utf-8", "replace"), text


def _raw_string(field: str, raw: bytes) -> bytes:
    """Return what stands in a JSON string, without decoding it where it has no escapes."""
    if raw.startswith(b'"') and b"\\" not in raw:
        return raw[1:-1]
    return _typed(field, _string, raw or b'""').encode()


def _read_tool_response(wire: _Wire, _payload: bytes, limits: Limits) -> ToolResponse:
    field = "tool_response.data"
    raw = bytes(wire.data)
    _free_json(field, raw, limits)  # for its bounds; the types are checked next
    data = _typed(field, _responses, raw)
    responses = [data] if isinstance(data, _ResponseData) else data
    if not responses:
        raise RemoteProtocolError(ErrorCode.BAD_FRAME, f"{field} is an empty list")
    for response in responses:
        if response.scheduling not in (None, *_SCHEDULING):
            raise RemoteProtocolError(
                ErrorCode.BAD_FRAME,
                f"{field}.scheduling must be one of {', '.join(_SCHEDULING)}, "
                f"got {shown(response.scheduling)}",
            )
    return ToolResponse(
        tuple(
            FunctionResponse(
                id=one.id,
                name=one.name,
                response=one.response,
                scheduling=one.scheduling,
                will_continue=one.will_continue,
            )
            for one in responses
        )
    )


def _read_ping(wire: _Wire, _payload: bytes, limits: Limits) -> Ping:
    raw = bytes(wire.data)
    if len(raw) > limits.ping_bytes:
        raise _too_large("ping.data", len(raw), limits.ping_bytes)
    return Ping(_free_json("ping.data", raw, limits) if raw else None)


def _read_resume(wire: _Wire, _payload: bytes, _limits: Limits) -> Frame:
    data = _typed("resume.data", _resume, bytes(wire.data))
    return Resume(data.session, data.seq)


def _always(frame: Frame) -> Callable[[_Wire, bytes, Limits], Frame]:
    """Return a reader for a type that carries nothing."""
    return lambda _wire, _payload, _limits: frame


_READERS: Final[Mapping[str, Callable[[_Wire, bytes, Limits], Frame]]] = MappingProxyType(
    {
        "config": _read_config,
        "message": _read_text,
        "text": _read_text,
        "audio": _read_audio,
        "audio_end": _always(AudioEnd()),
        "activity_start": _always(ActivityStart()),
        "activity_end": _always(ActivityEnd()),
        "image": _read_image,
        "video": _read_image,
        "tool_response": _read_tool_response,
        "interrupt": _always(Interrupt()),
        "ping": _read_ping,
        "resume": _read_resume,
    }
)
TYPES: Final = frozenset(_READERS)
"""Every `type` that a client's frame may have."""


def _typed(field: str, decoder: msgspec.json.Decoder[_T], raw: bytes) -> _T:
    """Return `raw` decoded, or raise with the field's name and what is wrong with it."""
    try:
        return decoder.decode(raw)
    except _json.MALFORMED as error:
        raise RemoteProtocolError(ErrorCode.BAD_FRAME, f"{field}: {error}") from None


def _free_json(field: str, raw: bytes, limits: Limits) -> object:
    """Return JSON that has no schema, within its bounds of size and depth."""
    if len(raw) > limits.free_json_bytes:
        raise _too_large(field, len(raw), limits.free_json_bytes)
    value: object = _typed(field, _free, raw)
    if _json.depth(value, limits.free_json_depth) > limits.free_json_depth:
        raise RemoteProtocolError(
            ErrorCode.TOO_LARGE, f"{field} nests deeper than {limits.free_json_depth} levels"
        )
    return value


def _free_object(field: str, raw: bytes, limits: Limits) -> Mapping[str, object]:
    """Return a JSON object that has no schema, within its bounds."""
    value = _free_json(field, raw, limits)
    if not _json.is_object(value):
        raise RemoteProtocolError(
            ErrorCode.BAD_FRAME, f"{field} must be an object, got {shown(value)}"
        )
    return value


def _too_large(what: str, got: int, limit: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        ErrorCode.TOO_LARGE, f"{what} may hold {limit} bytes, got {got}: send less at a time"
    )
