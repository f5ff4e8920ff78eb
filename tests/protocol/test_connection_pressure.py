"""Back-pressure: what waits in user space is bounded, and nothing that waits is lost."""

import json
import math
from collections.abc import Iterator

import pytest
from websockets.frames import Opcode

from byte_line import INTERRUPTED, READY, Line, frame, gemini, goodbye, head, sound, spoken, text
from livegate.protocol import SessionOptions, commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.inputs import ClientGone, Side, UpstreamFrame, UpstreamGone
from livegate.protocol.limits import KIB, MIB, WireLimits

PIECE = 64 * KIB
CUT = events.Abort(Side.CLIENT, 1)


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut what a socket would hold into what is read at once."""
    for at in range(0, len(data), PIECE):
        yield data[at : at + PIECE]


def numbered(count: int, size: int) -> bytes:
    """Return so many messages of Gemini, each told apart, of about this size."""
    padding = "x" * (size - 80)
    return b"".join(gemini(spoken(f"{number} {padding}")) for number in range(count))


def heard_numbers(line: Line) -> list[int]:
    """Return the numbers that came through to the client."""
    return [int(words.split()[0]) for words in heard_words(line)]


def heard_words(line: Line) -> list[str]:
    """Return what Gemini said, as the client heard it."""
    return [str(one["text"]) for one in line.told if one["type"] == "response"]


@pytest.mark.parametrize("size", [100, 5 * KIB, 60 * KIB])
def test_slow_client(size: int) -> None:
    """However much Gemini says, less than 512 KiB wait for a client that takes nothing.

    Gemini is read again once it takes, and it hears all, in order.
    """
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    count = 4 * MIB // size
    unread = list(pieces(numbered(count, size)))
    unread.reverse()
    while unread and line.connection.may_read(Side.UPSTREAM, 1):
        line.gemini(unread.pop())
        assert line.waits < 512 * KIB
    assert len(unread) > 40
    assert line.connection.may_read(Side.UPSTREAM, 1) is False
    assert line.connection.may_read(Side.CLIENT, 1) is False
    while unread or line.untaken[Side.CLIENT, 1]:
        line.take(10_000)
        while unread and line.connection.may_read(Side.UPSTREAM, 1):
            line.gemini(unread.pop())
        assert line.waits < 512 * KIB
    assert heard_numbers(line) == list(range(count))


def test_sound() -> None:
    """Sound waits as long as text does."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    given = 0
    while line.connection.may_read(Side.UPSTREAM, 1):
        line.gemini(gemini(sound(10_000)))
        given += 1
    assert 25 < given < 45
    assert len(line.heard_of(UpstreamFrame)) == 1 + given
    assert line.waits < 512 * KIB
    while line.untaken[Side.CLIENT, 1]:
        line.take(4 * KIB)
    assert [one["type"] for one in line.told].count("audio") == given


def test_interrupted() -> None:
    """An interruption takes back the sound that waits, and nothing else."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    for number in range(20):
        line.gemini(gemini(spoken(f"{number} ")) + gemini(sound(10_000)))
    before = line.waits
    line.gemini(gemini(INTERRUPTED))
    assert line.waits < before - 100 * KIB
    assert line.waits < 64 * KIB + 20_000
    line.gemini(gemini(sound(400)))
    while line.untaken[Side.CLIENT, 1]:
        line.take()
    kinds = [one["type"] for one in line.told]
    assert kinds.count("interrupted") == 1
    assert 4 < kinds.count("audio") < 10
    dropped = events.Count(events.Matter.FRAMES_DROPPED, 20 - kinds.count("audio"))
    assert dropped in line.actions
    assert heard_words(line) == [f"{number} " for number in range(20)]


def test_interrupted_often() -> None:
    """Sound that was taken back is not counted against the client."""
    line = Line(until="live")
    for _ in range(5):
        line.takes[Side.CLIENT] = False
        for _ in range(20):
            line.gemini(gemini(sound(10_000)))
        assert line.waits > 190 * KIB
        line.gemini(gemini(INTERRUPTED) + gemini(b'{"serverContent":{"turnComplete":true}}'))
        assert line.connection.may_read(Side.UPSTREAM, 1)
        line.takes[Side.CLIENT] = True
        line.take()


def test_window() -> None:
    """At most 64 KiB and a message are given out beyond what the operating system has taken."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    for _ in range(20):
        line.gemini(gemini(sound(10_000)))
    assert 64 * KIB < line.untaken[Side.CLIENT, 1] < 76 * KIB
    line.take(12 * KIB)
    assert 64 * KIB < line.untaken[Side.CLIENT, 1] < 76 * KIB


def test_stall() -> None:
    """A client that takes nothing for 60 s is cut; the log says why."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    line.gemini(gemini(spoken("hello")))
    line.advance(30)
    line.gemini(gemini(spoken("hello?")))
    line.advance(29.75)
    assert not line.is_cut
    line.advance(0.25)
    assert line.actions.count(CUT) == 1
    assert line.actions.count(events.Count(events.Matter.CLIENT_DEAF)) == 1
    assert line.closed_with == 4001
    assert line.heard_of(ClientGone) == [ClientGone(1, 4001, "does not read")]
    line.advance(1)
    assert line.is_done()


def test_progress_in_the_kernel() -> None:
    """A client is not cut while its host takes something, though our kernel takes nothing more."""
    line = Line(limits=WireLimits(ping_s=1e6), until="live")
    line.takes[Side.CLIENT] = False
    line.gemini(gemini(spoken("hello")))
    asked = [
        (second, action.is_first)
        for second in range(1, 46)
        for action in line.advance(1)
        if isinstance(action, events.AskProgress)
    ]
    assert asked == [(15, True), (30, False), (45, False)]
    line.do(events.BytesSent(Side.CLIENT, 1, 0))
    line.advance(59.75)
    assert not line.is_cut
    line.advance(0.25)
    assert line.closed_with == 4001


def test_what_was_told_of_another_stall() -> None:
    """Once a client has taken something, what was asked before counts no more."""
    line = Line(limits=WireLimits(ping_s=1e6), until="live")
    line.takes[Side.CLIENT] = False
    line.gemini(gemini(spoken("hello")))
    line.advance(40)
    line.take(1)
    assert [action for action in line.advance(15) if isinstance(action, events.AskProgress)] == [
        events.AskProgress(Side.CLIENT, 1, is_first=True)
    ]


def test_stall_begins_with_waiting() -> None:
    """A client has its 60 s from when something begins to wait for it."""
    line = Line(limits=WireLimits(ping_s=1e6), until="live")
    line.advance(400)
    line.takes[Side.CLIENT] = False
    line.gemini(gemini(spoken("hello")))
    line.advance(59.75)
    assert not line.is_cut
    line.advance(0.25)
    assert line.closed_with == 4001


def test_slow_and_steady() -> None:
    """A client that takes 1 KiB a second is never cut."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    for _ in range(30):
        line.gemini(gemini(sound(10_000)))
    for _ in range(280):
        line.advance(1)
        line.take(KIB)
    assert line.connection.has_conversation


def test_slow_gemini() -> None:
    """A client is not read while much waits for Gemini; when that is taken, nothing is lost."""
    line = Line(until="live")
    line.takes[Side.UPSTREAM] = False
    count = 0
    while line.connection.may_read(Side.CLIENT, 1):
        words = json.dumps({"type": "text", "text": f"{count} " + "x" * 5000}).encode()
        line.client(text(words))
        count += 1
        assert count < 100
    assert line.untaken[Side.UPSTREAM, 1] < 80 * KIB
    assert len(line.heard_of(inputs.ClientFrame)) == 1 + count
    assert line.connection.may_read(Side.UPSTREAM, 1)
    line.client(text(b'{"type":"ping"}'))
    while line.untaken[Side.UPSTREAM, 1]:
        line.take(10_000, side=Side.UPSTREAM)
    assert line.connection.may_read(Side.CLIENT, 1)
    sent = [json.loads(bytes(one.data)) for one in line.sent_to_gemini()][1:]
    assert len(sent) == count
    asked = [one["clientContent"]["turns"][0]["parts"][0]["text"] for one in sent]
    assert [int(words.split()[0]) for words in asked] == list(range(count))
    assert line.told[-1]["type"] == "pong"


def test_never_sent() -> None:
    """What waited for a Gemini that closes is told to have left: it will never be heard."""
    line = Line(until="live")
    line.takes[Side.UPSTREAM] = False
    for _ in range(30):
        line.client(text(json.dumps({"type": "text", "text": "x" * 5000}).encode()))
    before = len(line.heard_of(inputs.Sent))
    line.gemini(goodbye(is_masked=False))
    left = line.heard_of(inputs.Sent)[before]
    assert isinstance(left, inputs.Sent)
    assert left.side is Side.UPSTREAM
    assert left.size > 10 * 5000


def test_gemini_takes_nothing() -> None:
    """A link to a Gemini that takes nothing for 60 s is lost."""
    line = Line(until="live")
    line.takes[Side.UPSTREAM] = False
    line.client(text(b'{"type":"text","text":"hi"}'))
    line.advance(59.75)
    assert line.heard_of(UpstreamGone) == []
    line.advance(0.25)
    assert line.heard_of(UpstreamGone) == [UpstreamGone(1, 4001, "does not read")]
    assert events.Abort(Side.UPSTREAM, 1) in line.actions


def test_client_is_not_read_while_dialling() -> None:
    """What a client sends before Gemini is there waits in it, once 256 KiB are held."""
    line = Line(until="open")
    while line.connection.may_read(Side.CLIENT, 1):
        line.client(text(json.dumps({"type": "text", "text": "x" * 50_000}).encode()))
    line.advance(0.3)
    line.open_link()
    line.gemini(gemini(READY))
    assert line.connection.may_read(Side.CLIENT, 1)
    assert len(line.sent_to_gemini()) == 1 + len(line.heard_of(inputs.ClientFrame))


def test_gone_client_is_not_heard_out() -> None:
    """What a client had to say when nobody could read it is lost when it goes: it is not missed."""
    line = Line(until="open")
    line.client(frame(2, bytes(300 * KIB)) + text(b'{"type":"ping"}') + goodbye())
    assert len(line.heard_of(inputs.ClientFrame)) == 1
    assert line.heard_of(ClientGone) == [ClientGone(1, 1000, "")]
    assert line.is_cut


def test_last_words() -> None:
    """What a conversation says to a client that has gone is thrown away."""
    line = Line(until="open")
    line.door.conversations[0].adds[ClientGone] = [
        commands.SendClient(1, b"{}"),
        commands.DropSound(1, 1),
        commands.CloseClient(1, 1000),
    ]
    done = line.client(frame(2, bytes(300 * KIB)) + text(b'{"type":"ping"}') + goodbye())
    assert [type(one) for one in done[-3:]] == [events.Abort, commands.Log, commands.Log]
    assert line.told == []
    line.advance(1)
    assert line.is_done()


def test_unread_message_waits() -> None:
    """What comes in one piece with too much waits its turn."""
    line = Line(until="open")
    line.client(frame(2, bytes(300 * KIB)) + text(b'{"type":"ping"}'))
    assert len(line.heard_of(inputs.ClientFrame)) == 1
    assert not line.connection.may_read(Side.CLIENT, 1)
    line.do(inputs.DeadlineReached())
    line.advance(5)
    assert len(line.heard_of(inputs.ClientFrame)) == 1
    line.open_link(1, gemini(READY))
    assert len(line.heard_of(inputs.ClientFrame)) == 2
    assert line.told[-1]["type"] == "pong"


def test_gone_gemini_is_heard_out() -> None:
    """What Gemini said before it went reaches a slow client, and its end is told after it."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    line.gemini(numbered(5, 60 * KIB))
    line.gemini(numbered(5, 60 * KIB) + goodbye(1001, is_masked=False))
    line.end(Side.UPSTREAM)
    assert line.heard_of(UpstreamGone) == []
    line.gemini(gemini(spoken("too late")))
    line.advance(30)
    while line.untaken[Side.CLIENT, 1]:
        line.take()
    assert len(line.heard_of(UpstreamFrame)) == 11
    assert isinstance(line.heard_of(UpstreamGone)[0], UpstreamGone)
    assert heard_numbers(line)[:10] == [*range(5), *range(5)]


def test_close_waits_for_the_queue() -> None:
    """A client is told all that waited for it before it is told to go."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    line.gemini(numbered(4, 50 * KIB))
    line.do(inputs.ShutdownRequested())
    while line.untaken[Side.CLIENT, 1]:
        line.take()
    assert [one["type"] for one in line.told][-5:] == ["response"] * 4 + ["system"]
    assert line.frames[-1].opcode is Opcode.CLOSE
    assert line.connection.may_read(Side.CLIENT, 1)
    assert line.client(goodbye(1012))[-1] == CUT


def test_client_is_read_while_it_is_told_to_go() -> None:
    """A client that too much waits for when it is told to go is heard when it answers."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    while line.connection.may_read(Side.UPSTREAM, 1):
        line.gemini(gemini(sound(10_000)))
    assert not line.connection.may_read(Side.CLIENT, 1)
    line.do(inputs.ShutdownRequested())
    assert line.connection.may_read(Side.CLIENT, 1)


def test_client_interrupts() -> None:
    """A client that sound waits for is read: it may want to hear no more of it."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    for _ in range(20):
        line.gemini(gemini(sound(10_000)))
    assert line.connection.may_read(Side.CLIENT, 1)
    line.client(text(b'{"type":"interrupt"}'))
    assert line.waits < 80 * KIB
    line.take()
    assert line.told[-1]["type"] == "interrupted"


def test_pings_of_both_kinds() -> None:
    """Pings of WebSocket's among pings of ours make no more wait than one kind does."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    flood = (frame(9, b"x" * 125) * 20 + text(b'{"type":"ping","data":"%s"}' % (b"x" * 900))) * 18
    rounds = 0
    while line.connection.may_read(Side.CLIENT, 1):
        line.client(flood)
        rounds += 1
        assert rounds < 20
    assert line.waits < 512 * KIB


def test_client_with_unread_messages_is_told_to_go() -> None:
    """Messages of a client that nobody will read any more do not keep its answer from being read."""
    line = Line(until="open")
    line.client(frame(2, bytes(300 * KIB)) + text(b'{"type":"ping"}'))
    assert not line.connection.may_read(Side.CLIENT, 1)
    line.do(inputs.ShutdownRequested())
    assert line.connection.may_read(Side.CLIENT, 1)
    assert line.client(goodbye(1012)) == [CUT]


def test_unread_messages_come_first() -> None:
    """No more is read while messages wait, even if the conversation would listen again."""
    line = Line(until="open")
    conversation = line.door.conversations[0]
    conversation.is_listening = False
    line.client(text(b'{"type":"ping"}'))
    conversation.is_listening = True
    assert not line.connection.may_read(Side.CLIENT, 1)
    line.do(inputs.DeadlineReached())
    assert line.connection.may_read(Side.CLIENT, 1)
    assert line.told[-1]["type"] == "pong"


@pytest.mark.parametrize("said", [goodbye(), frame(3)], ids=["goodbye", "nonsense"])
def test_closed_client_is_read(said: bytes) -> None:
    """A client that is not listened to any more is read to its end, whatever waits for it."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    line.client(frame(9, b"x" * 125) * 600)
    assert not line.connection.may_read(Side.CLIENT, 1)
    line.client(said)
    assert line.connection.may_read(Side.CLIENT, 1)


def test_closed_client_gets_no_more() -> None:
    """What waited for a client that said goodbye itself is thrown away."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    for _ in range(20):
        line.gemini(gemini(sound(10_000)))
    line.client(goodbye())
    assert line.untaken[Side.CLIENT, 1] < 80 * KIB
    line.take()
    assert line.is_cut
    assert line.frames[-1].opcode is Opcode.CLOSE
    assert line.closed_with == 1000


def test_first_answer_counts() -> None:
    """The acceptance of the handshake itself is waited for like all else."""
    line = Line(options=SessionOptions(grace_s=math.inf))
    line.takes[Side.CLIENT] = False
    line.client(head())
    line.advance(60)
    assert line.is_cut
    assert line.closed_with == 4001
