"""The client's JSON: what a frame may look like, and what it means.

The original protocol allows several spellings of one frame; all of them become one value here.
`docs/wire.md` shows each frame. Unknown keys of a known frame are skipped, as its clients expect.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

import attrs
import msgspec

from livegate.protocol import _json, audio
from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.limits import Limits

_T = TypeVar("_T")


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
    """`audio` or a binary frame: a piece of PCM, 16-bit little-endian mono."""

    data: str
    """Base64, checked."""
    rate: int = audio.INPUT_RATE
    """Hz."""
    container: str | None = None
    """What it really is, if its first bytes say that it is not raw PCM."""

    @property
    def seconds(self) -> float:
        """How long the piece plays."""
        return audio.decoded_size(self.data) / (2 * self.rate)


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
class Ping:
    """`ping`: answered by a `pong` with the same data."""

    data: object


Content: TypeAlias = Text | Audio | Image | AudioEnd | ActivityStart | ActivityEnd | ToolResponse
"""What is meant for Gemini, in the order it came."""

Frame: TypeAlias = Content | ConfigFrame | Interrupt | Ping


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
    """Return what a binary frame means: PCM at 16 kHz.

    Raises:
        RemoteProtocolError: It is too large, not whole samples, or no PCM.
    """
    if len(payload) > limits.frame_bytes:
        raise _too_large("a frame", len(payload), limits.frame_bytes)
    if not payload:
        raise RemoteProtocolError(ErrorCode.AUDIO_FORMAT, "the binary frame is empty: send PCM")
    return _pcm("the binary frame", audio.encode(payload), audio.INPUT_RATE)


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
    if raw.startswith(b"{"):
        data = _typed(field, _media_data, raw)
        rate = audio.declared_rate(
            data.mime_type or data.mimeType, data.format or data.codec, data.sample_rate
        )
        text = _base64(field, (data.data or data.base64 or data.b64 or "").encode())
    else:
        rate = audio.declared_rate(_declared_mime_type(wire), None, None)
        text = _base64(field, _raw_string(field, raw))
    return _pcm(field, text, rate)


def _pcm(field: str, text: str, rate: int) -> Audio:
    """Return checked base64 as whole samples, or as the container that it begins."""
    container = audio.container_of(text)
    if container is None:
        audio.check_samples(field, audio.decoded_size(text))
    return Audio(text, rate, container)


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
    return Image(_base64(field, raw_text), mime_type)


def _declared_mime_type(wire: _Wire) -> str | None:
    return _typed(f"{wire.type}.mime_type", _mime_type, bytes(wire.mime_type) or b"null")


def _base64(field: str, text: bytes) -> str:
    """Return checked base64, with the head of a `data:` URL (RFC 2397) cut off.

    Its mime type may hold commas (`codecs=vp8,opus`); base64 holds none.
    """
    if text.startswith(b"data:"):
        text = text.rpartition(b",")[2]
    audio.check_base64(field, text)
    return text.decode("ascii")


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


def _read_resume(_wire: _Wire, _payload: bytes, _limits: Limits) -> Frame:
    raise RemoteProtocolError(
        ErrorCode.NOT_SUPPORTED, "resume is not in this version: connect and start anew"
    )


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
