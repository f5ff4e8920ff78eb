"""What is shipped for others' tests: it finds what is wrong, and what it makes up is right."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from emulated import EmulatedSystem
from livegate.protocol import Limits, SessionOptions, config, frames, gemini, transcript
from livegate.protocol.errors import RemoteProtocolError
from livegate.protocol.testing import conversations, strategies
from livegate.protocol.testing.client_view import ClientView
from livegate.protocol.testing.frames_seen import SHAPES, check_close, check_frame
from livegate.protocol.testing.machine import GatewayMachine
from livegate.protocol.testing.play import play
from livegate.protocol.testing.sounds import wav
from livegate.protocol.testing.systems import CoreSystem, SystemUnderTest, decoded
from livegate.protocol.testing.wishes import Wish
from livegate.protocol.transcript import ClientGets, ClientSends
from tampering import Tamper, changed, is_frame, is_message, tampered, twice, without

LIMITS: Final = Limits()
QUICK: Final = settings(
    max_examples=300,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
RECORDED: Final = base64.b64encode(b"000").decode()
"""In all that a machine's recordings begin with."""


def as_file(data: bytes, rate: int) -> dict[str, object]:
    """Return a frame that says it is a WAV file."""
    text = base64.b64encode(data).decode()
    return {"type": "audio", "data": text, "format": "wav", "sampleRate": rate}


WRONGS: Final[Mapping[str, Tamper]] = {
    "frames in reverse": lambda seen: seen[::-1],
    "no errors": without(lambda one: is_frame(one, "error")),
    "no pongs": without(lambda one: is_frame(one, "pong")),
    "pongs twice": twice(lambda one: is_frame(one, "pong")),
    "another pong": changed("pong", data="no"),
    "configs are not answered": without(lambda one: is_frame(one, "config_success")),
    "configs are answered twice": twice(lambda one: is_frame(one, "config_success")),
    "a report of other keys": changed("config_success", applied={"key": 1}),
    "turns are not counted": changed("turn_complete", turn=1),
    "an unknown error": changed("error", code="oops"),
    "every error may be retried": changed("error", retryable=True),
    "a type that nobody knows": changed("system", type="news"),
    "no type": changed("pong", type=7),
    "a turn that is no number": changed("turn_complete", turn=True),
    "no frame at all": lambda seen: [
        ClientGets("hello") if is_frame(one, "pong") else one for one in seen
    ],
    "a close for nothing": lambda seen: [
        transcript.ClientClosed(1011) if is_frame(one, "pong") else one for one in seen
    ],
    "a close that no table knows": lambda seen: [
        transcript.ClientClosed(4999) if is_frame(one, "pong") else one for one in seen
    ],
}
WHOLE_WRONGS: Final[Mapping[str, Tamper]] = {
    "answers are lost": without(lambda one: is_frame(one, "response")),
    "sound is doubled": twice(lambda one: is_frame(one, "audio")),
    "sound is lost": without(lambda one: is_frame(one, "audio")),
    "recordings are lost": without(lambda one: is_message(one, RECORDED)),
    "recordings are doubled": twice(lambda one: is_message(one, RECORDED)),
    "speech never ends": without(lambda one: is_message(one, "AAAAAAAAAAAAAAAA")),
    "content is lost": without(lambda one: is_message(one, "clientContent")),
    "content is doubled": twice(lambda one: is_message(one, "realtimeInput")),
    "no setup": without(lambda one: is_message(one, "setup")),
    "two links": twice(lambda one: isinstance(one, transcript.GeminiDialled)),
    "links stay open": without(lambda one: isinstance(one, transcript.GeminiClosed)),
    "clients stay connected": without(lambda one: isinstance(one, transcript.ClientClosed)),
}


def notes_of(error: BaseException) -> list[str]:
    """Return the notes of an exception, and of those it groups."""
    notes: list[str] = getattr(error, "__notes__", [])
    grouped: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return [*notes, *(note for inner in grouped for note in notes_of(inner))]


def told_by(machine: type[GatewayMachine]) -> str:
    """Return the conversation that comes with what a machine finds."""
    try:
        run_state_machine_as_test(machine, settings=QUICK)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was planted
        return next(note for note in notes_of(error) if note.startswith("# "))
    pytest.fail("nothing was found")


@pytest.mark.long
@pytest.mark.parametrize("inner", [CoreSystem, EmulatedSystem])
@pytest.mark.parametrize("name", WRONGS)
def test_machine_finds(inner: Callable[[], SystemUnderTest], name: str) -> None:
    """The machine notices what a client can, and tells the conversation."""
    assert "client opens" in told_by(tampered(inner, WRONGS[name]))


@pytest.mark.long
@pytest.mark.parametrize("name", WHOLE_WRONGS)
def test_machine_finds_on_both_sides(name: str) -> None:
    """The machine notices what only both sides together show."""
    assert "client opens" in told_by(tampered(CoreSystem, WHOLE_WRONGS[name]))


def test_findings_can_be_played() -> None:
    """A finding's transcript goes well on a system that does not have the fault."""
    machine = tampered(CoreSystem, WRONGS["another pong"])
    notes = told_by(machine)
    assert notes.startswith("# a pong of another ping\nclient opens\n")
    told = transcript.parse("finding", notes)
    with pytest.raises(AssertionError, match=r"finding, line \d+: client< .*\"no\""):
        play(told, CoreSystem())


# Strategies


@given(strategies.client_frames())
def test_client_frames(said: ClientSends) -> None:
    """Each made-up frame of a client means something."""
    decode = frames.decode if said.is_text else frames.decode_binary
    decode(said.payload, LIMITS)


@given(strategies.nonsense())
def test_nonsense(said: ClientSends) -> None:
    """Nonsense is answered with one error, whatever it is."""
    system = CoreSystem(SessionOptions(grace_s=1000.0))
    system.feed(transcript.ClientOpens())
    system.feed(said)
    (seen,) = system.output()
    assert is_frame(seen, "error")


@given(strategies.wishes())
def test_configs(wish: Any) -> None:
    """Each made-up config is one that Gemini could accept, and means what it says."""
    delta = config.parse(wish.data)
    assert not delta.fault
    assert delta.values.keys() == wish.settings.keys()
    assert delta.given.keys() | delta.refused.keys() == wish.keys


@given(strategies.bad_configs())
def test_bad_configs(data: dict[str, object]) -> None:
    """Each made-up bad config is refused."""
    assert config.parse(data).fault


@given(strategies.configs())
def test_config_data(data: dict[str, object]) -> None:
    """Configs come as plain data, too."""
    assert not config.parse(data).fault


@given(strategies.gemini_messages())
def test_gemini_messages(payload: bytes) -> None:
    """Each made-up message of Gemini is read."""
    gemini.decode(payload)


@given(strategies.gemini_nonsense())
def test_gemini_nonsense(payload: bytes) -> None:
    """Nonsense of Gemini means nothing to anybody."""
    try:
        found = gemini.decode(payload)
    except ValueError:
        found = []
    assert not found


@given(conversations.gateway_frames())
def test_gateway_frames(seen: list[object]) -> None:
    """The frames of made-up conversations are such as clients are promised."""
    for frame in seen:
        check_frame(frame)


@given(conversations.conversations(min_size=2, max_size=5))
def test_conversation_size(steps: list[object]) -> None:
    """A conversation is as long as it was to be, after its beginning."""
    assert 6 <= len(steps) <= 9


@given(st.sampled_from(sorted(SHAPES)))
def test_empty_frames(type_: str) -> None:
    """A frame without what its type needs is noticed."""
    with pytest.raises(AssertionError):
        check_frame({"type": type_})


FILE: Final = wav(b"\1\0\2\0", 16000)


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (b"", "no sound"),
        (as_file(FILE, 24000), "a file of 16000 Hz in a frame of 24000 Hz"),
        (as_file(FILE[:-1], 16000), "not a WAV file"),
        (as_file(FILE[:43], 16000), "not a WAV file"),
        (as_file(b"\1\0", 16000), "not a WAV file"),
    ],
)
def test_bad_sound(frame: object, fault: str) -> None:
    """Sound that no client could play is noticed, and what can be played is not."""
    check_frame(as_file(FILE, 16000))
    assert check_frame(b"\1\0") == ("audio", {"type": "audio", "data": b"\1\0"})
    with pytest.raises(AssertionError, match=fault):
        check_frame(frame)


def test_unasked_bytes() -> None:
    """Sound in bytes for a client that never asked for it is noticed."""
    view = ClientView(is_open=True)
    with pytest.raises(AssertionError, match="nobody asked"):
        view.saw(ClientGets(b"\1\0"))
    view.client_wishes(Wish({}, {"audio": {"encoding": "binary"}}, frozenset({"audio"})))
    view.saw(ClientGets(b"\1\0"))


def test_unknown_close() -> None:
    """A close code that no table knows is noticed."""
    with pytest.raises(AssertionError, match="1001"):
        check_close(1001)


def test_decoded() -> None:
    """What is no JSON is shown as the text that it is."""
    assert decoded(b'{"a":1}') == {"a": 1}
    assert decoded(b"\xff{") == "\N{REPLACEMENT CHARACTER}{"


def test_unsendable() -> None:
    """Text that is not UTF-8 cannot be sent over a WebSocket; any bytes can."""
    assert not ClientSends(b"\xff", is_text=True).is_sendable
    assert ClientSends(b"\xff", is_text=False).is_sendable
    with pytest.raises(RemoteProtocolError):
        frames.decode(b"\xff", LIMITS)
