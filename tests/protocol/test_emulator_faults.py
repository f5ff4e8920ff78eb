"""What the emulator lets go wrong, when told to, in virtual time."""

import math
from typing import Final

import pytest

from emulator_player import (
    DEFAULT,
    EXPIRED,
    MANUAL,
    PREVIEW,
    QUIET,
    VOICE,
    WEATHER,
    Player,
    at_once,
)
from livegate.protocol.emulator import QUOTA, Abort, Close, Fate, Options, Service, answers

LINGERS: Final = Close(1011, "Internal error encountered.")
FORGOTTEN: Final = Close(1008, "BidiGenerateContent session not found")
INVALID: Final = Close(1007, "Request contains an invalid argument.")
NOT_FOUND: Final = Close(1008, "Requested entity was not found")
OVER_QUOTA: Final = Close(1011, QUOTA.reason[:123])
AT_EASE: Final = {"functionDeclarations": [{"name": "get_weather", "behavior": "NON_BLOCKING"}]}


def resumable(service: Service) -> Player:
    """Return a client with a handle."""
    player = Player(service, sessionResumption={})
    player.ask("My name is Ana")
    player.wait()
    return player


def resumed(player: Player, *, now: float | None = None) -> Player:
    """Return a client that goes on from the newest handle of another."""
    at = player.now if now is None else now
    resumption = {"handle": player.handle()}
    return Player(player.service, now=at, sessionResumption=resumption)


# Resumes


def test_lingering() -> None:
    """A resume is refused once while the old link is open, and taken although it still is."""
    first = resumable(Service(Options(pace=0.0, lingering=1)))
    assert resumed(first).end == LINGERS
    assert resumed(first).end is None
    assert first.end is None


def test_lingering_until_tcp_ends() -> None:
    """A link that has been closed counts as open until its TCP connection has ended."""
    service = at_once()
    service.faults.linger(2)
    first = resumable(service)
    first.ask("/close 1000")
    assert first.end == Close(1000, "")
    assert resumed(first).end == LINGERS
    first.hang_up()
    second = resumed(first)
    assert second.end is None
    second.ask("Hello")
    assert resumed(second).end == LINGERS
    assert resumed(second).end is None


def test_lingering_by_name() -> None:
    """/linger refuses so many resumes; links of other sessions are in nobody's way."""
    service = at_once()
    other = resumable(service)
    other.hang_up()
    first = resumable(service)
    first.ask("/linger 2")
    assert resumed(other).end is None
    assert [resumed(first).end for _ in range(3)] == [LINGERS, LINGERS, None]


def test_lingering_of_a_link_that_was_never_set_up() -> None:
    """A link that was dropped before its setupComplete does not count as open."""
    service = at_once()
    first = resumable(service)
    first.hang_up()
    service.faults.doom(1, Fate())
    assert resumed(first).end == Abort()
    service.faults.linger(1)
    assert resumed(first).end is None


def test_forgotten_by_name() -> None:
    """/forget refuses every handle of the conversation, for good, but not those of others."""
    service = at_once()
    first, other = resumable(service), resumable(service)
    before = first.handle()
    first.ask("/forget")
    assert Player(service, sessionResumption={"handle": before}).end == FORGOTTEN
    assert first.handle() != before
    assert resumed(first).end == FORGOTTEN
    assert resumed(other).end is None


def test_forgotten_by_a_test() -> None:
    """A test can have all conversations forgotten that there are, but none that comes later."""
    service = at_once()
    first = resumable(service)
    first.hang_up()
    service.forget()
    first.ask("again")
    assert resumed(first).end == FORGOTTEN
    assert resumed(resumable(service)).end is None


def test_forgotten_without_a_record() -> None:
    """A conversation is forgotten of which nothing but a handle is left."""
    service = Service(Options(pace=0.0, max_record_bytes=300))
    first = resumable(service)
    first.hang_up()
    Player(service).hang_up()
    assert first.link.record not in service.received
    service.forget()
    assert resumed(first).end == FORGOTTEN


# goAway


def test_go_away_and_silence() -> None:
    """/goaway-silent says nothing after the goAway, whatever is said; pings are answered."""
    player = Player(sessionResumption={}, inputAudioTranscription={}, outputAudioTranscription={})
    player.ask("/goaway-silent")
    assert player.messages[-1] == {"goAway": {"timeLeft": "50s"}}
    player.got.clear()
    player.ask("Hello?")
    player.realtime(text="Hello?")
    player.speak(VOICE + QUIET)
    player.ping()
    player.wait(49.9)
    assert player.got == []
    assert len(player.pongs) == 1
    player.wait(0.1)
    assert player.end == EXPIRED


def test_go_away_and_silence_while_another_waits() -> None:
    """An answer that waits for its turn is never given either."""
    player = Player(realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"})
    player.ask("Hello")
    player.realtime(text="/goaway-silent")
    player.realtime(text="last")
    player.wait(40.0)
    assert player.shape().endswith("turnComplete goAway")


def test_go_away_in_mid_answer() -> None:
    """/goaway-midway announces the end within an answer, which goes on."""
    player = Player(outputAudioTranscription={})
    player.ask("/goaway-midway")
    player.wait(40.0)
    names = [next(iter(message)) for message in player.messages]
    at = names.index("goAway")
    assert 100 < at < len(names) - 100
    assert len(player.sound()) == 20 * 48_000
    assert player.shape().endswith("goAway modelTurn generationComplete turnComplete")
    player.wait(20.0)
    assert player.end == EXPIRED


def test_cut_in_mid_answer() -> None:
    """/goaway-midway with little time cuts the answer off."""
    player = Player()
    player.ask("/goaway-midway 1.5")
    player.wait()
    assert {"goAway": {"timeLeft": "1.5s"}} in player.messages
    assert player.end == EXPIRED
    assert player.shape() == "setupComplete modelTurn goAway modelTurn"
    assert player.service.links_open == 0


def test_go_away_soon() -> None:
    """/goaway takes the time that is left, which the scale of ages shortens."""
    player = Player(Service(Options(age_scale=0.1)))
    player.ask("/goaway 20")
    assert {"goAway": {"timeLeft": "2s"}} in player.messages
    player.wait(1.9)
    assert player.end is None
    player.wait(0.1)
    assert player.end == EXPIRED


# Links to come


def test_dropped_before_setup_complete() -> None:
    """/drop-setup cuts the next links in place of their setupComplete, and no others."""
    first = resumable(at_once())
    first.ask("/drop-setup 2")
    assert first.end is None
    for _ in range(2):
        player = resumed(first)
        assert player.end == Abort()
        assert not player.got
    assert resumed(first).end is None


def test_dropped_after_the_delay_of_setup() -> None:
    """A link is cut when its setupComplete would have come."""
    player = Player(Service(Options(setup_delay_s=2.0, fates=(Fate(),))))
    player.wait(1.9)
    assert player.end is None
    player.wait(0.1)
    assert not player.got
    assert player.end == Abort()


def test_bad_setup_takes_no_fate() -> None:
    """A link that is refused anyway leaves its fate to the next."""
    service = Service(Options(fates=(Fate(),)))
    assert Player(service, "gemini-0").end != Abort()
    assert Player(service).end == Abort()
    assert Player(service).end is None


def test_dropped_some_time_after_setup() -> None:
    """/drop-next cuts the next links so long after their setupComplete."""
    first = resumable(at_once())
    first.ask("/drop-next 2 3.5")
    for _ in range(2):
        player = resumed(first)
        player.wait(3.4)
        assert player.end is None
        player.wait(0.1)
        assert player.end == Abort()
    player = resumed(first)
    player.wait(500.0)
    assert player.end is None


def test_fates_in_order() -> None:
    """A test can say how each of the next links ends, with any code and reason."""
    service = at_once()
    service.faults.doom(1, Fate(after_s=0.0, code=1008, reason="The operation was aborted."))
    service.faults.doom(1, Fate(code=1000))
    first, second = Player(service), Player(service)
    assert first.end == Close(1008, "The operation was aborted.")
    assert first.shape() == "setupComplete"
    assert second.end == Close(1000, "")
    assert not second.got
    assert Player(service).end is None


def test_quota_of_links_to_come() -> None:
    """/quota-next closes the next links with 1011, as the Live API shows a 429."""
    first = resumable(at_once())
    first.ask("/quota-next")
    assert resumed(first).end == OVER_QUOTA
    assert resumed(first).end is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", [1.0, 50.0]),
        ("3", [3.0, 50.0]),
        ("3 0.25", [3.0, 0.25]),
        ("x 0.25 9", [1.0, 0.25]),
        ("-3 1e9", [1.0, 50.0]),
        ("9999999 .5", [1.0, 50.0]),
    ],
)
def test_numbers(said: str, expected: list[float]) -> None:
    """What follows a scenario's name is numbers, or else it means nothing."""
    assert answers.numbers(said, 1.0, 50.0) == expected


def test_few_links_are_doomed() -> None:
    """One word dooms no more than a hundred links."""
    player = Player(at_once(), outputAudioTranscription={})
    player.ask("/drop-setup 999999")
    assert player.text() == "Of the links to come, 100 will not be set up."
    assert [Player(player.service).end for _ in range(101)] == [Abort()] * 100 + [None]


# Sessions


def test_session_life() -> None:
    """A session is cut after its life, over all its links, without a goAway, and for good."""
    service = Service(Options(pace=0.0, session_life_s=3480.0))
    player = resumable(service)  # which took a minute
    links = 1
    while player.end is None:
        if {"goAway": {"timeLeft": "50s"}} in player.messages:
            player.ask("Hello")
            player.hang_up()
            player = resumed(player)
            player.ask("Hello")
            links += 1
        player.wait(1.0)
    assert player.now == 100.0 + 3480.0
    assert links == 7
    assert player.end == EXPIRED
    assert "goAway" not in player.shape()
    again = Player(service, now=player.now, sessionResumption={"handle": "x"})
    assert again.end == FORGOTTEN


def test_session_life_forbids_resumes() -> None:
    """No handle of a session is good after its life; a new session has a life of its own."""
    first = resumable(Service(Options(pace=0.0, session_life_s=3480.0, link_life_s=math.inf)))
    first.hang_up()
    assert resumed(first, now=3579.9).end is None
    assert resumed(first, now=3580.0).end == INVALID
    other = Player(first.service, now=3580.0)
    other.wait(3479.9)
    assert other.end is None
    other.wait(0.1)
    assert other.end == EXPIRED


def test_session_life_is_scaled() -> None:
    """The scale of ages is that of sessions and of handles too."""
    options = Options(pace=0.0, age_scale=0.001, session_life_s=3480.0)
    player = Player(Service(options), sessionResumption={})
    player.wait(0.5)
    assert player.end is None
    options = Options(pace=0.0, age_scale=0.01)
    first = Player(Service(options), sessionResumption={})
    first.ask("Hello")
    assert resumed(first, now=171.9).end is None
    assert resumed(first, now=172.0).end == FORGOTTEN


def test_expire() -> None:
    """/expire ends a conversation so much later, and on all its links."""
    first = resumable(at_once())
    first.ask("/expire 5")
    second = resumed(first)
    second.ask("/expire 60")
    for player in (first, second):
        player.wait(4.9)
        assert player.end is None
        player.wait(0.1)
        assert player.end == EXPIRED
    assert resumed(first).end == INVALID


# Pings


def test_pong() -> None:
    """A ping is answered at once, with its payload."""
    player = Player()
    player.ping(b"one")
    player.ping(b"two")
    assert player.pongs == [(100.0, b"one"), (100.0, b"two")]


def test_late_pongs() -> None:
    """Pongs can be late, each as late as it was when its ping came."""
    player = Player(Service(Options(pong_delay_s=30.0)))
    player.ping(b"one")
    assert player.link.deadline == 130.0
    player.wait(10.0)
    player.ping(b"two")
    player.service.faults.delay_pongs(0.0)
    player.wait(40.0)
    player.ping(b"three")
    assert player.pongs == [(130.0, b"one"), (140.0, b"two"), (150.0, b"three")]


def test_no_pongs() -> None:
    """Pings can be left without an answer; the link goes on all the same."""
    player = Player(Service(Options(pace=0.0, pong_delay_s=math.inf)))
    player.ping()
    player.ask("Hello")
    player.wait(500.0)
    assert player.pongs == []
    assert player.end is None


def test_pongs_by_name() -> None:
    """/pongs changes how late pings are answered: never, without a number."""
    player = Player(at_once(), outputAudioTranscription={})
    player.ask("/pongs")
    assert player.text() == "Pings are answered after inf s."
    player.ping(b"never")
    player.ask("/pongs 30")
    player.ping(b"late")
    player.wait(30.0)
    player.ask("/pongs 0")
    player.ping(b"now")
    assert player.pongs == [(130.0, b"late"), (130.0, b"now")]


def test_pings_before_setup_and_after_the_end() -> None:
    """A ping is answered before the setup, and not after the end."""
    player = Player(Service(Options(setup_delay_s=60.0)))
    player.ping(b"early")
    player.hang_up()
    player.ping(b"late")
    assert player.pongs == [(100.0, b"early")]


def test_pings_that_wait_are_few() -> None:
    """Of pings that wait for an answer, the newest thousand are remembered."""
    player = Player(Service(Options(pong_delay_s=30.0)))
    for number in range(1100):
        player.ping(str(number).encode())
    player.wait(30.0)
    assert [payload for _, payload in player.pongs] == [
        str(number).encode() for number in range(100, 1100)
    ]


# Deafness


def test_unheard_texts() -> None:
    """Every so many-th text of realtimeInput is neither heard nor answered, of all links."""
    service = Service(Options(pace=0.0, unheard_every=3))
    one = Player(service, PREVIEW, outputAudioTranscription={})
    other = Player(service, PREVIEW, outputAudioTranscription={})
    for player, text in ((one, "a"), (other, "b"), (one, "c"), (one, "d"), (one, "e")):
        player.realtime(text=text)
    other.realtime(text="f")
    assert one.text() == "You said: aYou said: dYou said: e"
    assert other.text() == "You said: b"
    assert service.memory(1).texts == ("a", "d", "e")
    assert [one["realtimeInput"] for one in service.received[0].messages] == [
        {"text": text} for text in "acde"
    ]


def test_unheard_text_interrupts_nothing() -> None:
    """What is not heard does not stop an answer; turns of clientContent are always heard."""
    player = Player(Service(Options(unheard_every=1)))
    player.ask("/long")
    player.wait(1.0)
    player.realtime(text="Stop")
    player.wait(1.0)
    assert player.shape() == "setupComplete modelTurn"
    player.ask("Stop")
    assert player.shape() == "interrupted turnComplete"


def test_unheard_by_name() -> None:
    """/unheard misses every second text, or every Nth, or none."""
    player = Player(at_once(), outputAudioTranscription={}, realtimeInputConfig=MANUAL)
    player.ask("/unheard")
    for text in "abcd":
        player.realtime(text=text)
    player.ask("/unheard 0")
    player.realtime(text="e")
    player.realtime(text="f")
    assert [text for text in player.service.memory().texts if len(text) == 1] == [*"acef"]


# Tools


@pytest.mark.parametrize("tool", [WEATHER, AT_EASE])
def test_lost_result(tool: object) -> None:
    """/tool-lost calls a function, and closes the link when its result comes."""
    player = Player(at_once(), DEFAULT, tools=[tool])
    player.ask("/tool-lost Porto")
    (call,) = [one["toolCall"]["functionCalls"][0] for one in player.messages if "toolCall" in one]
    assert call["args"] == {"city": "Porto"}
    assert player.end is None
    player.answer(call["id"])
    assert player.end == NOT_FOUND
