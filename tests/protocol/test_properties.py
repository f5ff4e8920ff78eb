# pyright: reportPrivateUsage=false
"""What holds for any input at all."""

import base64
import json
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import walk
from livegate.protocol import (
    Limits,
    LocalProtocolError,
    Session,
    SessionOptions,
    commands,
    frames,
    gemini,
    inputs,
)
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.inputs import Fault, Side
from livegate.protocol.profiles import TextPath
from livegate.protocol.states import (
    ENDINGS,
    TRANSITIONS,
    TURNS,
    Phase,
    Turn,
    TurnTrigger,
    next_turn,
)
from strategies import CLOSES, FAULTS, client_junk, gemini_junk, json_frames
from world import World

READY: Final = b'{"setupComplete":{}}'
DONE: Final = b'{"serverContent":{"turnComplete":true}}'


def setting_up(world: World) -> None:
    """Let a text wait for a link that is being set up."""
    world.text()
    world.open_link()


def retrying(world: World) -> None:
    """Let a dial fail."""
    world.text()
    world.fail_dial(Fault.NAME)


def live(world: World) -> None:
    """Get a session live, with an answer owed."""
    world.text()
    world.open_link()
    world.accept_setup()


def handover(world: World) -> None:
    """Let a changed config wait for an answer."""
    live(world)
    world.config({"temperature": 0.1}, is_good=True)


def refused(world: World) -> None:
    """Let Gemini refuse the config."""
    world.config({"temperature": 0.1}, is_good=True)
    world.open_link()
    world.lose_link(1007, "no")


REACH: Final[dict[Phase, Callable[[World], None]]] = {
    Phase.UNLINKED: lambda _: None,
    Phase.DIALING: World.text,
    Phase.SETUP: setting_up,
    Phase.LIVE: live,
    Phase.HANDOVER: handover,
    Phase.RETRYING: retrying,
    Phase.REFUSED: refused,
    Phase.CLOSED: World.leave,
}


def reached(phase: Phase) -> World:
    """Return a world whose session is in `phase`."""
    world = World()
    world.join()
    REACH[phase](world)
    assert world.session.phase is phase
    return world


phases: Final = st.sampled_from(sorted(REACH, key=lambda phase: phase.value))


@given(phases, st.tuples(json_frames, st.just(value=True)) | client_junk)
@example(Phase.LIVE, (b'{"type":"ping","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", True))
@example(Phase.LIVE, (bytes(16 * 2**20 + 2), False))
@example(Phase.LIVE, (b'{"type":"text","text":"\\ud800"}', True))
@example(Phase.LIVE, (b'{"type":"config","data":{"seed":1e308}}', True))
@example(Phase.LIVE, (b'{"type":"config","data":{"seed":' + b"9" * 4000 + b"}}", True))
def test_any_client_frame(phase: Phase, frame: tuple[bytes, bool]) -> None:
    """Whatever a client sends, nothing is raised, and it is answered, passed on or held."""
    world = reached(phase)
    done = world.session.handle(inputs.ClientFrame(1, frame[0], frame[1]), world.now)
    assert phase is not Phase.CLOSED or not done
    assert world.session.phase is not Phase.CLOSED or phase is Phase.CLOSED
    told = [json.loads(one.payload) for one in done if isinstance(one, commands.SendClient)]
    assert all(isinstance(frame["type"], str) for frame in told)


@given(phases, gemini_junk)
@example(Phase.LIVE, b'{"goAway":{"timeLeft":"infs"}}')
@example(Phase.LIVE, b'{"usageMetadata":' + b'{"a":' * 985 + b"1" + b"}" * 985 + b"}")
@example(Phase.LIVE, b'{"setupComplete":{}}')
def test_any_gemini_message(phase: Phase, payload: bytes) -> None:
    """Whatever Gemini sends, nothing is raised, and the session lives."""
    world = reached(phase)
    world.session.handle(inputs.UpstreamFrame(world.link, payload), world.now)
    assert (world.session.phase is Phase.CLOSED) == (phase is Phase.CLOSED)


def every_input() -> list[inputs.Input]:
    """Return each kind of input once, and each variant that is judged differently."""
    return [
        inputs.ClientOpened(1),
        inputs.ClientFrame(1, b'{"type":"text","text":"hi"}', is_text=True),
        inputs.ClientFrame(1, b'{"type":"config","data":{"top_p":1}}', is_text=True),
        inputs.ClientFrame(1, b'{"type":"interrupt"}', is_text=True),
        inputs.ClientFrame(1, bytes(4), is_text=False),
        inputs.ClientFrame(2, b"", is_text=True),
        inputs.ClientGone(1, 1000),
        inputs.ClientGone(9, 1000),
        *(inputs.UpstreamOpened(link) for link in (0, 1)),
        *(inputs.UpstreamFrame(link, READY) for link in (0, 1)),
        *(inputs.UpstreamGone(1, code, reason) for code, reason in CLOSES),
        *(inputs.DialFailed(1, fault) for fault in FAULTS),
        *(inputs.Sent(side, 1, 5) for side in Side),
        inputs.DeadlineReached(),
        inputs.ClientDismissed(Refusal(ErrorCode.RATE_LIMITED, "too much", 1.0)),
        inputs.ShutdownRequested(),
    ]


@pytest.mark.parametrize("phase", list(REACH), ids=lambda phase: phase.name)
@pytest.mark.parametrize("event", every_input(), ids=lambda event: type(event).__name__)
def test_every_phase_and_input(phase: Phase, event: inputs.Input) -> None:
    """In each phase each input leads along a row of the table, or the shell is told it is wrong."""
    world = reached(phase)
    try:
        world.session.handle(event, world.now + 0.001)
    except LocalProtocolError as error:
        assert "cannot happen in phase" in str(error)  # noqa: PT017 - either way is right
        assert isinstance(
            event,
            inputs.ClientOpened | inputs.UpstreamOpened | inputs.UpstreamGone | inputs.DialFailed,
        )
    assert world.session.phase in {phase, *TRANSITIONS[phase].values(), *_two_steps(phase)}


def _two_steps(phase: Phase) -> set[Phase]:
    return {two for one in TRANSITIONS[phase].values() for two in TRANSITIONS[one].values()}


def test_endings() -> None:
    """What can end a session is known, each once."""
    assert [trigger.name.lower() for trigger in ENDINGS] == [
        "no_key",
        "link_denied",
        "unreachable",
        "client_gone",
        "client_moved",
        "dismissed",
        "shutdown",
    ]


def test_turns_are_complete() -> None:
    """Each state of a turn knows each trigger, and no other state is ever reached."""
    for turn in Turn:
        for trigger in TurnTrigger:
            assert next_turn(turn, trigger) in TURNS


def test_contract() -> None:
    """A shell that breaks the contract hears of it."""
    session = Session(SessionOptions(), seed=0)
    with pytest.raises(LocalProtocolError, match="before start"):
        session.handle(inputs.DeadlineReached(), 0.0)
    session.start(0.0)
    with pytest.raises(LocalProtocolError, match="called twice"):
        session.start(0.0)
    with pytest.raises(LocalProtocolError, match="CLIENT_GONE cannot happen in phase NEW"):
        session.handle(inputs.ClientGone(0, 1006), 0.0)
    assert (session.phase, session.turn) == (Phase.NEW, Turn.IDLE)


def test_shutdown_before_client() -> None:
    """A session that was ended before its client came says nothing to it."""
    session = Session(SessionOptions(), seed=0)
    session.start(0.0)
    done = session.handle(inputs.ShutdownRequested(), 0.0)
    assert {type(command) for command in done} == {commands.Log}
    assert session.handle(inputs.ClientOpened(1), 1.0) == []
    assert (session.phase, session.deadline) == (Phase.CLOSED, None)


@given(
    st.text(min_size=1).filter(lambda text: bool(text.strip()) and "\0" not in text),
    st.sampled_from(TextPath),
)
def test_text_arrives(text: str, path: TextPath) -> None:
    """A client's text arrives at Gemini character for character."""
    raw = json.dumps({"type": "text", "text": text}).encode("utf-8", "surrogatepass")
    found = frames.decode(raw, Limits())
    assert found == frames.Text(text)
    message = json.loads(gemini.encode_text(text, path))
    sent = message.get("clientContent", {}).get("turns", [{}])[0].get("parts", [{}])[0].get("text")
    assert text in (sent, message.get("realtimeInput", {}).get("text"))


@given(
    st.lists(st.sampled_from(["text", "config", "label", "done", "handle"]), max_size=12),
    st.integers(0, 12),
)
def test_late_setup_changes_no_order(script: list[str], delay: int) -> None:
    """However late a link is set up, each side gets the same texts in the same order."""
    promptly, late = World(), World()
    for world, wait in ((promptly, 0), (late, delay)):
        world.join()
        for number, step in enumerate(script):
            if number >= wait:
                connect(world)
            if step == "text":
                world.text()
            elif step == "config":
                world.config({"temperature": number / 10}, is_good=True)
            elif step == "label":
                world.config({"app": str(number)}, is_good=True)
            elif world.link_state == "ready":
                world.hear(
                    DONE
                    if step == "done"
                    else b'{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}'
                )
        world.settle()
    assert texts(promptly) == texts(late)
    assert answers(promptly) == answers(late)


def connect(world: World) -> None:
    """Let a dial and a setup succeed, if there are any."""
    while world.link_state in ("dialling", "open"):
        (world.open_link if world.link_state == "dialling" else world.accept_setup)()


def texts(world: World) -> list[object]:
    """Return what Gemini was asked, in order, without what it was told again."""
    given_out = [
        json.loads(command.payload)
        for _, _, done in world.history
        for command in done
        if isinstance(command, commands.SendUpstream)
    ]
    found: list[object] = []
    is_history = False
    for message in given_out:
        if "setup" in message:
            is_history = "historyConfig" in message["setup"]
        elif "clientContent" in message and not is_history:
            found.append(message["clientContent"])
        else:
            is_history = False
    return found


def answers(world: World) -> list[object]:
    """Return the answers to configs, in order."""
    told = [
        json.loads(command.payload)
        for _, _, done in world.history
        for command in done
        if isinstance(command, commands.SendClient)
    ]
    return [frame for frame in told if frame["type"] == "config_success"]


@given(st.integers(0, 2**32))
def test_same_inputs_same_commands(seed: int) -> None:
    """A session that is replayed with the same seed gives the same commands."""
    world = walk(seed)
    again = Session(world.options, seed=seed)
    again.start(100.0)
    for event, now, done in world.history:
        assert again.handle(event, now) == done


def flood(world: World, event: Callable[[], inputs.Input], side: Side, times: int) -> int:
    """Feed while the session lets the shell read; return how often it did."""
    for count in range(times):
        reading = world.session.reading
        if not (reading.client if side is Side.CLIENT else reading.upstream):
            return count
        world.session.handle(event(), world.now)
    return times


@pytest.mark.parametrize("phase", [Phase.DIALING, Phase.SETUP, Phase.HANDOVER, Phase.RETRYING])
@pytest.mark.parametrize(
    ("payload", "most"),
    [
        (b'{"type":"config","data":{"temperature":0.5}}', 20),
        (b'{"type":"text","text":"a"}', 20),
        (b'{"type":"audio","data":"AAA="}', 20),
        (b'{"type":"config","data":{"temperature":99}}', 400),
        (b'{"type":"audio","data":"AAAA"}', 400),
        (b'{"type":"ping"}', 400),
        (b"junk", 400),
    ],
)
def test_flood_stops(phase: Phase, payload: bytes, most: int) -> None:
    """A million frames while nothing can be delivered are not read, whatever they are."""
    world = reached(phase)
    count = flood(world, lambda: inputs.ClientFrame(1, payload, is_text=True), Side.CLIENT, 10**6)
    assert count <= most
    assert world.session._flow.in_flight(Side.UPSTREAM) < 16 * 1024
    assert world.session._flow.in_flight(Side.CLIENT) < 16 * 1024


def test_slow_client_slows_gemini() -> None:
    """Gemini is not read while the client does not take what it got."""
    world = World(SessionOptions())
    world.join()
    live(world)
    sound = b'{"serverContent":{"outputTranscription":{"text":"%b"}}}' % (b"x" * 5000)
    count = flood(world, lambda: inputs.UpstreamFrame(1, sound), Side.UPSTREAM, 10**6)
    assert 256 * 1024 // 5000 < count < 256 * 1024 // 5000 + 3
    assert not world.session.reading.client


def test_small_frames_with_large_effects() -> None:
    """What waits counts for what it comes to, so that a link is not flooded when it opens."""
    world = World(SessionOptions())
    world.join()
    world.text()
    speech = [b'{"type":"audio","data":"AAA="}', b'{"type":"audio_end"}'] * 10**4
    flood(world, lambda: inputs.ClientFrame(1, speech.pop(0), is_text=True), Side.CLIENT, 10**4)
    world.session.handle(inputs.UpstreamOpened(1), world.now)
    world.session.handle(inputs.UpstreamFrame(1, READY), world.now)
    assert world.session._flow.in_flight(Side.UPSTREAM) < 512 * 1024


def test_large_recording_is_cut() -> None:
    """A recording of minutes goes to Gemini in pieces, whole and in order."""
    world = World(SessionOptions())
    world.join()
    live(world)
    payload = bytes(range(256)) * 2000
    done = world.session.handle(inputs.ClientFrame(1, payload, is_text=False), world.now)
    pieces = [json.loads(one.payload) for one in done if isinstance(one, commands.SendUpstream)]
    data = [piece["realtimeInput"]["audio"]["data"] for piece in pieces]
    assert len(data) > 5
    assert max(map(len, data)) <= 65536
    assert "".join(data) == base64.b64encode(payload).decode()
