"""Each way in which Gemini ends a link, or cannot be reached, in each phase of a session."""

import json
from collections.abc import Callable
from typing import Final, TypeAlias

import pytest

from closes import BROKEN, CALLERS, CREDENTIALS, DEADLINE, FORGOTTEN, INVALID, KEY, NO_MODEL, QUOTA
from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.errors import CLOSES, FATAL, ErrorCode
from livegate.protocol.inputs import Fault
from livegate.protocol.replies import TYPES
from livegate.protocol.states import Phase, Trigger, Turn
from livegate.protocol.verdicts import Stage, judge

Close: TypeAlias = tuple[int, str]

ENDS: Final[tuple[Close, ...]] = tuple(
    (code, reason)
    for code in (1000, 1001, 1006, 1007, 1008, 1011, 1013, 4000)
    for reason in (
        "",
        KEY,
        CREDENTIALS,
        CALLERS,
        QUOTA,
        NO_MODEL,
        FORGOTTEN,
        INVALID,
        BROKEN,
        DEADLINE,
    )
)


class Case:
    """A session in the phase that is to be tested, and what it does from then on."""

    def __init__(self) -> None:
        self.session = Session(SessionOptions(), seed=0)
        self.session.start(0.0)
        self.now = 0.0
        self.link = 0
        self.setups: list[dict[str, object]] = []
        self.told: list[dict[str, object]] = []
        self.closed: int | None = None
        self.feed(inputs.ClientOpened(1))

    def feed(self, event: inputs.Input) -> None:
        """Have something happen."""
        for command in self.session.handle(event, self.now):
            match command:
                case commands.OpenUpstream(link=link):
                    self.link = link
                case commands.SendUpstream(payload=payload):
                    message = json.loads(payload)
                    self.setups += [message["setup"]] if "setup" in message else []
                case commands.SendClient(payload=payload):
                    self.told.append(json.loads(payload))
                case commands.CloseClient(code=code):
                    self.closed = code
                case _:
                    pass

    def says(self, **frame: object) -> None:
        """Have the client send a frame."""
        self.feed(inputs.ClientFrame(1, json.dumps(frame).encode(), is_text=True))

    def hears(self, **message: object) -> None:
        """Have Gemini send a message."""
        self.feed(inputs.UpstreamFrame(self.link, json.dumps(message).encode()))

    def opens(self) -> None:
        """Have the link open."""
        self.feed(inputs.UpstreamOpened(self.link))

    def is_accepted(self) -> None:
        """Have the link open, and its setup accepted."""
        self.opens()
        self.hears(setupComplete={})

    def is_in(self, phase: Phase) -> bool:
        """Return whether the session is in this phase now."""
        return self.session.phase is phase

    def errors(self) -> list[object]:
        """Return the codes of the errors that the client was told."""
        return [frame["code"] for frame in self.told if frame["type"] == "error"]

    def forget(self) -> None:
        """Forget what the client was told so far."""
        self.told.clear()

    def comes_back(self) -> None:
        """Wait for another link and have it accepted; a question asked on it is answered."""
        if self.is_in(Phase.RETRYING):
            assert self.session.deadline is not None
            self.now = self.session.deadline
            self.feed(inputs.DeadlineReached())
        assert self.is_in(Phase.DIALING)
        self.is_accepted()
        self.forget()
        self.says(type="text", text="And now?")
        for _ in range(3):
            if self.session.turn is not Turn.IDLE:
                self.hears(serverContent={"turnComplete": True})
        assert self.is_in(Phase.LIVE)
        assert {frame["type"] for frame in self.told} == {"turn_complete"}


def dialing() -> Case:
    """Return a session whose first link is being dialled."""
    case = Case()
    case.says(type="text", text="Hello")
    return case


def setting_up() -> Case:
    """Return one whose first link has got its setup."""
    case = dialing()
    case.opens()
    return case


def live() -> Case:
    """Return one that has had an answer, and its handle."""
    case = dialing()
    case.is_accepted()
    case.hears(serverContent={"outputTranscription": {"text": "Hi."}, "turnComplete": True})
    case.hears(sessionResumptionUpdate={"newHandle": "h-1", "resumable": True})
    return case


def resuming() -> Case:
    """Return one that wants to go on with the same config."""
    case = live()
    case.feed(inputs.UpstreamGone(case.link, 1006))
    case.says(type="text", text="Are you there?")
    case.opens()
    return case


def changing() -> Case:
    """Return one that wants to go on with another config."""
    case = live()
    case.says(type="config", data={"temperature": 0.5})
    case.says(type="text", text="Are you there?")
    case.opens()
    return case


def asked() -> Case:
    """Return one that waits for an answer."""
    case = live()
    case.says(type="text", text="Are you there?")
    return case


def leaving() -> Case:
    """Return one that is to change links after the answer that runs."""
    case = asked()
    case.hears(serverContent={"outputTranscription": {"text": "Well"}})
    case.hears(goAway={"timeLeft": "50s"})
    return case


PHASES: Final[dict[str, tuple[Callable[[], Case], Phase, Stage]]] = {
    "setting up": (setting_up, Phase.SETUP, Stage.NEW),
    "resuming": (resuming, Phase.SETUP, Stage.RESUMED),
    "changing": (changing, Phase.SETUP, Stage.CHANGED),
    "live": (live, Phase.LIVE, Stage.LIVE),
    "asked": (asked, Phase.LIVE, Stage.LIVE),
    "leaving": (leaving, Phase.HANDOVER, Stage.LIVE),
}


def check(case: Case, trigger: Trigger, code: ErrorCode, *, is_owed: bool) -> None:
    """Assert that what happened has its documented outcome, and that the session goes on."""
    phase = case.session.phase
    for frame in case.told:
        assert frame["type"] in TYPES
    for error in case.errors():
        assert error in set(ErrorCode)
    assert case.closed is None or case.closed in CLOSES
    match trigger:
        case Trigger.LINK_DENIED:
            assert (phase, case.closed) == (Phase.CLOSED, FATAL[code])
            assert case.errors() == [code]
            assert case.told[-1]["fatal"] is True
        case Trigger.LINK_REFUSED:
            assert (phase, case.closed) == (Phase.REFUSED, None)
            assert set(case.errors()) == {code}
            case.forget()
            case.says(type="text", text="Hello?")
            assert case.errors() == [ErrorCode.SETUP_REFUSED]
            case.says(type="config", data={"temperature": 0.7})
            case.comes_back()
        case Trigger.HANDLE_REFUSED:
            assert (phase, case.closed, case.told) == (Phase.DIALING, None, [])
            case.comes_back()
            assert case.setups[-1]["sessionResumption"] == {}
            assert "historyConfig" in case.setups[-1]
        case Trigger.LINK_FAILED:
            assert (phase, case.closed, case.told) == (Phase.RETRYING, None, [])
            before = case.setups[-1:]
            case.comes_back()
            assert before in ([], case.setups[-1:])
        case _:
            assert trigger is Trigger.LINK_LOST
            assert (phase, case.closed) == (Phase.DIALING, None)
            assert case.errors() == ([code] if is_owed else [])
            assert case.told == [] or is_owed
            case.comes_back()
            assert case.setups[-1]["sessionResumption"] == {"handle": "h-1"}


@pytest.mark.parametrize("name", PHASES)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: f"{end[0]} {end[1][:20]}")
def test_close(name: str, end: Close) -> None:
    """What Gemini's close means, in whatever phase, is what the session does."""
    build, phase, stage = PHASES[name]
    case = build()
    assert case.is_in(phase)
    case.forget()
    verdict = judge(*end, stage)
    case.feed(inputs.UpstreamGone(case.link, *end))
    check(case, verdict.trigger, verdict.code, is_owed=name in ("asked", "leaving"))


@pytest.mark.parametrize("fault", [*Fault, None])
def test_dial(fault: Fault | None) -> None:
    """A link that cannot be dialled is dialled again, unless the key is refused."""
    case = dialing()
    case.feed(
        inputs.UpstreamGone(case.link) if fault is None else inputs.DialFailed(case.link, fault)
    )
    if fault is Fault.FORBIDDEN:
        check(case, Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED, is_owed=False)
    else:
        check(case, Trigger.LINK_FAILED, ErrorCode.UPSTREAM_UNAVAILABLE, is_owed=False)


@pytest.mark.parametrize("fault", [Fault.NETWORK, Fault.HTTP])
def test_dial_after_the_setup(fault: Fault) -> None:
    """Where the setup opens the link, no number of failures makes the handle worthless."""
    case = resuming()
    for _ in range(4):
        case.feed(inputs.DialFailed(case.link, fault))
        assert case.is_in(Phase.RETRYING)
        assert case.session.deadline is not None
        case.now = case.session.deadline
        case.feed(inputs.DeadlineReached())
        case.opens()
    assert case.setups[-1]["sessionResumption"] == {"handle": "h-1"}
    assert case.errors() == []


@pytest.mark.parametrize("build", [dialing, setting_up, resuming, changing])
@pytest.mark.parametrize("every", [1, 2, 3, 10])
def test_out_of_reach(build: Callable[[], Case], every: int) -> None:
    """Whatever Gemini does instead of accepting setups, the client has to go in half a minute."""
    case = build()
    while case.closed is None:
        if case.is_in(Phase.DIALING):
            case.opens()
        if case.link % every == 0:
            case.feed(inputs.UpstreamGone(case.link, 1013))
        if (deadline := case.session.deadline) is not None:
            case.now = deadline
            case.feed(inputs.DeadlineReached())
    assert 20.0 < case.now <= 30.0
    assert case.closed == 4101
    assert case.errors() == [ErrorCode.UPSTREAM_UNAVAILABLE]
    assert [frame["type"] for frame in case.told[-2:]] == ["system", "error"]
