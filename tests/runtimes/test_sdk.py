"""The SDK's upstream against the one of our own: what is said and heard is the same."""

import asyncio
import contextlib
import json
import logging
import re
import subprocess
import sys
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Any, Final, cast

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

import livegate.asyncio
import livegate.trio
from livegate.asyncio import upstream
from livegate.asyncio.sdk import Sdk
from livegate.emulator import Emulator, Options
from livegate.emulator.tls import Certificate, certificate
from livegate.protocol import frames, gemini
from livegate.protocol.emulator import wire
from livegate.protocol.profiles import TextPath
from livegate.shell.faults import DialError
from livegate.shell.settings import settings
from livegate.shell.sockets import Closed, Dial, UpstreamSocket
from livegate.shell.target import SettingsError, Target, target

KEY: Final = "canary-4711"
SETUP: Final = (
    b'{"setup":{"model":"models/m","generationConfig":{"responseModalities":["AUDIO"]}}}'
)
READY: Final = '{"setupComplete":{}}'
RECEIVE_S: Final = 20.0

Act = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for this module's servers."""
    return certificate(tmp_path_factory.mktemp("tls"))


@contextlib.asynccontextmanager
async def scripted(act: Act, made: Certificate) -> AsyncGenerator[Target, None]:
    """A server with TLS that does as it is told."""
    quiet = logging.getLogger("quiet")
    quiet.setLevel(logging.ERROR)
    async with serve(
        act, "127.0.0.1", 0, ssl=made.server_context(), logger=quiet, max_size=None
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield target(f"wss://localhost:{port}", KEY, made.ca_file)


@contextlib.asynccontextmanager
async def dials(there: Target) -> AsyncGenerator[dict[str, Dial], None]:
    """Both ways to open a link."""
    sdk = Sdk(there)
    try:
        yield {"websocket": partial(upstream.dial, there), "sdk": sdk.dial}
    finally:
        await sdk.aclose()


async def next_of(link: UpstreamSocket) -> bytes | Closed:
    """Return what comes next, in time."""
    async with asyncio.timeout(RECEIVE_S):
        return await link.receive()


def on_both(
    act: Act, made: Certificate, talk: Callable[[UpstreamSocket], Awaitable[object]]
) -> dict[str, object]:
    """Return what a talk with a server comes to, on a link of each kind."""

    async def run() -> dict[str, object]:
        async with scripted(act, made) as there, dials(there) as ways:
            found: dict[str, object] = {}
            for name, dial in ways.items():
                async with dial() as link:
                    await link.send(SETUP)
                    found[name] = await talk(link)
            return found

    return asyncio.run(run())


async def all_of(link: UpstreamSocket) -> list[object]:
    """Return all messages as JSON, and the end."""
    found: list[object] = []
    while not found or not isinstance(found[-1], Closed):
        message = await next_of(link)
        found.append(message if isinstance(message, Closed) else json.loads(message))
    return found


def saying(*messages: str | bytes) -> Act:
    """Return a server that accepts the setup, says all this, and closes."""

    async def act(socket: ServerConnection) -> None:
        await socket.recv()
        for message in (READY, *messages):
            await socket.send(message)
        await socket.close(1000)

    return act


@pytest.mark.parametrize(
    "message",
    [
        {"serverContent": {"modelTurn": {"role": "model", "parts": [{"text": "hi"}]}}},
        {
            "serverContent": {
                "modelTurn": {
                    "parts": [
                        {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "+/+/AA=="}},
                        {"text": "hm", "thought": True},
                        {"executableCode": {"language": "PYTHON", "code": "1"}},
                        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
                    ]
                },
                "outputTranscription": {"text": " hi"},
                "inputTranscription": {"text": " ho", "finished": True},
                "groundingMetadata": {"webSearchQueries": ["q"]},
                "generationComplete": True,
            },
            "usageMetadata": {"totalTokenCount": 3, "promptTokensDetails": []},
        },
        {"serverContent": {"interrupted": True}},
        {"serverContent": {"turnComplete": True, "turnCompleteReason": "FROM_TOMORROW"}},
        {
            "toolCall": {
                "functionCalls": [
                    {"id": "1", "name": "f", "args": {"a_b": None, "c": [None, {"d": 10**30}]}}
                ]
            }
        },
        {"toolCallCancellation": {"ids": ["1"]}},
        {"goAway": {"timeLeft": "9.500s"}},
        {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
        {"sessionResumptionUpdate": {}},
        {},
    ],
    ids=lambda message: "+".join(message) or "nothing",
)
def test_heard(made: Certificate, message: dict[str, object]) -> None:
    """A message means the same through the SDK, nulls in arguments and standard base64 included."""
    text = json.dumps(message)
    heard = on_both(saying(text, text), made, all_of)
    assert heard["sdk"] == heard["websocket"]
    assert cast("list[object]", heard["sdk"])[1:3] == [message, message]


def test_voice_activity(made: Certificate) -> None:
    """The SDK has another name for one member."""
    text = '{"voiceActivity":{"type":"ACTIVITY_START"}}'
    heard = on_both(saying(text), made, all_of)
    assert cast("list[object]", heard["sdk"])[1] == {
        "voiceActivity": {"voiceActivityType": "ACTIVITY_START"}
    }


def test_between_turns(made: Certificate) -> None:
    """What comes after a turn's end is heard, though the SDK's generator ends there."""
    turn = '{"serverContent":{"turnComplete":true}}'
    update = '{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}'
    heard = on_both(saying(turn, turn, update, turn, '{"goAway":{}}'), made, all_of)
    assert heard["sdk"] == heard["websocket"]
    assert len(cast("list[object]", heard["sdk"])) == 7


@pytest.mark.parametrize(
    "message",
    [
        b"nonsense", b"\xff\xfe", b"\x80", b"5", b'"x"', b"[1]", b"[" * 100_000,
        b'{"fromTomorrow":{}}', b'{"error":{"code":500}}', b'{"code":1007}',
        b'{"code":500,"message":"x"}', b'{"serverContent":5}',
        b'{"serverContent":{"modelTurn":{"parts":[{"text":"\\ud800"}]}}}',
        b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"@@@@"}}]}}}',
    ],
    ids=lambda message: message[:30].decode("latin-1"),
)  # fmt: skip
def test_unreadable(made: Certificate, message: bytes) -> None:
    """What the SDK stumbles over is one message that the core cannot read; the next one comes."""

    async def talk(link: UpstreamSocket) -> list[bytes | Closed]:
        return [await next_of(link) for _ in range(4)]

    heard = cast(
        "list[bytes | Closed]", on_both(saying(message, '{"goAway":{}}'), made, talk)["sdk"]
    )
    assert isinstance(heard[1], bytes)
    with pytest.raises(ValueError, match="truncated"):
        gemini.decode(heard[1])
    assert heard[2:] == [b'{"goAway":{}}', Closed(1000)]


@pytest.mark.parametrize("is_accepted", [True, False])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, ""), (1001, "away"), (1006, ""), (1007, "Request contains an invalid argument."),
        (1008, f"bad key {KEY}"), (1011, "Deadline expired"), (4000, "of tomorrow"),
    ],
)  # fmt: skip
def test_closes(made: Certificate, code: int, reason: str, *, is_accepted: bool) -> None:
    """Each close is heard with its code and its reason, but for the key in it."""

    async def act(socket: ServerConnection) -> None:
        await socket.recv()
        if is_accepted:
            await socket.send(READY)
        if code == 1006:
            socket.transport.abort()
        else:
            await socket.close(code, reason)

    heard = on_both(act, made, all_of)
    assert heard["sdk"] == heard["websocket"]
    end = cast("list[object]", heard["sdk"])[-1]
    assert end == Closed(code, reason.replace(KEY, "[key]"))


@pytest.mark.parametrize("first", [b"nonsense", b'{"setupComplete":5}'])
def test_unreadable_setup_complete(made: Certificate, first: bytes) -> None:
    """A first message that the SDK stumbles over ends the link: the SDK gives no session."""

    async def act(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(first)
        await socket.wait_closed()

    async def run() -> bytes | Closed:
        async with scripted(act, made) as there, dials(there) as ways, ways["sdk"]() as link:
            await link.send(SETUP)
            await link.send(gemini.encode_stream_end())  # into the void
            await link.close(1000)
            return await next_of(link)

    assert asyncio.run(run()) == Closed()


def test_closed_before_the_setup(made: Certificate) -> None:
    """A close that comes along with the handshake is heard as any other."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        (key,) = re.findall(r"Sec-WebSocket-Key: (\S+)", head)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_key(key).encode()
        )
        writer.write(b"\x88\x06" + (1008).to_bytes(2, "big") + b"full")
        await reader.read()
        writer.close()

    async def run() -> list[bytes | Closed]:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=made.server_context())
        port = server.sockets[0].getsockname()[1]
        heard: list[bytes | Closed] = []
        there = target(f"wss://localhost:{port}", KEY, made.ca_file)
        async with server, dials(there) as ways:
            for dial in ways.values():
                async with dial() as link:
                    await link.send(SETUP)
                    heard.append(await next_of(link))
        return heard

    assert asyncio.run(run()) == [Closed(1008, "full")] * 2


def test_setup_complete_that_is_late(made: Certificate) -> None:
    """Whatever comes before setupComplete, it is waited for: the SDK would take anything."""

    async def act(socket: ServerConnection) -> None:
        await socket.recv()
        for message in ('{"goAway":{}}', READY, '{"goAway":{}}'):
            await socket.send(message)
        await socket.close(1000)

    heard = on_both(act, made, all_of)
    late: list[object] = [{"setupComplete": {}}, {"goAway": {}}, Closed(1000)]
    assert heard == {"websocket": [{"goAway": {}}, *late], "sdk": late}


SAID: Final[dict[str, bytes]] = {
    "text": gemini.encode_text("h\xe9 \U0001f600", TextPath.CLIENT_CONTENT),
    "realtime text": gemini.encode_text("hi", TextPath.REALTIME_TEXT),
    "audio": gemini.encode_audio("+/+/", 16000),
    "audio with spare bits": gemini.encode_audio("AAB=", 48000),
    "image": gemini.encode_image("/9j/2Q==", "image/jpeg"),
    "stream end": gemini.encode_stream_end(),
    "activity start": gemini.encode_activity_start(),
    "activity end": gemini.encode_activity_end(),
    "tool response": gemini.encode_tool_response(
        (
            frames.FunctionResponse("1", "f", {"snake_key": {"in_ner": None}, "n": [None, 1.5]}),
            frames.FunctionResponse("2", None, {}, "WHEN_IDLE", will_continue=True),
        )
    ),
}


@pytest.mark.parametrize("payload", SAID.values(), ids=SAID)
def test_said(made: Certificate, payload: bytes) -> None:
    """Whatever the core says reaches Gemini with the same meaning."""
    got: list[bytes] = []

    async def act(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(READY)
        got.append(await socket.recv(decode=False))
        await socket.close(1000)

    async def talk(link: UpstreamSocket) -> object:
        await next_of(link)
        await link.send(payload)
        return await next_of(link)

    assert on_both(act, made, talk) == {"websocket": Closed(1000), "sdk": Closed(1000)}
    ours, theirs = (wire.read(one)[0] for one in got)
    for message in (ours, theirs):  # both alphabets are good, and so are any spare bits
        said = message.realtime_input or wire.RealtimeInput()
        for blob in filter(None, (said.audio, said.video)):
            blob.data = wire.bytes_of(blob).hex()
    assert theirs == ours


def test_void(made: Certificate) -> None:
    """What is sent after Gemini has gone is lost without an error; the end is still told."""

    async def talk(link: UpstreamSocket) -> object:
        await next_of(link)
        await next_of(link)
        for payload in SAID.values():
            await link.send(payload)
        await link.close(1000)
        return await next_of(link)

    assert on_both(saying(), made, talk) == {"websocket": Closed(1000), "sdk": Closed(1000)}


def test_unreachable(made: Certificate) -> None:
    """A link that cannot be opened fails at its setup, with the same fault."""

    async def run(dial: Dial) -> DialError:
        with pytest.raises(DialError) as failed:
            async with dial() as link:
                await link.send(SETUP)
        return failed.value

    async def run_both() -> set[str]:
        async with dials(target("wss://127.0.0.1:9", KEY, made.ca_file)) as ways:
            return {str(await run(dial)) for dial in ways.values()}

    assert len(asyncio.run(run_both())) == 1


def test_nobody_is_warned(made: Certificate) -> None:
    """The SDK's warnings of penalties and of new values are not for users."""
    setup = b'{"setup":{"model":"models/m","generationConfig":{"presencePenalty":0.5}}}'
    enum = '{"serverContent":{"turnComplete":true,"turnCompleteReason":"FROM_TOMORROW"}}'
    got: list[dict[str, Any]] = []

    async def act(socket: ServerConnection) -> None:
        got.append(json.loads(await socket.recv()))
        await socket.send(READY)
        await socket.send(enum)
        await socket.close(1000)

    async def run() -> list[object]:
        async with scripted(act, made) as there, dials(there) as ways, ways["sdk"]() as link:
            await link.send(setup)
            return await all_of(link)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        heard = asyncio.run(run())
        assert warnings.filters == before
    assert [str(one.message) for one in caught] == []
    assert heard[1] == json.loads(enum)
    assert got[0]["setup"]["generationConfig"] == {"presence_penalty": 0.5}


def test_a_tool_that_the_sdk_does_not_know(made: Certificate) -> None:
    """What the SDK cannot send is a refused setup, with the place and the reason."""
    tool = {"functionDeclarations": [{"name": "f", "parameters": {"$ref": "x"}}]}

    async def run() -> bytes | Closed:
        async with scripted(saying(), made) as there, dials(there) as ways, ways["sdk"]() as link:
            await link.send(json.dumps({"setup": {"model": "models/m", "tools": [tool]}}).encode())
            return await next_of(link)

    end = asyncio.run(run())
    assert isinstance(end, Closed)
    assert end.code == 1007
    assert end.reason.startswith("google-genai cannot send tools.")
    assert "functionDeclarations.0.parameters.$ref: Extra inputs are not permitted" in end.reason


def test_cancelled_while_connecting(made: Certificate) -> None:
    """A link that is given up before Gemini has answered ends at once."""
    came = asyncio.Event()

    async def act(socket: ServerConnection) -> None:
        await socket.recv()
        came.set()
        await socket.wait_closed()

    async def run() -> None:
        async with scripted(act, made) as there, dials(there) as ways:

            async def dial() -> None:
                async with ways["sdk"]() as link:
                    await link.send(SETUP)

            task = asyncio.create_task(dial())
            await came.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_where_it_dials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK goes where it is sent, to v1beta with the gateway's key, whatever it may be told."""
    for name, value in (
        ("GOOGLE_GENAI_USE_VERTEXAI", "true"),
        ("GOOGLE_GENAI_USE_ENTERPRISE", "true"),
        ("GOOGLE_GENAI_API_VERSION", "v1"),
        ("GOOGLE_API_KEY", "another"),
        ("GOOGLE_GEMINI_BASE_URL", "https://localhost:9"),
    ):
        monkeypatch.setenv(name, value)

    async def run(there: Target) -> None:
        async with dials(there) as ways:
            for dial in ways.values():
                async with dial() as link:
                    await link.send(SETUP.replace(b"models/m", b"models/gemini-3.8-live"))
                    assert await next_of(link) == b'{"setupComplete":{}}'

    with Emulator(options=Options(pace=0, keys=frozenset({KEY})), tls=True) as played:
        asyncio.run(run(target(f"{played.url}/a/prefix", KEY, played.ca_file)))
        paths = [record.path for record in played.service.received]
    assert paths == [paths[0]] * 2
    assert paths[0].startswith("/a/prefix/ws/google.ai.generativelanguage.v1beta.")


def test_not_imported() -> None:
    """Nobody pays for the SDK who does not ask for it, not even with a config of its kind."""
    code = (
        "import sys, livegate.asyncio, livegate.cli; from livegate.shell.settings import settings;"
        "livegate.asyncio.app(settings('k', config={'voice': 'Puck'}));"
        "sys.exit('google.genai' in sys.modules or 'pydantic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own interpreter


def test_plain_address() -> None:
    """The SDK cannot do without TLS, and the text says what to do."""
    with pytest.raises(SettingsError, match=r"always speaks TLS.*use https://"):
        settings(KEY, "ws://localhost:8010", upstream="sdk")


def test_unknown_upstream() -> None:
    """There are two upstreams, and on trio there is one."""
    with pytest.raises(SettingsError, match="must be websocket or sdk, got 'carrier pigeon'"):
        settings(KEY, upstream=cast("Any", "carrier pigeon"))
    with pytest.raises(SettingsError, match="runs on asyncio only"):
        livegate.trio.app(settings(KEY, upstream="sdk"))


def test_the_end() -> None:
    """A gateway that has drained ends what its links needed, as often as it is told to."""
    ended: list[str] = []

    async def aclose() -> None:
        ended.append("links")

    async def run() -> None:
        there = settings(KEY)
        gateway = livegate.asyncio.Gateway(there.target, there.session, aclose=aclose)
        await gateway.drain()
        app = livegate.asyncio.app(settings(KEY, upstream="sdk"))
        await app.drain()
        await app.drain()  # an embedder, and then the server

    asyncio.run(run())
    assert ended == ["links"]
