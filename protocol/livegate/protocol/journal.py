"""Recorded sessions as lines of JSON: `docs/journal.md` shows each kind of line.

The first line says how the session was made, each further one what happened and what the session
answered. Since a session is a pure state machine, that is the whole truth about it: `replay`
makes the same session again, tells it the same, and compares.
"""

import binascii
import re
from collections.abc import Mapping
from typing import Final, TypeAlias, TypeVar, assert_never

import attrs
import msgspec

from livegate.protocol import _json, audio, commands, inputs
from livegate.protocol.commands import Command
from livegate.protocol.errors import ProtocolError, shown
from livegate.protocol.inputs import Fault, Input
from livegate.protocol.limits import Limits
from livegate.protocol.options import SessionOptions

_T = TypeVar("_T")

FORM: Final = 1
"""Of the lines; a journal of another form cannot be read."""


class JournalError(Exception):
    """A journal cannot be read; the text says which line, and what is wrong with it."""


@attrs.frozen(kw_only=True)
class Header:
    """The first line: how the session was made."""

    version: str
    """livegate's."""
    session: str
    seed: int
    options: SessionOptions
    media: bool
    """Whether sound and pictures are in the journal as they were."""
    runtime: str
    began: str
    """By the wall clock, ISO 8601."""


@attrs.frozen
class Entry:
    """A line about one input."""

    now: float
    """The shell's monotonic clock, in seconds."""
    event: Input | None
    """None stands for `Session.start`."""
    commands: tuple[Command, ...]
    error: str = ""
    """What the session raised instead, a fault of ours."""


@attrs.frozen
class Stopped:
    """The last line of a journal that ended before its session did."""

    reason: str


Line: TypeAlias = Header | Entry | Stopped

_PAYLOAD_MAX: Final = 64 * 1024 * 1024
"""No message is larger, so a longer one in a journal is a mistake (or a trap)."""
_SHORTENED: Final = re.compile("(A{64,})")
_INPUTS: Final[Mapping[str, type[Input]]] = {
    one.__name__: one
    for one in (
        inputs.ClientOpened,
        inputs.ClientReturned,
        inputs.ClientMoved,
        inputs.TokenOpened,
        inputs.TokenRefused,
        inputs.Sealed,
        inputs.ClientFrame,
        inputs.ClientGone,
        inputs.UpstreamOpened,
        inputs.UpstreamFrame,
        inputs.UpstreamGone,
        inputs.DialFailed,
        inputs.Sent,
        inputs.DeadlineReached,
        inputs.Decoded,
        inputs.DecodeFailed,
        inputs.ClientDismissed,
        inputs.ShutdownRequested,
    )
}
_COMMANDS: Final[Mapping[str, type[Command]]] = {
    one.__name__: one
    for one in (
        commands.SendClient,
        commands.DropSound,
        commands.CloseClient,
        commands.OpenUpstream,
        commands.SendUpstream,
        commands.CloseUpstream,
        commands.Decode,
        commands.StopDecoding,
        commands.Resume,
        commands.Seal,
        commands.Log,
    )
}
_BYTES: Final = frozenset({"payload", "data", "pcm"})
"""Fields of bytes."""
_STARTED: Final[Mapping[str, object]] = {"type": "Start"}


class _Header(msgspec.Struct):
    journal: int
    livegate: str
    session: str
    seed: int
    options: dict[str, object]
    media: bool
    runtime: str
    began: str


class _Entry(msgspec.Struct, omit_defaults=True):
    now: float
    event: Mapping[str, object] = msgspec.field(name="input")
    commands: list[Mapping[str, object]] = []
    error: str = ""


class _Stopped(msgspec.Struct):
    stopped: str


def raised(error: Exception) -> str:
    """Return the text of `Entry.error`; what is no error of the core's may quote a payload."""
    return f"{type(error).__name__}: {error if isinstance(error, ProtocolError) else '...'}"


def encode(line: Line) -> bytes:
    """Return a line, with its end."""
    match line:
        case Header():
            return _written(
                _Header(
                    journal=FORM,
                    livegate=line.version,
                    session=line.session,
                    seed=line.seed,
                    options=_encoded_options(line.options),
                    media=line.media,
                    runtime=line.runtime,
                    began=line.began,
                )
            )
        case Entry():
            event = _STARTED if line.event is None else _encoded(line.event)
            given = [_encoded(one) for one in line.commands]
            return _written(_Entry(line.now, event, given, line.error))
        case Stopped(reason=reason):
            return _written(_Stopped(reason))
        case _:
            assert_never(line)


def text_of(command: Command) -> str:
    """Return a command as a line has it."""
    return _json.encode(_encoded(command)).decode()


def _written(wire: msgspec.Struct) -> bytes:
    return _json.encode(wire) + b"\n"


def decode(raw: bytes) -> Line:
    """Return what a line says.

    Raises:
        JournalError: It is no line of a journal.
    """
    try:
        value: object = msgspec.json.decode(raw)
        if not _json.is_object(value):
            raise JournalError("it is no JSON object")
        if "journal" in value:
            return _header(value)
        if "stopped" in value:
            return Stopped(msgspec.convert(value, _Stopped).stopped)
        wire = msgspec.convert(value, _Entry)
        event = None if wire.event == _STARTED else _decoded(wire.event, _INPUTS)
        given = tuple(_decoded(one, _COMMANDS) for one in wire.commands)
        return Entry(wire.now, event, given, wire.error)
    except (*_json.MALFORMED, ValueError) as error:
        raise JournalError(str(error)) from None


def _header(value: Mapping[str, object]) -> Header:
    if value["journal"] != FORM:
        raise JournalError(
            f"this livegate reads journals of form {FORM}, not {value['journal']!r}: "
            f"use livegate {value.get('livegate')}"
        )
    wire = msgspec.convert(value, _Header)
    return Header(
        version=wire.livegate,
        session=wire.session,
        seed=wire.seed,
        options=msgspec.convert(wire.options, SessionOptions, strict=False),
        media=wire.media,
        runtime=wire.runtime,
        began=wire.began,
    )


def _encoded_options(options: SessionOptions | Limits) -> dict[str, object]:
    """Return options by name; JSON has no infinity, so that is a string."""
    found: dict[str, object] = {}
    for field in attrs.fields(type(options)):
        value: object = getattr(options, field.name)
        if isinstance(value, Limits):
            value = _encoded_options(value)
        elif value == float("inf"):
            value = "inf"
        found[field.name] = value
    return found


def _encoded(value: Input | Command) -> Mapping[str, object]:
    """Return an input or command as JSON, without what is as usual."""
    found: dict[str, object] = {"type": type(value).__name__}
    is_text = not isinstance(value, inputs.ClientFrame | commands.SendClient) or value.is_text
    for field in attrs.fields(type(value)):
        item: object = getattr(value, field.name)
        if item == field.default:
            continue
        if isinstance(item, bytes):
            item = _encoded_payload(item, is_text=is_text)
        elif isinstance(item, Fault):
            item = item.name.lower()  # its value is a sentence
        found[field.name] = item
    return found


def _decoded(raw: Mapping[str, object], kinds: Mapping[str, type[_T]]) -> _T:
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        raise JournalError(f"its type must be one of {', '.join(kinds)}, got {shown(kind)}")
    fields = dict(raw)
    for name in _BYTES & fields.keys():
        fields[name] = _decoded_payload(fields[name])
    if isinstance(fault := fields.get("fault"), str) and fault.upper() in Fault.__members__:
        fields["fault"] = Fault[fault.upper()].value
    return msgspec.convert(fields, kinds[kind])


def _encoded_payload(payload: bytes, *, is_text: bool) -> object:
    """Return text as it is, if it is any, else base64."""
    if is_text:
        try:
            return _shortened(payload.decode())
        except UnicodeError:
            pass
    return {"base64": _shortened(audio.encode(payload))}


def _shortened(text: str) -> object:
    """Return text, or a list of it in which a number stands for so many `A`."""
    pieces = [piece for piece in _SHORTENED.split(text) if piece]
    if not any(map(_SHORTENED.fullmatch, pieces)):
        return text
    return [len(piece) if _SHORTENED.fullmatch(piece) else piece for piece in pieces]


def _decoded_payload(value: object) -> bytes:
    if _json.is_object(value):
        return binascii.a2b_base64(_lengthened(value.get("base64")), strict_mode=True)
    return _lengthened(value).encode()


def _lengthened(value: object) -> str:
    pieces = value if _json.is_array(value) else [value]
    left = _PAYLOAD_MAX
    found: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            found.append(piece)
        elif _json.is_number(piece) and 0 <= piece <= left:
            left -= int(piece)
            found.append("A" * int(piece))
        else:
            raise JournalError(f"its payload cannot hold {shown(piece)}")
    return "".join(found)
