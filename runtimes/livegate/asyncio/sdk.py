"""The link to Gemini on asyncio, by google-genai: its public methods, and no others.

The SDK takes objects and gives objects, so each message is taken apart and put together again:

- The setup opens the connection, since the SDK wants the config before it connects.
- Of what Gemini sends, the SDK drops members and types of message that it does not know; a
  message of nothing else is unreadable. `voiceActivity.type` becomes `voiceActivityType`.
- Of what goes to Gemini, it refuses a tool that it does not know in every detail: the client hears
  `setup_refused`. It puts all functions into one tool at the end of the list, leaves out an empty
  list, and writes URL-safe base64 and some names in snake_case, which Gemini reads as well.
"""

import asyncio
import binascii
import contextlib
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
import pydantic
import websockets
from google import genai
from google.genai import errors, types
from google.genai.live import AsyncLive, AsyncSession
from websockets.asyncio.client import ClientConnection

from livegate.asyncio import upstream
from livegate.protocol.settings import snake_case
from livegate.shell.sockets import UPSTREAM_STALL_S, Closed, guard
from livegate.shell.target import CLOSE_GRACE_S, PATH, Target

_T = TypeVar("_T")

_SETUP_COMPLETE: Final = b'{"setupComplete":{}}'
_UNREADABLE: Final = b""
"""Stands for a message that the SDK stumbled over; the core skips it, and says so in the log."""
_STUMBLES: Final = (ValueError, TypeError, AttributeError, RecursionError)
"""What the SDK raises of a message that is no JSON, no object, or of a type unknown to it."""
_ABNORMAL: Final = 1006
_INVALID: Final = 1007
_MEDIA: Final = frozenset({"audio", "video"})


class Sdk:
    """The SDK's client: one for all links of a gateway.

    Args:
        target: Gemini's address, with TLS, and the key.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = genai.Client(
            # Without a key nothing is dialled, but then the SDK would look for one of its own.
            api_key=target.key.value or "none",
            vertexai=False,
            http_options=types.HttpOptions(
                api_version="v1beta",
                base_url=target.url.replace("wss:", "https:", 1).removesuffix(PATH),
                async_client_args={
                    **upstream.OPTIONS,
                    "ssl": target.ssl_context,
                    "create_connection": _Connection,
                },
            ),
        )

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncGenerator["Upstream", None]:
        """Have a link for as long as the block runs; the setup opens it."""
        async with contextlib.AsyncExitStack() as stack:
            yield Upstream(self._client.aio.live, self._target, stack)

    async def aclose(self) -> None:
        """End the client, once no link needs it."""
        await self._client.aio.aclose()
        self._client.close()


class Upstream:
    """A link to Gemini, open once it has got its setup."""

    def __init__(self, live: AsyncLive, target: Target, stack: contextlib.AsyncExitStack) -> None:
        self._live = live
        self._target = target
        self._stack = stack
        self._opened = asyncio.Event()
        self._session: AsyncSession | None = None
        self._messages: AsyncIterator[types.LiveServerMessage] | None = None
        """Of one turn; None before the first."""
        self._end = Closed()
        """Why there is no session."""

    async def receive(self) -> bytes | Closed:
        """Wait for the next message, or for the end."""
        await self._opened.wait()
        if self._session is None:
            return self._end
        if self._messages is None:
            self._messages = self._session.receive()
            if self._session.setup_complete is not None:
                return _SETUP_COMPLETE  # which the SDK has read already
        while True:
            try:
                return _written(await _Unwarned(anext(self._messages)))
            except StopAsyncIteration:  # a turn is complete, or a message was unreadable
                self._messages = self._session.receive()
            except errors.APIError as error:
                return self._closed(error) or _UNREADABLE
            except _STUMBLES:
                return _UNREADABLE

    async def send(self, payload: bytes) -> None:
        """Send one message; into the void, once Gemini has gone: `receive` tells of it.

        Raises:
            DialError: It was the setup, and the connection could not be opened.
        """
        message: dict[str, Any] = msgspec.json.decode(payload)
        if "setup" in message:
            await self._open(message["setup"])
        elif self._session is not None:
            with contextlib.suppress(websockets.ConnectionClosed):
                await _send(self._session, message)

    async def close(self, code: int) -> None:  # noqa: ARG002 - the SDK always says 1000
        """Close the WebSocket, with its handshake."""
        if self._session is not None:
            await self._session.close()

    async def _open(self, setup: dict[str, Any]) -> None:
        """Connect; when Gemini ends the link instead of accepting, `receive` tells of it."""
        try:
            model, config = setup.pop("model"), _config_of(setup)
        except pydantic.ValidationError as error:
            self._end = Closed(_INVALID, _refusal(error))
            self._opened.set()
            return
        try:
            with upstream.faults_told():
                self._session = await _Unwarned(
                    self._stack.enter_async_context(self._live.connect(model=model, config=config))
                )
        except errors.APIError as error:
            self._end = self._closed(error) or Closed()
        except websockets.ConnectionClosed as closed:
            self._end = upstream.end_of(closed, self._target.key)
        except ValueError:
            pass  # the answer to the setup was unreadable
        else:
            self._stack.push_async_callback(self._end_reading)
        self._opened.set()

    async def _end_reading(self) -> None:
        """Finish the generator: the event loop would have to do it some time later."""
        if self._messages is not None:
            # `receive` is typed as an iterator, and is a generator.
            await cast("AsyncGenerator[object, None]", self._messages).aclose()

    def _closed(self, error: errors.APIError) -> Closed | None:
        """Return the close that the SDK raises whatever its code; or None if it was a message."""
        reason = cast("object", cast("Any", error).details)  # the SDK leaves its type out
        if not isinstance(reason, str):
            return None
        if error.code == _ABNORMAL:
            return Closed()
        return Closed(error.code, self._target.key.redact(reason))


class _Connection(ClientConnection):
    """The WebSocket under the SDK, which follows no redirect and ends in time."""

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Shake hands; take a redirect for the refusal that it is.

        The header with the key would go along to wherever it leads.
        """
        guard(self.transport.get_extra_info("socket"), UPSTREAM_STALL_S)
        try:
            await super().handshake(*args, **kwargs)
        except websockets.InvalidStatus as refused:
            if "Location" in refused.response.headers:
                del refused.response.headers["Location"]
            raise

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, but do not wait for one who does not read."""
        try:
            async with asyncio.timeout(CLOSE_GRACE_S):
                await super().close(code, reason)
        except TimeoutError:
            pass
        finally:
            self.transport.abort()


class _Unwarned(Generic[_T]):
    """Awaits something whose warnings are not for the user, step by step.

    The filters are those of the whole process, so they are changed only while the SDK itself runs,
    never while it waits. It warns of the config's `generation_config`, which is the only place for
    penalties, and of each value of an enum that it does not know.
    """

    def __init__(self, awaited: Awaitable[_T]) -> None:
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, _T]:
        steps = self._awaited.__await__()
        resume: partial[Any] = partial(next, steps)
        while True:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    waits_for = resume()
            except StopIteration as done:
                return cast("_T", done.value)  # StopIteration knows no types
            try:
                resume = partial(steps.send, (yield waits_for))
            except BaseException as error:  # noqa: BLE001 - a cancellation: it is the SDK's to handle
                resume = partial(steps.throw, error)


def _config_of(setup: dict[str, Any]) -> types.LiveConnectConfig:
    """Return Gemini's setup as the SDK has it: all in one, but for what is deprecated."""
    known = types.LiveConnectConfig.model_fields
    given = dict(setup)
    rest: dict[str, Any] = {}
    for key, value in given.pop("generationConfig", {}).items():
        (given if snake_case(key) in known else rest)[key] = value
    if rest:
        given["generationConfig"] = rest
    return types.LiveConnectConfig.model_validate(given)


def _refusal(error: pydantic.ValidationError) -> str:
    """Return the first of what the SDK has to say against a setup."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return f"google-genai cannot send {place}: {first['msg']}"


async def _send(session: AsyncSession, message: dict[str, Any]) -> None:
    """Say with one call what a message says."""
    match message:
        case {"clientContent": {"turns": turns, "turnComplete": turn_complete}}:
            await session.send_client_content(turns=turns, turn_complete=turn_complete)
        case {"toolResponse": {"functionResponses": responses}}:
            results = [types.FunctionResponse.model_validate(one) for one in responses]
            await session.send_tool_response(function_responses=results)
        case _:
            ((name, value),) = message["realtimeInput"].items()
            given = {snake_case(name): _blob(value) if name in _MEDIA else value}
            await cast("Any", session).send_realtime_input(**given)  # its own type needs PIL


def _blob(given: dict[str, str]) -> types.Blob:
    # The SDK's own decoder refuses base64 whose spare bits are not zero.
    return types.Blob(data=binascii.a2b_base64(given["data"]), mime_type=given["mimeType"])


def _written(message: types.LiveServerMessage) -> bytes:
    """Return a message as Gemini wrote it; bytes become standard base64."""
    return msgspec.json.encode(message.model_dump(by_alias=True, exclude_none=True))
