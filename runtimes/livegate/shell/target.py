"""Where Gemini is, and the key that opens it."""

import ssl
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import attrs

from livegate.protocol.limits import WireLimits
from livegate.protocol.secret import Secret

DEFAULT_URL: Final = "wss://generativelanguage.googleapis.com"
# Pinned: google-genai 3 dials v1, but preview models and the -latest aliases live on v1beta.
PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
MAX_MESSAGE_BYTES: Final = WireLimits().message_bytes
"""The largest message taken from Gemini; websockets' 1 MiB would end sessions over one picture."""
CLOSE_GRACE_S: Final = WireLimits().link_close_s
"""How long a link may take to send what it has and close; then it is cut."""
FAREWELL_S: Final = WireLimits().close_s
"""The same for a client that is told why it has to go."""

_PRINTABLE: Final = range(33, 127)
_SCHEMES: Final = {"https": "wss", "wss": "wss", "http": "ws", "ws": "ws"}


class SettingsError(Exception):
    """A setting makes no sense; the text says which and what would."""


@attrs.define(slots=False)
class Target:
    """One Gemini service: its WebSocket address without any key, and the key beside it."""

    url: str
    key: Secret
    ca_file: Path | None = None
    """The one certificate to trust, if not those that the system trusts."""

    @cached_property
    def ssl_context(self) -> ssl.SSLContext | None:
        """One context for all links (it costs 20 ms to make), or None for a plain address."""
        if not self.url.startswith("wss:"):
            return None
        return ssl.create_default_context(cafile=self.ca_file)

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The TCP port."""
        return urlsplit(self.url).port or (443 if self.url.startswith("wss:") else 80)

    @property
    def resource(self) -> str:
        """The path on that host."""
        return urlsplit(self.url).path

    @property
    def name(self) -> str:
        """Scheme, host and port, for people."""
        scheme, host, *_ = urlsplit(self.url)
        return f"{scheme}://{host}"


def target(base_url: str | None, key: str, ca_file: Path | None = None) -> Target:
    """Return the service at `base_url`: https, wss, or http and ws for a plain connection.

    A path in it is kept as a prefix; a key in it is not.

    Raises:
        SettingsError: It is not such an address, the key cannot be one, or the file holds no
            certificate.
    """
    key = key.strip()
    if any(ord(letter) not in _PRINTABLE for letter in key):
        raise SettingsError("the API key holds characters that no key has: copy it again")
    parts = urlsplit(base_url or DEFAULT_URL)
    scheme = _SCHEMES.get(parts.scheme.lower())
    try:
        port = parts.port
    except ValueError:
        scheme = None
        port = None
    if scheme is None or not parts.hostname:
        raise SettingsError(
            f"the Gemini address must look like {DEFAULT_URL} or ws://localhost:8010, "
            f"got {urlunsplit((parts.scheme, parts.hostname or '', parts.path, '', ''))!r}"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = host if port is None else f"{host}:{port}"
    url = urlunsplit((scheme, where, parts.path.rstrip("/") + PATH, "", ""))
    found = Target(url, Secret(key), ca_file)
    if ca_file is not None:
        try:
            _ = found.ssl_context  # now, and not when the first client waits for it
        except OSError as error:
            cause = error.strerror or str(error)
            raise SettingsError(f"cannot use the certificate {ca_file}: {cause}") from None
    return found
