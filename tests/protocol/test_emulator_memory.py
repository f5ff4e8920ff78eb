"""What the emulator remembers of a conversation, over all its links, in virtual time."""

from typing import Final

import pytest

from emulator_player import (
    CASCADE,
    MANUAL,
    NATIVE,
    QUIET,
    TEXT,
    VOICE,
    WEATHER,
    Player,
    at_once,
)
from livegate.protocol.emulator import (
    Memory,
    Options,
    Picture,
    Result,
    Service,
    Sound,
    Text,
    tone_of,
)

SEED: Final = {"initialHistoryInClientContent": True}
IMAGE: Final = {"mimeType": "image/png", "data": "AAA="}
OTHER_VOICE: Final = tone_of("another voice", 0.5)


def resumed(player: Player, handle: str) -> Player:
    """Return a client that goes on from a handle of another."""
    return Player(player.service, now=player.now, sessionResumption={"handle": handle})


def users(memory: Memory) -> list[object]:
    """Return what the user said."""
    return [one for one in memory.items if not (isinstance(one, Text) and one.role == "model")]


# One link


def test_all_that_was_said() -> None:
    """Text, sound, pictures, results and answers are remembered, each once and in order."""
    player = Player(at_once(), tools=[WEATHER], outputAudioTranscription={})
    player.ask("one")
    player.realtime(text="two")
    player.speak(VOICE[:9600])
    player.speak(VOICE[9600:] + QUIET)
    player.realtime(video=IMAGE)
    player.ask("/tool")
    player.answer("call-1-1")
    memory = player.service.memory()
    assert memory == Memory(
        session=1,
        links=(1,),
        items=(
            Text("one", 1),
            Text("You said: one", 1, "model"),
            Text("two", 1),
            Text("You said: two", 1, "model"),
            Sound(VOICE + QUIET, 24_000, 1),
            Text("You said: [speech 0.6 s]", 1, "model"),
            Picture("AAA=", "image/png", 1),
            Text("/tool", 1),
            Result("call-1-1", {"output": "sunny"}, 1),
            Text('The tool said: {"output":"sunny"}', 1, "model"),
        ),
        handles=(),
        is_whole=True,
    )
    assert memory.texts == ("one", "two", "/tool")
    assert memory.turns[1] == ("model", "You said: one")
    assert memory.sound == VOICE + QUIET == player.link.record.audio


def test_parts_of_turns() -> None:
    """Each part of a turn is remembered by itself, that of the model's turns too."""
    player = Player(at_once(), outputAudioTranscription={})
    turns = [
        {"role": "user", "parts": [{"inlineData": IMAGE}, {"text": "What"}, {"text": "is it?"}]},
        {"role": "model", "parts": [{"executableCode": {"code": "1"}}, {"text": "A dog."}]},
        {"parts": [{"text": "And its name?"}, {"inlineData": {"mimeType": "audio/pcm"}}]},
    ]
    player.send({"clientContent": {"turns": turns, "turnComplete": True}})
    assert player.service.memory().items == (
        Picture("AAA=", "image/png", 1),
        Text("What", 1),
        Text("is it?", 1),
        Text("A dog.", 1, "model"),
        Text("And its name?", 1),
        Text("You said: What is it? And its name?", 1, "model"),
    )
    player.ask("/history")
    assert player.text().endswith(
        "We said before: user: What is it?; model: A dog.; user: And its name?; "
        "model: You said: What is it? And its name?"
    )


def test_sound_of_several_rates() -> None:
    """A stretch of sound ends where something else was said, and where its rate changes."""
    player = Player(at_once(), NATIVE)
    player.speak(b"\1\0" * 10, 16_000)
    player.speak(b"\2\0" * 10, 16_000)
    player.speak(b"\3\0" * 10, 24_000)
    player.realtime(video=IMAGE)
    player.speak(b"\4\0" * 10, 24_000)
    chunk = {"mimeType": "audio/pcm;rate=8000", "data": "BQA="}
    player.realtime(mediaChunks=[chunk, IMAGE])
    assert player.service.memory().items == (
        Sound(b"\1\0" * 10 + b"\2\0" * 10, 16_000, 1),
        Sound(b"\3\0" * 10, 24_000, 1),
        Picture("AAA=", "image/png", 1),
        Sound(b"\4\0" * 10, 24_000, 1),
        Picture("AAA=", "image/png", 1),
        Sound(b"\5\0", 8_000, 1),
    )


@pytest.mark.parametrize("transcribes", [True, False])
def test_answer_that_was_cut_off(*, transcribes: bool) -> None:
    """Of an answer that was interrupted only that is remembered which had left."""
    player = Player(outputAudioTranscription={}) if transcribes else Player()
    player.ask("/long")
    player.wait(0.1)
    player.ask("Stop")
    role, text = player.service.memory().turns[1]
    assert role == "model"
    assert ("This is a long answer. It goes on".startswith(text)) is transcribes
    assert player.service.memory().texts == ("/long", "Stop")
    player.wait()
    player.ask("What did I say?")
    player.wait()
    assert player.service.memory().turns[-1][1] == "You said before: /long; Stop"


def test_answer_in_text() -> None:
    """An answer in text is remembered as it was written, a bundled one too; thoughts are not."""
    player = Player(at_once(), CASCADE, generationConfig=TEXT)
    for scenario in ("thoughts", "bundled", "empty"):
        player.ask(f"/{scenario}")
    answers = [text for role, text in player.service.memory().turns if role == "model"]
    assert answers == ["Hello!", "All in one."]


# Several links


def test_exactly_once() -> None:
    """What is sent again after a resume is there once, if it was sent from where the handle ends."""
    first = Player(at_once(), sessionResumption={})
    first.ask("one")
    handle = first.handle()
    first.ask("two")
    first.speak(VOICE + QUIET)
    first.hang_up()
    second = resumed(first, handle)
    second.ask("two")
    second.speak(VOICE + QUIET)
    second.ask("three")
    memory = second.service.memory()
    assert memory.texts == ("one", "two", "three")
    assert memory.sound == VOICE + QUIET
    assert memory.links == (1, 2)
    assert [one.link for one in memory.items] == [1, 1, 2, 2, 2, 2, 2, 2]
    assert (memory.session, memory.is_whole) == (1, True)


def test_sent_too_early_and_too_late() -> None:
    """What is sent again although it is covered is there twice; what is not is lost."""
    first = Player(at_once(), sessionResumption={})
    first.ask("one")
    early = first.handle()
    first.ask("two")
    second = resumed(first, first.handle())
    second.ask("two")
    assert first.service.memory().texts == ("one", "two", "two")
    third = resumed(first, early)
    third.ask("three")
    assert first.service.memory().texts == ("one", "three")


def test_what_handles_cover() -> None:
    """Each handle tells what it covers, and a memory which handles were given for it."""
    first = Player(at_once(), sessionResumption={})
    handles: list[str] = []
    for text in ("one", "two", "three"):
        first.ask(text)
        handles.append(first.handle())
    second = resumed(first, handles[1])
    second.ask("four")
    service = first.service
    memory = service.memory()
    assert memory.handles == (*handles[:2], second.handle())
    assert [service.covered(one).texts for one in memory.handles] == [
        ("one",),
        ("one", "two"),
        ("one", "two", "four"),
    ]
    assert service.covered(handles[2]).texts == ("one", "two", "three")
    assert service.covered(handles[2]).handles == tuple(handles)
    assert service.covered(second.handle()) == memory


def test_unfinished_speech_is_not_covered() -> None:
    """A handle that is given while somebody speaks covers nothing of what is being said."""
    player = Player(sessionResumption={})
    player.speak(QUIET)
    player.ask("/long")
    player.wait(1.0)
    player.speak(QUIET)
    for at in range(0, len(VOICE), 4800):
        player.speak(VOICE[at : at + 4800])
    service = player.service
    assert player.shape().endswith("interrupted turnComplete sessionResumptionUpdate")
    (given,) = service.memory().handles
    assert service.memory().sound == QUIET * 2 + VOICE
    assert service.covered(given).sound == QUIET * 2
    player.speak(QUIET)
    player.wait()
    answered = service.memory().handles[-1]
    assert service.covered(answered).sound == QUIET * 2 + VOICE + QUIET
    second = resumed(player, given)
    second.speak(VOICE + QUIET)
    assert service.memory().sound == QUIET * 2 + VOICE + QUIET


def test_speech_around_text() -> None:
    """Text that is answered while somebody speaks is covered; the speech is not until its end."""
    player = Player(at_once(), sessionResumption={})
    player.speak(VOICE)
    player.ask("typed")
    assert users(player.service.covered(player.handle())) == [Text("typed", 1)]
    player.speak(VOICE + QUIET)
    covered = player.service.covered(player.handle())
    assert users(covered) == [
        Sound(VOICE, 24_000, 1),
        Text("typed", 1),
        Sound(VOICE + QUIET, 24_000, 1),
    ]


def test_two_speeches_in_one_message() -> None:
    """Sound in which one speech ends and another begins is covered when the first is answered."""
    player = Player(sessionResumption={})
    player.speak(VOICE + QUIET + OTHER_VOICE)
    player.speak(OTHER_VOICE)
    player.wait()
    (given,) = player.service.memory().handles
    covered = player.service.covered(given)
    assert covered.sound == VOICE + QUIET + OTHER_VOICE
    player.speak(QUIET)
    player.wait()
    assert player.service.covered(player.handle()).sound == player.service.memory().sound


def test_speech_by_hand() -> None:
    """Between activityStart and its answer, speech is not covered."""
    player = Player(sessionResumption={}, realtimeInputConfig=MANUAL)
    player.speak(QUIET)
    player.ask("/long")
    player.wait(1.0)
    player.realtime(activityStart={})
    player.speak(VOICE)
    player.realtime(text="/empty")
    player.realtime(video=IMAGE)
    player.ask("typed")
    (_, given) = player.service.memory().handles
    assert player.service.covered(given).sound == QUIET
    assert player.service.covered(given).texts == ("/long", "/empty", "typed")
    player.realtime(activityEnd={})
    player.wait()
    assert player.service.covered(player.handle()).sound == QUIET + VOICE


def test_activity_in_which_nothing_was_said() -> None:
    """After an activity without sound or text, handles cover all again."""
    player = Player(at_once(), sessionResumption={}, realtimeInputConfig=MANUAL)
    player.realtime(activityStart={})
    player.realtime(activityEnd={})
    player.speak(VOICE)
    player.ask("typed")
    assert player.service.covered(player.handle()).sound == VOICE


def test_unasked_text_is_not_covered() -> None:
    """Turns without turnComplete are covered when something has asked about them."""
    player = Player(sessionResumption={})
    player.ask("/long")
    player.wait(1.0)
    turns = [{"parts": [{"text": "part one"}, {"inlineData": IMAGE}]}]
    player.send({"clientContent": {"turns": turns}})
    service = player.service
    player.realtime(activityEnd=None, text="/silent")  # which asks
    (given,) = service.memory().handles
    assert service.memory().texts == ("/long", "part one", "/silent")
    assert users(service.covered(given)) == [Text("/long", 1)]
    player.ask("two")
    player.wait()
    assert service.covered(player.handle()).texts == ("/long", "part one", "/silent", "two")


def test_cancelled_turn() -> None:
    """A clientContent with nothing in it interrupts, and hides nothing from later handles."""
    player = Player(sessionResumption={})
    player.ask("/long")
    player.send({"clientContent": {"turnComplete": False}})
    player.realtime(text="Hello")
    player.wait()
    assert player.service.covered(player.handle()) == player.service.memory()


def test_calls_are_orphaned() -> None:
    """A call of another link is nobody's any more; a result that was taken is covered."""
    first = Player(at_once(), tools=[WEATHER], sessionResumption={})
    first.ask("one")
    first.ask("/tool")
    second = resumed(first, first.handle())
    second.answer("call-1-1")
    assert second.end is not None
    first.answer("call-1-1")
    covered = first.service.covered(first.handle())
    assert users(covered)[-1] == Result("call-1-1", {"output": "sunny"}, 1)


# Sessions


def test_sessions() -> None:
    """Each conversation has a memory of its own; links that were refused have none."""
    service = at_once()
    with pytest.raises(LookupError, match="no link of session 0 is known, of 0 links"):
        service.memory()
    first = Player(service, sessionResumption={})
    first.ask("one")
    second = Player(service)
    second.ask("two")
    Player(service, "gemini-0")
    resumed(first, first.handle()).ask("three")
    assert [service.memory(number).texts for number in (1, 2)] == [("one", "three"), ("two",)]
    assert [service.memory(number).links for number in (1, 2)] == [(1, 4), (2,)]
    assert service.memory() == service.memory(2)
    with pytest.raises(LookupError, match="no link of session 3 is known, of 4 links"):
        service.memory(3)
    with pytest.raises(LookupError, match="no handle 'handle-9' is known"):
        service.covered("handle-9")


def test_seeded_again() -> None:
    """A conversation that is begun anew with its history shows what of it was told."""
    service = at_once()
    first = Player(service, outputAudioTranscription={})
    first.ask("My name is Ana")
    first.hang_up()
    told = [{"role": role, "parts": [{"text": text}]} for role, text in service.memory(1).turns]
    second = Player(service, historyConfig=SEED, outputAudioTranscription={})
    second.send({"clientContent": {"turns": told, "turnComplete": True}})
    assert service.memory(2).turns == service.memory(1).turns
    assert all(isinstance(one, Text) and one.is_seeded for one in service.memory(2).items)
    second.ask("/history")
    assert second.text() == (
        "We said before: user: My name is Ana; model: You said: My name is Ana"
    )


# Limits


def test_memory_is_limited() -> None:
    """What there is no room for is not remembered, and the memory says so."""
    service = Service(Options(pace=0.0, max_record_bytes=400))
    player = Player(service)
    player.ask("short")
    assert service.memory().is_whole
    player.ask("x" * 500)
    assert service.memory().texts == ("short",)
    assert not service.memory().is_whole
    other = Player(service)
    other.speak(bytes(500))
    other.speak(b"\1\0")
    assert (service.memory().sound, service.memory().is_whole) == (b"\1\0", False)


def test_long_answer_is_limited() -> None:
    """An answer takes room too."""
    service = Service(Options(pace=0.0, max_record_bytes=300))
    player = Player(service, CASCADE, generationConfig=TEXT)
    player.ask("/help")
    assert service.memory().turns == (("user", "/help"),)
    assert not service.memory().is_whole


def test_links_that_are_forgotten() -> None:
    """The beginning of a long conversation goes with the records of its first links."""
    service = Service(Options(pace=0.0, max_record_bytes=3_000))
    player = Player(service, sessionResumption={})
    texts = [f"{number} {'x' * 300}" for number in range(8)]
    for text in texts:
        player.ask(text)
        player.hang_up()
        player = resumed(player, player.handle())
    memory = service.memory()
    assert not memory.is_whole
    assert 0 < len(memory.texts) < 8
    assert memory.texts == tuple(texts[-len(memory.texts) :])
    assert memory.links == tuple(range(10 - len(memory.links), 10))
