"""What is shipped for others' tests, where clients of livegate.v1 vanish and come back."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import hypothesis.strategies as st
import pytest
from hypothesis import given

from livegate.protocol import Limits, SessionOptions, config, transcript
from livegate.protocol.config import Config
from livegate.protocol.inputs import Fault
from livegate.protocol.testing import strategies
from livegate.protocol.testing.answers import Said
from livegate.protocol.testing.machine import GatewayMachine
from livegate.protocol.testing.strategies import FIRST, LINK_ENDS
from livegate.protocol.testing.systems import CoreSystem
from livegate.protocol.testing.wishes import Book, Wish
from livegate.protocol.transcript import ClientGets, Observation
from tampering import Tamper, changed, is_frame, noticed, tampered, twice, without

Scene = Callable[[GatewayMachine], None]
_, SOUND, ALL, _, _, BYTES = FIRST
SMALL: Final = Wish({"top_p": 0.9}, {"top_p": 0.9}, frozenset({"top_p"}))
FORM: Final = Wish(
    {"audio": {"format": "wav"}}, {"audio": {"format": "wav"}}, frozenset({"audio"})
)
NOTHING: Final = Wish({}, {}, frozenset())


SAME: Final = "the same each time"
GOING: Final = {"resume_within_s": 0, "retry_after_ms": 0}


def forgetful() -> CoreSystem:
    """Return the core, which keeps next to nothing of what has been sent."""
    return CoreSystem(SessionOptions(limits=Limits(missed_bytes=10)))


def asks(machine: GatewayMachine, first: Wish | None = ALL) -> None:
    """A client that may come back asks for something."""
    machine.client_opens(is_patient=True, first=first, is_v1=True)
    machine.text(form=0)


def vanishes(machine: GatewayMachine) -> None:
    """A client loses its WebSocket in the middle of an answer, and some frames with it."""
    asks(machine)
    machine.gemini_speaks(pieces=2, is_last=False)
    machine.client_vanishes(code=1006, seconds=0.0)
    machine.gemini_answers(calls=("call",), has_handle=True)
    machine.client_returns(lost=1)
    machine.result(call="first", goes_on=False)


def changes_networks(machine: GatewayMachine) -> None:
    """A client is back before its old WebSocket has ended, twice."""
    asks(machine, BYTES)
    machine.gemini_answers(calls=(), has_handle=True)
    machine.client_returns(lost=3)
    machine.text(form=1)
    machine.client_returns(lost=0)
    machine.gemini_answers(calls=(), has_handle=True)


def is_interrupted(machine: GatewayMachine) -> None:
    """What a client has lost and what it has never got is taken back while it is away."""
    asks(machine, SOUND)
    machine.gemini_speaks(pieces=2, is_last=False)
    machine.client_vanishes(code=1006, seconds=0.0)
    machine.gemini_speaks(pieces=3, is_last=False)
    machine.gemini_is_interrupted()
    machine.gemini_completes()
    machine.gemini_speaks(pieces=1, is_last=False)
    machine.client_returns(lost=1)


def interrupts(machine: GatewayMachine) -> None:
    """A client interrupts an answer, and loses all of it with its WebSocket."""
    asks(machine, SOUND)
    machine.gemini_speaks(pieces=3, is_last=False)
    machine.interrupt()
    machine.client_vanishes(code=4001, seconds=2.0)
    machine.client_returns(lost=9)


def loses_much(machine: GatewayMachine) -> None:
    """A client has lost all of an answer with its WebSocket."""
    asks(machine, SOUND)
    machine.gemini_speaks(pieces=3, is_last=False)
    machine.client_vanishes(code=4001, seconds=2.0)
    machine.client_returns(lost=9)


def stays_away(machine: GatewayMachine) -> None:
    """A client is away for too long."""
    asks(machine)
    machine.gemini_answers(calls=(), has_handle=True)
    machine.client_vanishes(code=1001, seconds=31.0)
    machine.client_stays_away(seconds=121.0)
    assert machine.model.is_over


def comes_in_time(machine: GatewayMachine) -> None:
    """A client is away for nearly too long, and is waited for again."""
    asks(machine)
    machine.gemini_answers(calls=(), has_handle=True)
    for _ in range(2):
        machine.client_vanishes(code=4000, seconds=0.0)
        machine.client_stays_away(seconds=119.0)
        machine.client_returns(lost=0)


def says_goodbye(machine: GatewayMachine) -> None:
    """A client that could come back says that it will not."""
    asks(machine)
    machine.client_leaves(code=1000)
    assert machine.model.is_over


def changes_its_mind(machine: GatewayMachine) -> None:
    """A client does not want to come back any more."""
    asks(machine)
    machine.client_decides(may_return=False)
    machine.client_vanishes(code=1006, seconds=0.0)
    assert machine.model.is_over


def is_refused(machine: GatewayMachine) -> None:
    """Gemini refuses what a client wants that is away by then; so it does what it wants next."""
    machine.client_opens(is_patient=True, first=None, is_v1=True)
    machine.config(SMALL)
    machine.text(form=0)
    machine.config(FORM)
    machine.bad_config({"temperature": 99})
    machine.client_vanishes(code=1006, seconds=0.0)
    machine.gemini_opens()
    machine.gemini_closes(next(end for end in LINK_ENDS if end.kind == "model"))
    machine.gemini_serves()
    machine.client_returns(lost=0)


def wishes(machine: GatewayMachine) -> None:
    """Configs and a bad recording are in line when a client vanishes, and are answered then."""
    asks(machine)
    machine.gemini_speaks(pieces=1, is_last=False)
    machine.config(SMALL)
    machine.bad_config({"temperature": 99})
    machine.bad_recording(kind=0)
    machine.config(FORM)
    machine.client_vanishes(code=1006, seconds=0.0)
    machine.gemini_completes()
    machine.gemini_serves()
    machine.gemini_answers(calls=(), has_handle=True)
    machine.client_returns(lost=0)


def loses_links(machine: GatewayMachine) -> None:
    """Links to Gemini are lost, and Gemini is out of reach for a while, with nobody to be told."""
    asks(machine)
    machine.gemini_speaks(pieces=1, is_last=False)
    machine.client_vanishes(code=1006, seconds=0.0)
    machine.gemini_dies()
    machine.gemini_is_away(fault=Fault.REFUSED, tries=4)
    machine.gemini_serves()
    machine.client_returns(lost=0)


def is_in_vain(machine: GatewayMachine) -> None:
    """Gemini does not answer, nor does the client, which is away."""
    asks(machine)
    machine.text(form=0)
    machine.client_vanishes(code=1006, seconds=0.0)
    machine.gemini_says(Said(calls=("call",)))
    machine.gemini_is_silent(31.0)
    machine.client_returns(lost=0)
    machine.client_vanishes(code=1006, seconds=2.0)
    machine.client_is_silent(100.0)
    machine.client_returns(lost=0)


def gives_up(machine: GatewayMachine) -> None:
    """Gemini is out of reach for so long that it is given up; the session ends without a word."""
    asks(machine)
    machine.gemini_speaks(pieces=1, is_last=False)
    machine.client_vanishes(code=1006, seconds=0.0)
    machine.gemini_dies()
    machine.gemini_is_away(fault=Fault.REFUSED, tries=12)


def is_shut_down(machine: GatewayMachine) -> None:
    """The gateway ends, with its client there."""
    asks(machine)
    machine.shutdown()


def is_shut_down_away(machine: GatewayMachine) -> None:
    """The gateway ends while a client is away."""
    asks(machine)
    machine.client_vanishes(code=1006, seconds=0.0)
    machine.shutdown()


SCENES: Final = (
    *(vanishes, changes_networks, is_interrupted, interrupts, loses_much, comes_in_time),
    *(stays_away, says_goodbye, changes_its_mind, is_refused, wishes, loses_links, is_in_vain),
    *(gives_up, is_shut_down, is_shut_down_away),
)


def behind_resumed(change: Callable[[list[Observation]], list[Observation]]) -> Tamper:
    """Return what sends other frames than were missed."""

    def tamper(seen: list[Observation]) -> list[Observation]:
        for at, one in enumerate(seen, 1):
            if is_frame(one, "resumed"):
                return seen[:at] + change(seen[at:])
        return seen

    return tamper


def without_key(key: str) -> Tamper:
    """Return what leaves something out of each frame."""

    def change(one: Observation) -> Observation:
        frame: Any = one.expected if isinstance(one, ClientGets) else b""
        if isinstance(frame, bytes):
            return one
        return ClientGets({name: value for name, value in frame.items() if name != key})

    return lambda seen: [change(one) for one in seen]


def stale() -> Tamper:
    """Return what remembers all sound, and plays it to whoever comes back."""
    heard: list[Observation] = []

    def tamper(seen: list[Observation]) -> list[Observation]:
        heard.extend(one for one in seen if is_frame(one, "audio"))
        return behind_resumed(lambda missed: [*heard, *missed])(seen)

    return tamper


def unheard() -> Tamper:
    """Return what sends a frame whenever there is nothing to do, once an answer has ended."""
    ended: list[Observation] = []

    def tamper(seen: list[Observation]) -> list[Observation]:
        ended.extend(one for one in seen if is_frame(one, "turn_complete"))
        return seen or ended

    return tamper


def closes(*codes: int) -> Callable[[Observation], bool]:
    """Return whether the client is closed with one of these codes."""
    return lambda one: isinstance(one, transcript.ClientClosed) and one.code in codes


WRONGS: Final[Mapping[str, tuple[Scene, Tamper, str]]] = {
    "frames without numbers": (vanishes, without_key("seq"), "without its number"),
    "pieces without a turn": (vanishes, without_key("turn"), "without"),
    "pieces of another turn": (vanishes, changed("response", turn=7), "had to come"),
    "one number for all": (vanishes, changed("audio", seq=4), "the number 4 came behind"),
    "bytes without numbers": (
        changes_networks,
        lambda seen: [
            ClientGets(one.expected[8:])
            if isinstance(one, ClientGets) and isinstance(one.expected, bytes)
            else one
            for one in seen
        ],
        "the number",
    ),
    "nobody hears that it is back": (
        *(vanishes, without(lambda one: is_frame(one, "resumed"))),
        "came before resumed",
    ),
    "everybody is back twice": (
        *(vanishes, twice(lambda one: is_frame(one, "resumed"))),
        "resumed twice",
    ),
    "back at the beginning": (vanishes, changed("resumed", seq=0), "resumed at 0"),
    "recovered is a lie": (vanishes, changed("resumed", recovered=False), "recovered is not"),
    "a half recovery is a whole one": (
        *(vanishes, behind_resumed(lambda seen: seen[1:])),
        "recovered is not",
    ),
    "nothing was missed": (vanishes, behind_resumed(lambda _: []), "recovered is not"),
    "what nobody has seen is lost": (
        *(is_interrupted, behind_resumed(lambda seen: [*seen[:1], *seen[2:]])),
        "was missed and had to come",
    ),
    "what was missed comes twice": (
        *(vanishes, behind_resumed(lambda seen: [one for one in seen for _ in (1, 2)])),
        "came again behind",
    ),
    "what was missed comes in reverse": (
        *(vanishes, behind_resumed(lambda seen: seen[::-1])),
        "came again behind",
    ),
    "what was missed is something else": (
        *(interrupts, behind_resumed(changed("interrupted", more=1))),
        "another frame of the number",
    ),
    "stale sound": (interrupts, stale(), "was to be silent"),
    "the old WebSocket stays": (changes_networks, without(closes(4202)), "is not closed"),
    "the old WebSocket ends otherwise": (
        changes_networks,
        lambda seen: [transcript.ClientClosed(1000) if closes(4202)(one) else one for one in seen],
        "is closed with 1000",
    ),
    "frames for nobody": (stays_away, unheard(), "to a client that is away"),
    "a session without an end": (
        *(stays_away, without(lambda one: isinstance(one, transcript.GeminiClosed))),
        "a link outlived its session",
    ),
    "no tokens": (vanishes, without(lambda one: is_frame(one, "session")), "tokens came"),
    "old tokens": (
        vanishes,
        changed("session", token=SAME),
        "a token that was given before",
    ),
    "going_away for nothing": (
        *(interrupts, changed("interrupted", type="going_away", **GOING)),
        "nobody goes",
    ),
}


@pytest.mark.parametrize("system", [CoreSystem, forgetful])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_scene(scene: Scene, system: Callable[[], CoreSystem]) -> None:
    """Nothing is wrong with the core in any scene, however little it keeps."""
    machine = tampered(system, lambda seen: seen)()
    scene(machine)
    machine.teardown()


@pytest.mark.parametrize("name", WRONGS)
def test_wrong(name: str) -> None:
    """The machine notices what is wrong, and tells the conversation."""
    assert "client opens v1" in noticed(*WRONGS[name]).failure


def test_half_a_recovery() -> None:
    """Where some frames are gone, saying that none is does not go unnoticed."""
    machine = tampered(forgetful, changed("resumed", recovered=True))()
    with pytest.raises(AssertionError, match="recovered is not False"):
        loses_much(machine)


@given(
    before=st.lists(strategies.wishes(), max_size=3),
    wish=strategies.wishes(),
    is_v1=st.booleans(),
)
def test_other_links(*, before: list[Any], wish: Any, is_v1: bool) -> None:
    """The model knows which configs need another link, as the core does."""
    book, default = Book(is_v1=is_v1), Config({"events": ["all"]} if is_v1 else {})
    asked = Config()
    for one in before:
        book.merge(one)
        asked = asked.merge(config.parse(one.data))
    then = asked.merge(config.parse(wish.data))
    plan, other = config.resolve(asked.over(default)), config.resolve(then.over(default))
    assert book.needs_another_link(wish) is (plan.setup != other.setup)
