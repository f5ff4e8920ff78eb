"""What is known of a client, from whatever took its connection."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from livegate.protocol import hello, tokens
from livegate.protocol.hello import Hello


def of_scope(scope: Mapping[str, Any]) -> Hello:
    """Return what an ASGI server tells."""
    return hello.of_headers(
        decoded(scope.get("headers") or ()),
        peer=str((scope.get("client") or ("",))[0]),
        local=str((scope.get("server") or ("",))[0]),
        is_tls=scope.get("scheme") == "wss",
        subprotocols=scope.get("subprotocols"),
    )


def answered(found: Hello, selected: str | None) -> Hello:
    """Return the same without the dialect, if that was offered and not selected.

    Its client cannot know that it is spoken.
    """
    if selected == tokens.V1:
        return found
    others = tuple(one for one in found.subprotocols if one != tokens.V1)
    return attrs.evolve(found, subprotocols=others)


def decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return header fields as text; of bytes beyond ASCII each is one character."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
