"""How the emulator takes turns: answers, interruptions and hearing, in virtual time."""

import math
from typing import Any, Final, cast

import pytest

from emulator_player import CASCADE, MANUAL, QUIET, TEXT, VOICE, Player, at_once
from livegate.protocol.emulator import (
    Event,
    Options,
    Send,
    Service,
    answers,
    tone_of,
)

# Turns


def test_setup_complete_is_first() -> None:
    """The setupComplete comes after the setup's delay, in a binary frame, and only once."""
    player = Player(Service(Options(setup_delay_s=2.0)))
    assert player.link.deadline == 102.0
    player.wait(1.9)
    assert player.got == []
    player.wait(0.1)
    assert player.got == [(102.0, Send(b'{"setupComplete":{}}', is_text=False))]


def test_text_turn() -> None:
    """A model that writes answers in pieces of text, then generationComplete, then turnComplete."""
    player = Player(model=CASCADE, generationConfig=TEXT)
    player.ask("one two  three")
    assert player.answered() == "You said: one two  three"
    assert [part["text"] for part in player.parts][:3] == ["You", " said:", " one"]
    assert player.messages[-1] == {
        "serverContent": {"turnComplete": True},
        "usageMetadata": {
            "promptTokenCount": 3,
            "responseTokenCount": 5,
            "totalTokenCount": 8,
            "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        },
    }
    assert player.shape() == "setupComplete modelTurn generationComplete turnComplete"


def test_long_text_in_few_pieces() -> None:
    """However long an answer is, it comes in at most forty pieces."""
    player = Player(model=CASCADE, generationConfig=TEXT)
    player.ask("word " * 1000)
    assert player.answered() == "You said: " + "word " * 1000
    assert len(player.parts) == 39


@pytest.mark.parametrize("pace", [0.0, 0.5, 1.0])
def test_sound_turn(pace: float) -> None:
    """Sound leaves four times as fast as it plays; turnComplete comes when it has been played."""
    player = Player(Service(Options(pace=pace)), outputAudioTranscription={})
    player.ask("Hello")
    player.wait()
    sound = player.sound()
    seconds = len(sound) / 48_000
    assert sound == tone_of("You said: Hello")
    assert player.text() == "You said: Hello"
    assert player.at("generationComplete") == pytest.approx(100 + pace * seconds / 4)
    assert player.at("turnComplete") == pytest.approx(100 + pace * (0.02 + seconds))
    usage = player.messages[-1]["usageMetadata"]
    assert usage["responseTokenCount"] == round(25 * seconds)
    assert usage["responseTokensDetails"][0]["modality"] == "AUDIO"


def test_transcription_is_between_the_sound() -> None:
    """Pieces of transcription come between those of the sound, with the spaces before them."""
    player = Player(outputAudioTranscription={})
    player.ask("Hello")
    player.wait()
    turn = "setupComplete modelTurn outputTranscription modelTurn outputTranscription modelTurn "
    assert "finished" not in str(player.messages)
    assert player.shape().startswith(turn)


def test_more_words_than_sound() -> None:
    """An answer with more pieces of text than of sound ends with the text."""
    player = Player(at_once(), outputAudioTranscription={})
    player.ask("ab " * 37 + "ab")
    assert player.text() == "You said: " + "ab " * 37 + "ab"
    assert len(player.sound()) == 3 * 48_000
    turn = "modelTurn outputTranscription generationComplete turnComplete"
    assert player.shape().endswith(turn)


def test_no_transcription_unasked() -> None:
    """Without outputAudioTranscription an answer is sound alone."""
    player = Player()
    player.ask("Hello")
    player.wait()
    assert player.shape() == "setupComplete modelTurn generationComplete turnComplete"


def test_turn_in_parts() -> None:
    """Turns add up until turnComplete; what the model is said to have said is not answered."""
    player = Player(at_once(), outputAudioTranscription={})
    turns = [
        {"role": "user", "parts": [{"text": "Capital of"}, {"text": "France?"}]},
        {"role": "model", "parts": [{"text": "Paris."}]},
    ]
    player.send({"clientContent": {"turns": turns}})
    assert player.shape() == "setupComplete"
    player.ask("And Peru?")
    assert player.text() == "You said: Capital of France? And Peru?"


def test_questions_in_a_row() -> None:
    """A turn after another is answered on its own clock."""
    player = Player()
    for _ in range(3):
        player.got.clear()
        begun = player.now
        player.ask("Hello")
        player.wait()
        assert player.at("turnComplete") == pytest.approx(
            begun + 0.02 + len(player.sound()) / 48_000
        )


# Options


def test_unknown_scenario() -> None:
    """A scenario that is not there is refused, with the names of those that are."""
    with pytest.raises(ValueError, match="no scenario 'nonsense': one of echo, recall"):
        Options(scenario="nonsense")


@pytest.mark.parametrize(
    "options",
    [
        {"pace": -1.0},
        {"pace": math.nan},
        {"link_life_s": 0.0},
        {"link_life_s": math.nan},
        {"go_away_s": -1.0},
        {"session_life_s": 0.0},
        {"age_scale": 0.0},
        {"lingering": -1},
        {"unheard_every": -1},
        {"pong_delay_s": math.nan},
    ],
)
def test_bad_options(options: dict[str, Any]) -> None:
    """A pace, a life, a delay or a count that makes no sense is refused."""
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} must be"):
        Options(**options)


def test_forgotten_event() -> None:
    """A kind of event that nobody handles fails loudly instead of vanishing."""
    with pytest.raises(AssertionError, match="unreachable"):
        Player().link.handle(cast("Event", None), 0.0)


def test_forgotten_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of beat that nobody plays fails loudly instead of vanishing."""
    unknown = answers.Scenario("", lambda _: iter([cast("answers.Beat", "a beat")]))
    monkeypatch.setattr(answers, "PLAYS", {"echo": unknown})
    with pytest.raises(AssertionError, match="unreachable"):
        Player().ask("Hello")


# Interruptions


BARGE_IN: Final = "interrupted turnComplete modelTurn"


def test_interrupted_by_text() -> None:
    """Turns of clientContent stop an answer: no more of it, interrupted, turnComplete, the next answer."""
    player = Player()
    player.ask("/long")
    player.wait(1.0)
    assert player.shape() == "setupComplete modelTurn"
    player.ask("Stop")
    player.wait(0.1)
    assert player.sound()[:9600] == tone_of("You said: Stop")[:9600]
    usage = player.messages[1]["usageMetadata"]
    assert usage["responseTokenCount"] == 4 * 25
    assert player.shape() == BARGE_IN


def test_interrupted_while_playing() -> None:
    """An answer that has been generated can still be interrupted while it is being played."""
    player = Player()
    player.ask("/long")
    player.wait(10.0)
    assert player.shape() == "setupComplete modelTurn generationComplete"
    player.realtime(text="Stop")
    player.wait(0.1)
    assert player.shape() == BARGE_IN
    player.wait()
    assert player.shape() == "modelTurn generationComplete turnComplete"


def test_not_interrupted_after_turn() -> None:
    """With no answer running, nothing is interrupted."""
    player = Player()
    player.ask("Hello")
    player.wait()
    player.speak(VOICE + QUIET)
    player.wait()
    assert "interrupted" not in player.shape()


def test_interrupted_by_voice() -> None:
    """A voice stops an answer when it begins, and is answered when it has ended."""
    player = Player(inputAudioTranscription={})
    player.ask("/long")
    player.wait(1.0)
    player.speak(QUIET)
    assert player.shape() == "setupComplete modelTurn"
    player.speak(VOICE)
    assert player.shape() == "interrupted turnComplete"
    player.wait(1.0)
    player.speak(QUIET)
    assert player.text("inputTranscription") == "[speech 0.7 s]"
    player.wait()
    assert player.shape() == "inputTranscription modelTurn generationComplete turnComplete"


def test_voice_supersedes_what_began_since() -> None:
    """The end of speech stops an answer that began while somebody spoke."""
    player = Player()
    player.speak(VOICE)
    player.ask("/long")
    player.speak(QUIET)
    assert player.shape() == "setupComplete interrupted turnComplete"


def test_interrupted_by_activity_start() -> None:
    """With manual activity, activityStart stops an answer."""
    player = Player(realtimeInputConfig=MANUAL)
    player.ask("/long")
    player.realtime(activityStart={})
    assert player.shape() == "setupComplete interrupted turnComplete"


def test_partial_turn_interrupts() -> None:
    """A clientContent without turnComplete stops an answer, and begins none."""
    player = Player()
    player.ask("/long")
    player.send({"clientContent": {"turnComplete": False}})
    player.wait()
    assert player.shape() == "setupComplete interrupted turnComplete"


@pytest.mark.parametrize("is_manual", [False, True])
def test_no_interruption(*, is_manual: bool) -> None:
    """With NO_INTERRUPTION an answer goes on, and what was said meanwhile is answered after it."""
    config = {**(MANUAL if is_manual else {}), "activityHandling": "NO_INTERRUPTION"}
    player = Player(realtimeInputConfig=config, outputAudioTranscription={})
    player.ask("first")
    if is_manual:
        player.realtime(activityStart={})
    player.speak(VOICE + QUIET)
    if is_manual:
        player.realtime(activityEnd={})
    player.realtime(text="third")
    player.wait()
    assert "interrupted" not in str(player.messages)
    said = "[speech 1.6 s]" if is_manual else "[speech 0.6 s]"
    assert player.text() == f"You said: firstYou said: {said}You said: third"
    assert player.shape().count("turnComplete") == 3


def test_no_interruption_is_not_for_turns() -> None:
    """Turns of clientContent stop an answer even with NO_INTERRUPTION, and those that waited."""
    player = Player(
        realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"}, outputAudioTranscription={}
    )
    player.ask("/long")
    player.realtime(text="waiting")
    player.ask("last")
    player.wait()
    assert player.text().endswith("You said: last")
    assert player.shape().count("interrupted") == 1


def test_waiting_answers_are_few() -> None:
    """Of all that waits for its turn, the newest eight are answered."""
    player = Player(
        realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"}, outputAudioTranscription={}
    )
    player.ask("first")
    for number in range(20):
        player.realtime(text=f"n{number}")
    player.wait()
    said = "".join(f"You said: n{number}" for number in range(12, 20))
    assert player.text() == f"You said: first{said}"
