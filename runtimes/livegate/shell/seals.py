"""Resume tokens: what a client that comes back needs, sealed, so that any process can go on.

A token is `lgr1_` and base64url without padding of a nonce, and of what `Sealed` holds under
authenticated encryption. Whoever has the same secret can open it, and nobody else; there is no
store. The session's id is in the seal like all else, so a process that has the session opens the
token as well, and finds it by that.

The cipher is AES-GCM-SIV (RFC 8452). Processes that share a secret share its key, and no counter, so
nonces are drawn: 96 bits. A thousand sessions that get a token each second have drawn 2**32 of
them after 50 days, as many as NIST allows AES-GCM for one key (SP 800-38D, 8.3): a nonce that comes
again would let others forge whatever they like, or with ChaCha20-Poly1305 whatever has that nonce.
With AES-GCM-SIV two tokens with the same nonce tell no more than whether they hold the same, so
nobody has to count. It costs about 5 us for a usual token. XChaCha20-Poly1305, which draws 192
bits, is not in `cryptography`.
"""

import base64
import binascii
import enum
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from secrets import token_bytes
from typing import Annotated, Final

import attrs
import msgspec
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from livegate.protocol import _json
from livegate.protocol.limits import KIB, Limits
from livegate.protocol.secret import Secret
from livegate.shell.target import SettingsError

VARIABLE: Final = "LIVEGATE_SECRET"
LIFETIME_S: Final = 2 * 60 * 60
"""How long Gemini knows a resumption handle: a token with one need not live longer."""
ID_BYTES: Final = 16
MAX_CHARS: Final = 128 * KIB
"""The longest token: a config that does not compress, and 30 KiB for a handle, fit in. It goes into
a frame of `Limits.control_frame_bytes`."""
MAX_CONFIG_BYTES: Final = Limits().free_json_bytes
"""The largest config, as JSON: as large as a client may send one."""

_PREFIX: Final = "lgr1_"
"""Tells people, and whatever looks for secrets in files, what they have found; and the version."""
_LABEL: Final = b"livegate resume token 1"
"""Separates these keys and seals from all others that may ever be made with the same secret."""
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_TEXT: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LEVEL: Final = 1
"""How hard zlib tries: each new handle is another token, and the usual level would take four times
as long for the largest config, to make it a fifth smaller."""
_MIN_SECRET_CHARS: Final = 32
_MAX_SECRETS: Final = 2
_CURE: Final = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'


@attrs.frozen(kw_only=True)
class Sealed:
    """What a token holds."""

    id: bytes = attrs.field(
        repr=False,
        validator=[attrs.validators.min_len(ID_BYTES), attrs.validators.max_len(ID_BYTES)],
    )
    """128 bits of chance, by which the process that has the session knows it."""
    name: str
    """Of the client token that it is good with; empty if clients have none."""
    model: str
    """Whose handle it is."""
    handle: str | None = attrs.field(repr=False)
    """Gemini's, if it has given one."""
    config: Mapping[str, object] = attrs.field(repr=False)
    """All settings that the client has made, as it would send them."""
    expires_at: int
    """In Unix seconds; from then on the token is good for nothing."""


class Flaw(enum.Enum):
    """Why a token is not taken. The value is for the log: a client must not learn which it was."""

    MALFORMED = "malformed"
    """No gateway of this version has made it."""
    FORGED = "forged"
    """It was changed, or sealed with another secret, or for another client."""
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    """The seal is good, but not what is in it: another version has made it."""


class TooLargeError(ValueError):
    """A token cannot hold that much; with no handle and an empty config it can."""


class Seals:
    """Seals tokens, and opens them.

    Args:
        secrets: The first seals, each opens. Two are for the time of a change: the new one, then
            the old one. Without any one is drawn, and tokens end with this process.
        random: Gives so many bytes that nobody can guess.

    Raises:
        SettingsError: A secret is too short, there are more than two, or `cryptography` was built
            without the cipher.
    """

    def __init__(
        self, secrets: Sequence[Secret] = (), *, random: Callable[[int], bytes] = token_bytes
    ) -> None:
        _check(secrets)
        self.secrets: Final = tuple(secrets)
        """To be cut out of whatever is written; what is drawn is no text, and so in none."""
        keys = [_derived(one) for one in secrets] or [random(_KEY_BYTES)]
        try:
            self._ciphers = [AESGCMSIV(key) for key in keys]
        except UnsupportedAlgorithm:
            raise SettingsError(
                "cryptography was built with an OpenSSL before 3.2, which lacks AES-GCM-SIV: "
                "pip install --force-reinstall --only-binary cryptography cryptography"
            ) from None
        self._random = random

    def seal(self, sealed: Sealed) -> str:
        """Return a token.

        Raises:
            TooLargeError: The config is larger than `MAX_CONFIG_BYTES`, or the token would be longer
                than `MAX_CHARS`.
        """
        config = _json.encode(dict(sealed.config))
        if len(config) > MAX_CONFIG_BYTES:
            raise TooLargeError(f"a config of {len(config)} bytes is too large for a token")
        # The handle is not compressed along: a client chooses the config, and could guess the
        # handle piece by piece from how short the token gets.
        packed = zlib.compress(config, _LEVEL)
        body = _Body(sealed.id, sealed.expires_at, sealed.model, sealed.handle, packed)
        nonce = self._random(_NONCE_BYTES)
        plain = msgspec.msgpack.encode(body)
        cipher = self._ciphers[0].encrypt(nonce, plain, _bound_to(sealed.name))
        token = _PREFIX + _encoded(nonce + cipher)
        if len(token) > MAX_CHARS:
            raise TooLargeError(f"a token of {len(token)} characters is too long")
        return token

    def unseal(self, token: str, *, name: str, now: float) -> Sealed | None:
        """Return what a token holds, or None.

        Forged, another client's and expired ones take the same work, so that nobody learns by the
        time which it was.

        Args:
            token: Whatever a client has sent.
            name: Of the client token that it has presented, or empty.
            now: In Unix seconds.
        """
        found = self.examine(token, name=name, now=now)
        return found if isinstance(found, Sealed) else None

    def examine(self, token: str, *, name: str, now: float) -> Sealed | Flaw:
        """Return what a token holds, or what is wrong with it, for the log alone."""
        data = _decoded(token)
        if data is None:
            return Flaw.MALFORMED
        plain = self._opened(data, _bound_to(name))
        if plain is None:
            return Flaw.FORGED
        try:
            body = _read_body(plain)
        except _json.MALFORMED:
            return Flaw.UNREADABLE
        if not now < body.expires_at:
            return Flaw.EXPIRED
        config = _inflated(body.config)
        if config is None:
            return Flaw.UNREADABLE
        return Sealed(
            id=body.id,
            name=name,
            model=body.model,
            handle=body.handle,
            config=config,
            expires_at=body.expires_at,
        )

    def _opened(self, data: bytes, bound_to: bytes) -> bytes | None:
        """Try all keys, whether or not one has fitted: it takes as long for each token."""
        found: bytes | None = None
        for cipher in self._ciphers:
            try:
                found = cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], bound_to)
            except InvalidTag:
                continue
        return found


class _Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is encrypted, as MessagePack."""

    id: Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
    expires_at: int
    model: str
    handle: str | None
    config: bytes
    """JSON, compressed."""


_read_body: Final = msgspec.msgpack.Decoder(_Body).decode
_read_config: Final = msgspec.json.Decoder(dict[str, object]).decode


def split(text: str) -> tuple[Secret, ...]:
    """Return the secrets of a setting's text, which stand with a comma or a line's end between."""
    found = (one.strip() for line in text.splitlines() for one in line.split(","))
    return tuple(Secret(one, "secret") for one in found if one)


def _check(secrets: Sequence[Secret]) -> None:
    if len(secrets) > _MAX_SECRETS:
        raise SettingsError(
            f"{VARIABLE} holds {len(secrets)} secrets: it takes one, or while it is changed two, "
            "the new one first"
        )
    for secret in secrets:
        if len(secret.value) < _MIN_SECRET_CHARS:
            raise SettingsError(
                f"a secret of {VARIABLE} has {len(secret.value)} characters, and needs at least "
                f"{_MIN_SECRET_CHARS}; {_CURE}"
            )


def _derived(secret: Secret) -> bytes:
    """Return a secret's key. HKDF spreads chance and adds none: so the text has to be long."""
    kdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_LABEL)
    return kdf.derive(secret.value.encode("utf-8", "surrogatepass"))


def _bound_to(name: str) -> bytes:
    """Return what a seal is good with, but does not hold: the version, and the client's name."""
    return _LABEL + b"\0" + name.encode("utf-8", "surrogatepass")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(token: str) -> bytes | None:
    """Return what a token's text stands for, if it is one, and written in the one way it can be."""
    if len(token) > MAX_CHARS or not token.startswith(_PREFIX):
        return None
    text = token.removeprefix(_PREFIX)
    if _TEXT.fullmatch(text) is None:
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:  # one character too many
        return None
    # Up to four bits of the last character say nothing: only as zeros are they ours.
    # What encrypts nothing never is: OpenSSL before June 2026 takes it without the key
    # (CVE-2026-45446).
    is_ours = _encoded(data) == text and len(data) > _NONCE_BYTES + _TAG_BYTES
    return data if is_ours else None


def _inflated(packed: bytes) -> dict[str, object] | None:
    """Return a config, unless it is none, or is larger than one may be."""
    inflate = zlib.decompressobj()
    try:
        # One byte more than may be, or what is just small enough might look cut off.
        found = inflate.decompress(packed, MAX_CONFIG_BYTES + 1)
        if len(found) > MAX_CONFIG_BYTES or not inflate.eof or inflate.unused_data:
            return None
        return _read_config(found)
    except (zlib.error, *_json.MALFORMED):
        return None
