"""What a journal leaves out, such that a replay of it still answers the same.

Three things must not be in the file, and the core would miss none of them:

- **Sound and pictures.** The core counts their bytes, checks their alphabet and looks at the
  first bytes of a recording, never further. So all else of them becomes `A`, zeros as base64
  shows them. Any other long run of base64 is cut behind its head likewise: nobody knows what it
  is.
- **Secrets**, known by the names of their fields. The core passes them on; pseudonyms of the same
  length keep equal what was equal.
- **Gemini's handles**, in the same way.

An input is redacted once, when it is written. What the session gave is redacted then too, and
once more when a replay has given it anew: `Redaction.command` is for the former, `comparable` for
both. It hides more than the redaction of inputs can have changed, and to do it twice is to do it
once.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from livegate.protocol import _json, audio, commands, inputs
from livegate.protocol.commands import Command
from livegate.protocol.inputs import Input
from livegate.protocol.media import kinds

_HEAD: Final = 128
"""How many characters of a long run of base64 stay: an error quotes 80 at most."""
_GIVEN_HEAD: Final = 64
"""The same where it is given out: a prefix or an escape may have moved it there."""
_LONG: Final = re.compile(rb"[A-Za-z0-9+/]{256,}")
_GIVEN_LONG: Final = re.compile(rb"[A-Za-z0-9+/]{128,}")
_ZEROS: Final = re.compile(rb"A{64,}")
_NUMERIC: Final = re.compile(rb"[0-9eE+]*")

_BODY: Final = rb'[^"\\]*(?:\\.[^"\\]*)*'
"""What stands in a JSON string."""
_INLINE_DATA: Final = rb'"inlineData"\s*:\s*\{[^{}]*?"data"\s*:\s*"'
_CLIENT_MEDIA: Final = re.compile(rb'("(?:data|base64|b64)"\s*:\s*")(%b)' % _BODY, re.DOTALL)
_UPSTREAM_MEDIA: Final = re.compile(rb"(%b)(%b)" % (_INLINE_DATA, _BODY), re.DOTALL)
_GIVEN_MEDIA: Final = re.compile(
    rb'(^\{(?:"seq":\d+,)?(?:"turn":\d+,)?"type":"audio","data":"|^\{"realtimeInput":\{"(?:audio|video)":\{"data":"|%b)(%b)'
    % (_INLINE_DATA, _BODY),
    re.DOTALL,
)
_MEDIA_TYPES: Final = frozenset({"audio", "image", "video"})
_START: Final = re.compile(rb"[A-Za-z0-9+/]{0,16}")
# What is no base64 stays, and two characters behind it: an error quotes these three.
_PIECE: Final = re.compile(
    rb"((?:\\u.{0,4}|\\.|[^A-Za-z0-9+/\\])[A-Za-z0-9+/]{0,2})|[A-Za-z0-9+/]+", re.DOTALL
)

_SECRET_FIELD: Final = (
    rb"""["'](?:[\w.-]{0,64}?(?:token|secret|password|passwd|passphrase|credentials?|cookie|jwt"""
    rb"""|bearer|authori[sz]ation|(?:api|access|private)[_-]?key)|session)\\*["']\s*:\s*"""
)
_SECRET_WORDS: Final = (
    *(b"token", b"secret", b"passw", b"passphrase", b"credential", b"cookie", b"jwt", b"bearer"),
    *(b"authori", b"key", b"session"),
)
"""One of them is in each name of a secret."""
_SECRETS: Final = tuple(
    re.compile(rb"(%b%b)(%b)" % (_SECRET_FIELD, quote, body), re.DOTALL | re.IGNORECASE)
    for quote, body in (
        (b'"', _BODY),
        (rb'\\+"', rb'[^"\\]*(?:\\[^"][^"\\]*)*'),  # JSON in a JSON string
        (rb"\\*'", rb"""[^'"\\]*(?:\\[^'"][^'"\\]*)*"""),  # Python, in one
    )
)
# An error may quote a part of that, with more escapes: all that is left of its sentence goes.
_GIVEN_SECRETS: Final = tuple(
    re.compile(rb"(%b%b)(%b)" % (_SECRET_FIELD, quote, _BODY), re.DOTALL | re.IGNORECASE)
    for quote in (b'"', rb"""(?:\\+"|\\*')""")
)
_NEW_HANDLE: Final = re.compile(rb'("newHandle"\s*:\s*")(%b)' % _BODY, re.DOTALL)
_SETUP_HANDLE: Final = re.compile(
    rb'("sessionResumption":\{"handle":")(%b)(?="\}\}\}$)' % _BODY, re.DOTALL
)
# An escape that is none must not become one: the JSON would be JSON then.
_CHARACTER: Final = re.compile(r"\\u([0-9a-fA-F]{4})|(\\u.{0,4})|\\?(.)", re.DOTALL)
_STAND_INS: Final = ((0x100, "é"), (0x800, "Ж"), (0xD800, "€"))
"""By the code point that they go up to, characters that are as long in UTF-8 and when quoted."""


@attrs.frozen
class Redaction:
    """What is left out of one journal."""

    keeps_media: bool = False
    api_key: str = attrs.field(default="", repr=False)
    salt: bytes = attrs.field(default=b"", repr=False)
    """Makes pseudonyms differ between journals: at most 64 random bytes, kept nowhere."""

    def input(self, event: Input) -> Input:
        """Return an input as it may be written."""
        match event:
            case inputs.ClientFrame(payload=payload, is_text=False):
                kept = payload if self.keeps_media else _silent(payload)
                return attrs.evolve(event, payload=kept)
            case inputs.ClientFrame(payload=payload):
                payload = self._without_key_bytes(payload)
                if not self.keeps_media:
                    payload = _cut(_without_client_media(payload))
                return attrs.evolve(event, payload=self._without_secrets(payload))
            case inputs.UpstreamFrame(payload=payload):
                # The handle first: where it is given out, it is whole.
                payload = _NEW_HANDLE.sub(self._hide, self._without_key_bytes(payload))
                if not self.keeps_media:
                    payload = _cut(_UPSTREAM_MEDIA.sub(_mute, payload))
                return attrs.evolve(event, payload=self._without_secrets(payload))
            case inputs.Decoded(pcm=pcm):
                return event if self.keeps_media else attrs.evolve(event, pcm=bytes(len(pcm)))
            case inputs.Sealed(token=token):
                return attrs.evolve(event, token=self._hidden(token))
            case inputs.TokenOpened(handle=handle, config=config):
                hidden = None if handle is None else self._hidden(handle)
                return attrs.evolve(event, handle=hidden, config=self._settings(config))
            case inputs.ClientGone(reason=reason) | inputs.UpstreamGone(reason=reason):
                return attrs.evolve(event, reason=self._without_key(reason))
            case _:
                return event

    def command(self, command: Command) -> Command:
        """Return a command as it may be written."""
        match command:
            case commands.SendClient(payload=payload, is_text=True):
                command = attrs.evolve(command, payload=self._without_key_bytes(payload))
            case commands.SendUpstream(payload=payload):
                payload = _SETUP_HANDLE.sub(self._hide, self._without_key_bytes(payload))
                command = attrs.evolve(command, payload=payload)
            case commands.Log(fields=fields):
                told = {
                    name: self._without_key(value) if isinstance(value, str) else value
                    for name, value in fields.items()
                }
                command = attrs.evolve(command, fields=told)
            case _:
                pass
        return comparable(command, keeps_media=self.keeps_media)

    def _without_secrets(self, payload: bytes) -> bytes:
        if _may_hold_secrets(payload):
            for pattern in _SECRETS:
                payload = pattern.sub(self._hide, payload)
        return payload

    def _settings(self, config: Mapping[str, object]) -> Mapping[str, object]:
        """Return settings as they may be written: they hold what a client's config did."""
        payload = self._without_secrets(self._without_key_bytes(_json.encode(config)))
        return _settings.decode(payload if self.keeps_media else _cut(payload))

    def _hidden(self, text: str) -> str:
        """Return what stands for a secret: the same as in JSON that it is given out in."""
        return _string.decode(b'"%b"' % _pseudonym(_json.encode(text)[1:-1], self.salt))

    def _hide(self, found: re.Match[bytes]) -> bytes:
        return found[1] + _pseudonym(found[2], self.salt)

    def _without_key(self, text: str) -> str:
        return self._without_key_bytes(text.encode("utf-8", "surrogatepass")).decode(
            "utf-8", "surrogatepass"
        )

    def _without_key_bytes(self, payload: bytes) -> bytes:
        key = self.api_key.encode()
        return payload.replace(key, b"x" * len(key)) if key else payload


def comparable(command: Command, *, keeps_media: bool) -> Command:
    """Return a command without all that a redacted input may have changed in it."""
    match command:
        case commands.SendClient(payload=payload, is_text=False):
            kept = payload if keeps_media else bytes(len(payload))
            return attrs.evolve(command, payload=kept)
        case commands.SendClient(payload=payload) | commands.SendUpstream(payload=payload):
            if not keeps_media:
                payload = _GIVEN_MEDIA.sub(lambda found: found[1] + b"A" * len(found[2]), payload)
            kept = _without_given(payload, keeps_media=keeps_media)
            return attrs.evolve(command, payload=kept)
        case commands.Resume(token=token):
            return attrs.evolve(command, token="x" * len(token))
        case commands.Seal(handle=handle):
            hidden = None if handle is None else "x" * len(handle)
            return attrs.evolve(command, handle=hidden, config={})
        case commands.Decode(data=data):
            return command if keeps_media else attrs.evolve(command, data=bytes(len(data)))
        case commands.Log(fields=fields):
            told = {
                name: _text(value, keeps_media=keeps_media) if isinstance(value, str) else value
                for name, value in fields.items()
            }
            return attrs.evolve(command, fields=told)
        case _:
            return command


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed)
_settings: msgspec.json.Decoder[dict[str, object]] = msgspec.json.Decoder(dict[str, object])
_string = msgspec.json.Decoder(str)


def _may_hold_secrets(payload: bytes) -> bool:
    """Whether it is worth a closer look; most messages are sound, and there are many."""
    lowered = _ZEROS.sub(b"", payload).lower()
    return any(word in lowered for word in _SECRET_WORDS)


def _without_client_media(payload: bytes) -> bytes:
    try:
        is_media = _typed.decode(payload).type in _MEDIA_TYPES
    except _json.MALFORMED:
        is_media = False
    return _CLIENT_MEDIA.sub(_mute, payload) if is_media else payload


def _mute(found: re.Match[bytes]) -> bytes:
    """Return a field with base64 as zeros of the same length, as valid as it was."""
    body = found[2]
    at = body.rfind(b",") + 1 if body.startswith(b"data:") else 0
    at += _head_of_recording(body[at:])
    muted = _PIECE.sub(lambda piece: piece[1] or b"A" * len(piece[0]), body[at:])
    return found[1] + body[:at] + muted


def _head_of_recording(text: bytes) -> int:
    """Return how many characters of base64 show that it is a recording, or a piece of one."""
    start = _START.match(text)
    head = start[0] if start else b""
    whole = head if len(head) % 4 > 1 else head[: len(head) // 4 * 4]
    shown = audio.bytes_of(whole + b"=" * (-len(whole) % 4))
    return len(head) if _is_shown(shown) else 0


def _silent(payload: bytes) -> bytes:
    """Return a binary frame as zeros of the same length."""
    head = payload[: kinds.HEAD_BYTES]
    head = head if _is_shown(head) else b""
    return head + bytes(len(payload) - len(head))


def _is_shown(head: bytes) -> bool:
    """Whether the core does not take this for PCM, or not yet, or not with what came before."""
    return bool(
        kinds.begins(head)
        or kinds.continues(head)
        or kinds.may_begin(head)
        or kinds.may_end_beginning(head)
    )


def _cut(payload: bytes) -> bytes:
    """Return a payload with long runs of base64 as zeros behind their heads.

    A number is no base64, however long: the JSON would not be JSON any more.
    """

    def cut(found: re.Match[bytes]) -> bytes:
        kept = found[0][:_HEAD]
        is_number = _NUMERIC.fullmatch(kept) is not None
        return found[0] if is_number else kept + b"A" * (len(found[0]) - _HEAD)

    return _LONG.sub(cut, payload)


def _without_given(payload: bytes, *, keeps_media: bool) -> bytes:
    """Return JSON that is given out without secrets, and without long runs of base64."""
    if not keeps_media:
        payload = _GIVEN_LONG.sub(
            lambda found: found[0][:_GIVEN_HEAD] + b"A" * (len(found[0]) - _GIVEN_HEAD), payload
        )
    if _may_hold_secrets(payload):
        for pattern in _GIVEN_SECRETS:
            payload = pattern.sub(lambda found: found[1] + b"x" * len(found[2]), payload)
    return payload


def _text(text: str, *, keeps_media: bool) -> str:
    """Return the same of a text."""
    return _string.decode(_without_given(_json.encode(text), keeps_media=keeps_media))


def _pseudonym(body: bytes, salt: bytes) -> bytes:
    """Return what stands for a secret in a JSON string: its escapes and punctuation are kept."""
    text = body.decode("utf-8", "surrogateescape")
    found = list(_CHARACTER.finditer(text))
    value = "".join(one[3] or one[2] or chr(int(one[1], 16)) for one in found)
    drawn = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), key=salt).hexdigest()
    pieces: list[str] = []
    for at, one in enumerate(found):
        if one[1]:
            pieces.append(f"\\u{ord(_stand_in(chr(int(one[1], 16)), at, drawn)):04x}")
        else:
            pieces.append(_stand_in(one[3], at, drawn) if one[0] == one[3] else one[0])
    return "".join(pieces).encode("utf-8", "surrogateescape")


def _stand_in(character: str, at: int, drawn: str) -> str:
    if character.isascii():
        return drawn[at % len(drawn)] if character.isalnum() else character
    for beyond, other in _STAND_INS:
        if ord(character) < beyond:
            return other
    return character
