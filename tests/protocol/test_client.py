# pyright: reportPrivateUsage=false
"""A client that goes and comes back: what no transcript can say of it."""

import gc
import json
import tracemalloc
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol import Limits, Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Command, Event
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.flow import Reading
from livegate.protocol.inputs import Side
from livegate.protocol.limits import KIB, MIB
from livegate.protocol.settings import KEYS
from livegate.protocol.states import Phase
from returning import READY, Got, Returning, heard, read

SOUND: Final = {"response_modalities": ["AUDIO"]}
DONE: Final = b'{"serverContent":{"turnComplete":true}}'
UPDATE: Final = b'{"sessionResumptionUpdate":{"newHandle":"h-1","resumable":true}}'


def begun(config: Mapping[str, object] | None = None, **limits: float) -> Returning:
    """Return a session with its client's token taken."""
    options = SessionOptions(limits=Limits(**limits))  # type: ignore[arg-type]
    client = Returning(options, config)
    client.take_all()
    assert client.has_token
    return client


def logged(given: list[Command], event: Event) -> list[Mapping[str, object]]:
    """Return the fields of these lines of the log, but for whose they are."""
    return [
        {name: value for name, value in one.fields.items() if name not in ("session", "link")}
        for one in given
        if isinstance(one, commands.Log) and one.event is event
    ]


def words(frames: list[Got]) -> list[str]:
    """Return what these frames are."""
    return [f"{one.seq} {one.type}" for one in frames]


# Going and coming back


@pytest.mark.parametrize("code", [1001, 1002, 1005, 1006, 1011, 4000, 4001])
def test_waits(code: int) -> None:
    """However a WebSocket ended, unless its client said goodbye: the session waits."""
    client = begun()
    given = client.tell(inputs.ClientGone(1, code))
    assert logged(given, Event.CLIENT_AWAY) == [{"code": code}]
    assert client.session.is_away
    assert client.session.deadline == client.now + 120


def test_does_not_wait() -> None:
    """A session is over whose client said goodbye, has no token, or wants to be waited for no more."""
    client = begun()
    client.tell(inputs.ClientGone(1, 1000))
    assert client.session.is_over
    early = Session(SessionOptions(), seed=0)
    early.start(0.0)
    early.handle(inputs.ClientOpened(1, is_v1=True), 0.0)
    early.handle(inputs.ClientGone(1, 1006), 0.0)
    assert early.is_over
    client = begun()
    client.say(type="config", data={"resumable": False})
    client.cut()
    assert client.session.is_over


def test_returned() -> None:
    """It is logged from where a client is back, how much it had missed, and whether that is all."""
    client = begun()
    client.cut()
    client.hear(read("one"), read("two"))
    returned = inputs.ClientReturned(2, client.seq, "192.0.2.77")
    given = client.session.handle(returned, client.now)
    back = {"peer": "192.0.2.77", "result": "replayed", "frames": 2}
    assert logged(given, Event.CLIENT_RETURNED) == [back]
    assert not client.session.is_away
    assert client.session.deadline == client.session._timers.next


def test_old_socket() -> None:
    """Nothing that still comes from a WebSocket before the newest is heard."""
    client = begun()
    client.come_back()
    (back,) = logged(client.history[-1][2], Event.CLIENT_RETURNED)
    assert (back["result"], back["code"]) == ("replayed", 4202)
    assert client.closed == [(1, 4202)]
    ping = b'{"type":"ping"}'
    for event in (
        inputs.ClientFrame(1, ping, is_text=True),
        inputs.Sent(Side.CLIENT, 1, 10**9),
        inputs.ClientGone(1, 1006),
        inputs.ClientGone(1, 1000),
    ):
        assert client.tell(event) == []
    assert not client.session.is_away
    assert client.tell(inputs.ClientFrame(2, ping, is_text=True))


def test_no_socket() -> None:
    """While a client is away nothing is sent, and whatever its old WebSocket says is not heard."""
    client = begun(SOUND)
    client.cut()
    for event in (
        inputs.ClientFrame(1, b'{"type":"ping"}', is_text=True),
        inputs.ClientGone(1, 1006),
        inputs.Sent(Side.CLIENT, 1, 5),
    ):
        assert client.tell(event) == []
    client.hear(heard(b"\1\0"), read("Hi."), b'{"serverContent":{"interrupted":true}}', DONE)
    sent = (commands.SendClient, commands.DropSound, commands.CloseClient)
    assert not any(isinstance(one, sent) for one in client.history[-1][2])
    assert words(client.come_back()) == ["5 response", "6 interrupted", "7 turn_complete"]


@pytest.mark.parametrize("is_back_first", [True, False])
def test_in_that_moment(*, is_back_first: bool) -> None:
    """Who comes back in the very moment in which nobody waits any longer is in time, or too late."""
    client = begun()
    client.cut()
    client.now += 120
    if is_back_first:
        client.come_back()
        client.tell(inputs.DeadlineReached())
        assert not client.session.is_over
        client.wait(500)
        assert not client.session.is_over
    else:
        client.tell(inputs.DeadlineReached())
        assert client.session.is_over
        assert client.tell(inputs.ClientReturned(2, client.seq)) == []


@pytest.mark.parametrize("ahead", [1, 1000, 2**53 - 1])
def test_ahead(ahead: int) -> None:
    """A client with more frames than there were is told so, and gets no number twice."""
    client = begun()
    client.cut()
    has = max(client.seq, ahead) if ahead > client.seq else client.seq + ahead
    assert client.come_back(has) == []
    (back,) = logged(client.history[-1][2], Event.CLIENT_RETURNED)
    assert (back["result"], back["frames"]) == ("partly", 0)
    client.take_all()
    assert client.answers == [{"type": "resumed", "recovered": False, "seq": has}]
    client.say(type="ping")
    client.take_all()
    assert client.seq == has + 1
    client.cut()
    client.hear(read("Hi."))
    assert words(client.come_back()) == [f"{has + 2} response"]
    client.take_all()
    assert client.answers[-1]["recovered"] is True


def test_before_the_token() -> None:
    """What was said before the token is gone, and a client that asks for it is told."""
    client = begun()
    client.cut()
    assert words(client.come_back(0)) == ["3 session"]
    client.take_all()
    assert client.answers == [{"type": "resumed", "recovered": False, "seq": 0}]
    client.cut()
    client.come_back(2)
    client.take_all()
    assert client.answers[-1]["recovered"] is True


def test_newer_token() -> None:
    """A newer token changes nothing of what is kept."""
    client = begun()
    client.hear(read("Hi."), DONE, UPDATE)
    assert client.tokens == 2
    client.cut()
    kept = ["4 response", "5 turn_complete", "6 session"]
    assert words(client.come_back()) == kept
    client.cut()
    assert words(client.come_back(3)) == kept


def test_dismissed_while_away() -> None:
    """A session whose time is up ends, with its client or without."""
    client = begun()
    client.cut()
    client.tell(inputs.ClientDismissed(Refusal(ErrorCode.SESSION_AGE, "too old")))
    assert client.session.is_over
    assert not client.outbox


# The memory of one whose client is away


@pytest.mark.parametrize(
    ("piece", "config"),
    [
        (heard(bytes(4800)), SOUND),
        (heard(bytes(4800)), {**SOUND, "audio": {"encoding": "binary"}}),
        (heard(bytes(480_000)), SOUND),
        (read("word "), {}),
        (b'{"usageMetadata":{"totalTokenCount":1}}', {}),
    ],
    ids=["sound", "bytes", "much sound", "words", "numbers"],
)
def test_memory(piece: bytes, config: Mapping[str, object]) -> None:
    """While a client is away Gemini is read no further than for a client that does not read."""
    client = begun(config)
    session = client.session
    client.hear(*[piece] * 3000)
    client.take_all()
    client.cut()
    gc.collect()
    tracemalloc.start()
    try:
        heard_before = session.tally.frames[Side.UPSTREAM]
        while session.reading.upstream:
            session.handle(inputs.UpstreamFrame(1, piece), client.now)
        held = session._flow.in_flight(Side.CLIENT)
        read_on = session.tally.frames[Side.UPSTREAM] - heard_before
        assert 256 * KIB < held <= 256 * KIB + 2 * len(piece)
        assert session.reading == Reading(client=False, upstream=False)
        for second in range(119):
            if session.deadline is not None and session.deadline <= client.now + second:
                session.handle(inputs.DeadlineReached(), client.now + second)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read_on < 10_000
    assert used < 2 * MIB + 2 * len(piece)
    assert session._client._missed._size < 3 * MIB + 2 * len(piece)


def test_memory_over_many_returns() -> None:
    """A client that comes back and takes nothing gets no more kept for it each time."""
    client = begun(SOUND)
    for _ in range(12):
        client.cut()
        while client.session.reading.upstream:
            client.hear(heard(bytes(4800)))
        client.come_back()
        assert not client.session.reading.upstream
        assert client.session._client._missed._size < MIB + 300 * KIB
    client.take_all()
    assert client.session.reading == Reading(client=True, upstream=True)
    assert client.answers[-1]["recovered"] is False


# From elsewhere


def back(seq: int = 7) -> Session:
    """Return a session whose client's first frame says that it is back; its token is looked up."""
    session = Session(SessionOptions(), seed=0)
    session.start(0.0)
    session.handle(inputs.ClientOpened(1, is_v1=True), 0.0)
    asked = {"type": "resume", "data": {"session": "its token", "seq": seq}}
    frame = inputs.ClientFrame(1, json.dumps(asked).encode(), is_text=True)
    assert session.handle(frame, 0.0) == [commands.Resume("its token", seq)]
    return session


def told(given: list[Command]) -> list[dict[str, object]]:
    """Return the frames among these commands."""
    return [json.loads(one.payload) for one in given if isinstance(one, commands.SendClient)]


def setup(given: list[Command]) -> dict[str, object]:
    """Return the setup among these commands."""
    (sent,) = (one for one in given if isinstance(one, commands.SendUpstream))
    found: dict[str, object] = json.loads(sent.payload)["setup"]
    return found


@pytest.mark.parametrize(
    "answer",
    [inputs.TokenRefused(), inputs.TokenOpened("gemini-3.8-live", "h-1", {"resumable": True})],
)
def test_token_is_looked_up(answer: inputs.Input) -> None:
    """The client is not read until its token is looked up: what it says may be for another."""
    session = back()
    assert session.reading == Reading(client=False, upstream=True)
    session.handle(answer, 0.0)
    assert session.reading == Reading(client=True, upstream=True)


def test_does_not_return() -> None:
    """The last line of a session whose client did not come back in time says that it was away."""
    session = Session(SessionOptions(), seed=0)
    session.start(0.0)
    session.handle(inputs.ClientOpened(1, is_v1=True), 0.0)
    config = b'{"type":"config","data":{"resumable":true}}'
    session.handle(inputs.ClientFrame(1, config, is_text=True), 0.0)
    session.handle(inputs.UpstreamOpened(1), 0.0)
    session.handle(inputs.UpstreamFrame(1, b'{"setupComplete":{}}'), 0.0)
    session.handle(inputs.Sealed("its token"), 0.0)
    session.handle(inputs.ClientGone(1, 1001), 0.0)
    given: list[Command] = []
    while not session.is_over:
        assert session.deadline is not None
        given = session.handle(inputs.DeadlineReached(), session.deadline)
    (closed,) = logged(given, Event.SESSION_CLOSED)
    assert (closed["why"], closed["code"], closed["away"]) == ("client_gone", 1006, True)


def test_moved() -> None:
    """A client that goes on elsewhere leaves nothing behind."""
    session = back()
    given = session.handle(inputs.ClientMoved(), 0.0)
    assert {type(one) for one in given} == {commands.Log}
    (closed,) = logged(given, Event.SESSION_CLOSED)
    assert (closed["why"], closed["code"]) == ("client_moved", 1000)
    assert session.is_over


def test_opened() -> None:
    """With what is in a token the conversation goes on, and can be come back to at once."""
    session = back(41)
    config = {"resumable": True, "temperature": 0.5, "response_modalities": ["AUDIO"]}
    given = session.handle(inputs.TokenOpened("gemini-3.8-live", "h-1", config), 0.0)
    assert told(given) == [{"type": "resumed", "recovered": False, "seq": 41}]
    assert logged(given, Event.CLIENT_RETURNED) == [{"result": "token"}]
    assert commands.Seal("gemini-3.8-live", "h-1", config) in given
    assert commands.OpenUpstream(1) in given
    given = session.handle(inputs.Sealed("its next"), 0.0)
    token = {"token": "its next", "resumable": True, "expires_s": 7200}
    assert told(given) == [{"seq": 42, "type": "session", **token}]
    asked = setup(session.handle(inputs.UpstreamOpened(1), 0.0))
    assert asked["sessionResumption"] == {"handle": "h-1"}
    assert asked["generationConfig"] == {"temperature": 0.5, "responseModalities": ["AUDIO"]}
    assert told(session.handle(inputs.UpstreamFrame(1, READY), 0.0)) == []
    assert session.phase is Phase.LIVE
    session.handle(inputs.ClientGone(1, 1006), 0.0)
    assert session.is_away


def test_opened_without_handle() -> None:
    """Where Gemini had given no handle yet, what was said is lost, and the client is told."""
    session = back()
    session.handle(inputs.TokenOpened("gemini-3.8-live", None, {}), 0.0)
    assert setup(session.handle(inputs.UpstreamOpened(1), 0.0))["sessionResumption"] == {}
    (lost,) = told(session.handle(inputs.UpstreamFrame(1, READY), 0.0))
    assert lost == {
        "seq": 8,
        "type": "context_lost",
        "reason": "the conversation starts anew",
    }


def test_opened_with_another_model() -> None:
    """A handle of another model's is worth nothing."""
    session = back()
    session.handle(inputs.TokenOpened("gemini-9-live", "h-1", {}), 0.0)
    assert setup(session.handle(inputs.UpstreamOpened(1), 0.0))["sessionResumption"] == {}


_values: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*KEYS, "a setting to come"]), _values, max_size=6))
def test_opened_from_another_version(config: dict[str, object]) -> None:
    """Whatever is in a token, nothing breaks; settings that nobody knows are left out."""
    session = back()
    session.handle(inputs.TokenOpened("gemini-3.8-live", "h-1", config), 0.0)
    assert "a setting to come" not in session._terms.config
    assert session.handle(inputs.UpstreamOpened(1), 0.0)
    session.handle(inputs.UpstreamFrame(1, READY), 0.0)
    session.handle(inputs.ClientFrame(1, b'{"type":"ping"}', is_text=True), 0.0)
    assert session.phase is Phase.LIVE


@pytest.mark.parametrize("answer", [inputs.TokenRefused(), inputs.ClientMoved()])
def test_gone_meanwhile(answer: inputs.Input) -> None:
    """A client that goes while its token is looked up is not waited for."""
    session = back()
    session.handle(inputs.ClientGone(1, 1006), 0.0)
    assert session.is_over
    assert session.handle(answer, 0.0) == []


def test_no_key() -> None:
    """Without an API key nobody looks at a token."""
    session = Session(SessionOptions(has_key=False), seed=0)
    session.start(0.0)
    session.handle(inputs.ClientOpened(1, is_v1=True), 0.0)
    asked = b'{"type":"resume","data":{"session":"t","seq":1}}'
    assert session.handle(inputs.ClientFrame(1, asked, is_text=True), 0.0) == []


# What is no return


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{}", "session"),
        ('{"session":"t"}', "seq"),
        ('{"seq":1}', "session"),
        ('{"session":"t","seq":-1}', "0"),
        ('{"session":"t","seq":9007199254740992}', "<= 9007199254740991"),
        ('{"session":"t","seq":1.5}', "int"),
        ('{"session":"t","seq":"1"}', "int"),
        ('{"session":1,"seq":1}', "str"),
        ("null", "null"),
        ('"t"', "str"),
        ("[]", "array"),
    ],
)
def test_bad_resume(data: str, said: str) -> None:
    """A `resume` of another form is an error that names what is wrong, and never the token."""
    session = Session(SessionOptions(), seed=0)
    session.start(0.0)
    session.handle(inputs.ClientOpened(1, is_v1=True), 0.0)
    frame = f'{{"type":"resume","data":{data}}}'.encode()
    (error,) = told(session.handle(inputs.ClientFrame(1, frame, is_text=True), 0.0))
    assert error["code"] == "bad_frame"
    assert said in str(error["data"])
    assert session.reading.client


@pytest.mark.parametrize("first", [b"\0\0", b'{"type":"ping"}', b"{", b'{"type":"resume"}'])
def test_late_resume(first: bytes) -> None:
    """A `resume` behind anything else, nonsense or sound, does not count."""
    session = Session(SessionOptions(), seed=0)
    session.start(0.0)
    session.handle(inputs.ClientOpened(1, is_v1=True), 0.0)
    session.handle(inputs.ClientFrame(1, first, is_text=first != b"\0\0"), 0.0)
    asked = b'{"type":"resume","data":{"session":"t","seq":1}}'
    given = session.handle(inputs.ClientFrame(1, asked, is_text=True), 0.0)
    assert told(given)[-1]["code"] == "bad_frame"
    assert not any(isinstance(one, commands.Resume) for one in given)
    assert session.reading.client
