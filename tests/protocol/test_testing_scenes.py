"""What is shipped for others' tests, in scenes that random ones seldom come to."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from livegate.protocol import transcript
from livegate.protocol.inputs import Fault
from livegate.protocol.testing.machine import GatewayMachine
from livegate.protocol.testing.strategies import FIRST
from livegate.protocol.transcript import ClientGets, GeminiGets, Observation
from tampering import Tamper, is_frame, is_message, noticed, twice, without

Scene = Callable[[GatewayMachine], None]
_, SOUND, ALL, BY_HAND, FILES, BYTES = FIRST


def has_code(seen: Observation, code: str) -> bool:
    """Whether the client gets an error of this code."""
    frame: Any = seen.expected if isinstance(seen, ClientGets) else {}
    return is_frame(seen, "error") and bool(frame["code"] == code)


def with_handles(**resumption: str) -> Tamper:
    """Return what resumes another conversation on each link."""

    def change(message: Any) -> Any:
        setup = message.get("setup")
        return {"setup": {**setup, "sessionResumption": resumption}} if setup else message

    return lambda seen: [
        GeminiGets(change(one.expected)) if isinstance(one, GeminiGets) else one for one in seen
    ]


def is_binary(seen: Observation) -> bool:
    """Whether the client gets sound in bytes."""
    return isinstance(seen, ClientGets) and isinstance(seen.expected, bytes)


def cut_short(seen: list[Observation]) -> list[Observation]:
    """Lose the last byte of each binary frame."""
    return [
        ClientGets(one.expected[:-1])
        if isinstance(one, ClientGets) and isinstance(one.expected, bytes)
        else one
        for one in seen
    ]


def changed_links(seen: list[Observation]) -> list[Observation]:
    """Keep the first link."""
    return [] if any(isinstance(one, transcript.GeminiClosed) for one in seen) else seen


def asks(machine: GatewayMachine) -> None:
    """A client asks for all kinds of frames, and something."""
    machine.client_opens(is_patient=False, first=ALL)
    machine.text(form=0)
    machine.gemini_serves()


def hears_bytes(machine: GatewayMachine) -> None:
    """An answer comes in binary frames."""
    machine.client_opens(is_patient=False, first=BYTES)
    machine.text(form=0)
    machine.gemini_serves()
    machine.gemini_answers(calls=(), has_handle=True)


def begins_anew(machine: GatewayMachine) -> None:
    """A link is lost, and no handle has come."""
    asks(machine)
    machine.gemini_answers(calls=(), has_handle=False)
    machine.gemini_dies()
    machine.gemini_serves()


def goes_on(machine: GatewayMachine) -> None:
    """A link is lost behind a handle, and the next one just after a question."""
    asks(machine)
    machine.gemini_answers(calls=(), has_handle=True)
    machine.gemini_dies()
    machine.gemini_serves()
    machine.text(form=0)
    machine.gemini_speaks(pieces=1, is_last=False)
    machine.gemini_dies()
    machine.gemini_serves()


def hands_over(machine: GatewayMachine) -> None:
    """Gemini announces the end of a link between two answers."""
    asks(machine)
    machine.gemini_answers(calls=(), has_handle=True)
    machine.gemini_goes_away(left_s=50.0, handle="")
    machine.gemini_serves()


def hands_over_late(machine: GatewayMachine) -> None:
    """Gemini announces the end of a link, and goes on speaking."""
    asks(machine)
    machine.gemini_speaks(pieces=1, is_last=False)
    machine.gemini_goes_away(left_s=10.0, handle="")
    machine.time_passes(61.0)
    machine.gemini_serves()


def grows_old(machine: GatewayMachine) -> None:
    """A link lasts for as long as it may."""
    asks(machine)
    machine.gemini_answers(calls=(), has_handle=True)
    machine.nothing_happens(485.0)
    machine.gemini_serves()


def is_forgotten(machine: GatewayMachine) -> None:
    """Gemini does not know the handle."""
    asks(machine)
    machine.gemini_answers(calls=(), has_handle=True)
    machine.gemini_dies()
    machine.gemini_opens()
    machine.gemini_forgets()
    machine.gemini_serves()


def asks_in_vain(machine: GatewayMachine) -> None:
    """Gemini does not answer."""
    asks(machine)
    machine.gemini_is_silent(31.0)


def calls_in_vain(machine: GatewayMachine) -> None:
    """A client does not answer a call."""
    asks(machine)
    machine.gemini_answers(calls=("call",), has_handle=True)
    machine.client_is_silent(121.0)


def calls_for_parts(machine: GatewayMachine) -> None:
    """A client answers a call bit by bit."""
    asks(machine)
    machine.gemini_answers(calls=("call",), has_handle=True)
    machine.client_is_silent(100.0)
    machine.result(call="first", goes_on=True)
    machine.client_is_silent(100.0)
    machine.result(call="first", goes_on=False)


def waits_in_vain(machine: GatewayMachine) -> None:
    """Gemini cannot be reached."""
    machine.client_opens(is_patient=False, first=ALL)
    machine.gemini_is_away(fault=Fault.REFUSED, tries=12)


def waits(machine: GatewayMachine) -> None:
    """Gemini cannot be reached for some seconds."""
    machine.client_opens(is_patient=False, first=ALL)
    machine.gemini_is_away(fault=Fault.REFUSED, tries=6)
    machine.gemini_serves()


def asks_by_hand(machine: GatewayMachine) -> None:
    """A link is to be replaced while a client asks by hand."""
    machine.client_opens(is_patient=False, first=BY_HAND)
    machine.gemini_serves()
    machine.gemini_answers(calls=(), has_handle=True)
    machine.activity(is_start=True)
    machine.gemini_goes_away(left_s=50.0, handle="handle")
    machine.activity(is_start=False)
    machine.gemini_answers(calls=(), has_handle=True)
    machine.gemini_serves()


SCENES: Final = (
    *(hears_bytes, begins_anew, goes_on, hands_over, hands_over_late, grows_old, is_forgotten),
    *(asks_in_vain, calls_in_vain, calls_for_parts, waits_in_vain, waits, asks_by_hand),
)
HISTORY: Final = "'role': 'model'"
WRONGS: Final[Mapping[str, tuple[Scene, Tamper, str]]] = {
    "bytes are lost": (hears_bytes, without(is_binary), "had to come"),
    "bytes are cut short": (hears_bytes, cut_short, "had to come"),
    "history is lost": (begins_anew, without(lambda one: is_message(one, HISTORY)), "not told"),
    "history is told twice": (
        *(begins_anew, twice(lambda one: is_message(one, HISTORY))),
        "nobody sent",
    ),
    "a start from nothing is not told": (
        *(begins_anew, without(lambda one: is_frame(one, "context_lost"))),
        "nobody was told",
    ),
    "handles are forgotten": (goes_on, with_handles(), "the handle had to be"),
    "lost answers are not told": (
        *(goes_on, without(lambda one: has_code(one, "upstream_lost"))),
        "upstream_lost was not reported",
    ),
    "lost questions are not told": (
        *(goes_on, without(lambda one: is_frame(one, "context_lost"))),
        "nobody was told",
    ),
    "lost turns are not ended": (
        *(goes_on, without(lambda one: is_frame(one, "turn_complete"))),
        "had to come",
    ),
    "a new link is not greeted": (
        *(goes_on, without(lambda one: is_frame(one, "system"))),
        "the client was not told",
    ),
    "announcements are ignored": (hands_over, changed_links, "another link had to take over"),
    "late announcements are ignored": (hands_over_late, changed_links, "replaced by now"),
    "age is ignored": (grows_old, changed_links, "another link had to take over"),
    "handles are made up": (is_forgotten, with_handles(handle="h"), "the handle had to be None"),
    "late answers are not told": (
        *(asks_in_vain, without(lambda one: has_code(one, "no_answer"))),
        "had to come",
    ),
    "answers are waited for without an end": (
        *(asks_in_vain, without(lambda one: is_frame(one, "error", "turn_complete"))),
        "Gemini does not answer",
    ),
    "late calls are not told": (
        *(calls_in_vain, without(lambda one: has_code(one, "call_unanswered"))),
        "call_unanswered was not reported",
    ),
    "late calls are not answered": (
        *(calls_in_vain, without(lambda one: is_message(one, "toolResponse"))),
        "call_unanswered for nothing",
    ),
    "a Gemini out of reach is not told": (
        *(waits_in_vain, without(lambda one: has_code(one, "upstream_unavailable"))),
        "closed with 4101",
    ),
    "nobody is sent away": (
        waits_in_vain,
        lambda seen: [] if any(has_code(one, "upstream_unavailable") for one in seen) else seen,
        "Gemini is tried for ever",
    ),
    "trouble is not told": (
        *(waits, without(lambda one: is_frame(one, "system"))),
        "the client is not told why nothing comes",
    ),
    "trouble is told twice": (
        *(waits, twice(lambda one: is_frame(one, "system"))),
        "a notice for nothing",
    ),
}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_scene(scene: Scene) -> None:
    """Nothing is wrong with the core in any scene."""
    machine = GatewayMachine()
    scene(machine)
    machine.teardown()


@pytest.mark.parametrize("name", WRONGS)
def test_wrong(name: str) -> None:
    """The machine notices what is wrong, and tells the conversation."""
    assert "client opens" in noticed(*WRONGS[name]).failure
