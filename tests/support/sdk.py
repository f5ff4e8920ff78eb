"""Google's own SDK: over TLS, and in memory, where all of it is real but the WebSocket."""

import asyncio
import contextlib
import json
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable
from typing import Any, Final, Self, TypeVar

import pytest
import websockets
from google import genai
from google.genai import types
from google.genai.live import AsyncSession
from websockets.frames import Close

from livegate.emulator import Emulator

_T = TypeVar("_T")
MODEL: Final = "gemini-3.8-live"
READY: Final = b'{"setupComplete":{}}'
CUT: Final = Close(1006, "")
"""The end of a connection of which nothing is said."""


class SilenceError(Exception):
    """Nothing more will come."""


class MemoryLink:
    """What the SDK uses of a WebSocket, and what is to come on it."""

    def __init__(self, coming: Iterable[bytes | Close] = (READY,)) -> None:
        self.sent: list[dict[str, Any]] = []
        self.coming = deque(coming)

    async def send(self, message: str) -> None:
        """Take a message of the SDK's."""
        self.sent.append(json.loads(message))

    async def recv(self, *, decode: bool) -> bytes:
        """Give the next message to the SDK."""
        assert not decode
        if not self.coming:
            raise SilenceError
        found = self.coming.popleft()
        if isinstance(found, Close):
            raise websockets.ConnectionClosedError(None if found is CUT else found, None)
        return found


class Sdk:
    """One client of the SDK's, whose links are in memory."""

    def __init__(self, runner: asyncio.Runner, patch: pytest.MonkeyPatch) -> None:
        self._runner = runner
        self._link = MemoryLink()
        options = types.HttpOptions(api_version="v1beta")
        self._client = genai.Client(api_key="key", http_options=options)
        patch.setattr("google.genai.live.ws_connect", self._dial)

    @classmethod
    @contextlib.contextmanager
    def in_memory(cls) -> Generator[Self, None, None]:
        """Put the SDK on memory for as long as the block runs."""
        with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
            sdk = cls(runner, patch)
            try:
                yield sdk
            finally:
                sdk.run(sdk._client.aio.aclose())
                sdk._client.close()

    @contextlib.asynccontextmanager
    async def _dial(self, _uri: str, **_options: object) -> AsyncGenerator[MemoryLink, None]:
        yield self._link

    def run(self, conversation: Coroutine[Any, Any, _T]) -> _T:
        """Return what a conversation comes to."""
        return self._runner.run(conversation)

    @contextlib.asynccontextmanager
    async def session(
        self,
        link: MemoryLink,
        model: str = MODEL,
        config: types.LiveConnectConfig | None = None,
    ) -> AsyncGenerator[AsyncSession, None]:
        """Open a session on a link."""
        self._link = link
        async with self._client.aio.live.connect(model=model, config=config) as session:
            yield session

    def setup(self, model: str, config: types.LiveConnectConfig) -> dict[str, Any]:
        """Return the setup that the SDK sends."""

        async def connect() -> dict[str, Any]:
            link = MemoryLink()
            async with self.session(link, model, config):
                [message] = link.sent
                return message

        message = self.run(connect())
        assert list(message) == ["setup"]
        return dict(message["setup"])


@contextlib.asynccontextmanager
async def session_over_tls(
    gemini: Emulator,
    *,
    model: str = MODEL,
    key: str = "abc",
    version: str = "v1beta",
    **config: Any,
) -> AsyncGenerator[AsyncSession, None]:
    """Open a session on the emulator, which listens with TLS."""
    trusted = ssl.create_default_context(cafile=str(gemini.ca_file))
    http_options = types.HttpOptions(
        api_version=version,
        base_url=gemini.url.replace("wss:", "https:"),
        async_client_args={"ssl": trusted, "proxy": None},
    )
    client = genai.Client(api_key=key, http_options=http_options)
    asked: dict[str, Any] = {
        "response_modalities": ["AUDIO"],
        "output_audio_transcription": {},
        **config,
    }
    try:
        async with client.aio.live.connect(
            model=model, config=types.LiveConnectConfig.model_validate(asked)
        ) as link:
            yield link
    finally:
        await client.aio.aclose()
        client.close()
