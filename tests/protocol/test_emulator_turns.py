"""How the emulator takes turns: answers, interruptions and hearing, in virtual time."""

import base64
import json
import math
from collections.abc import Mapping
from typing import Any, Final, cast

import pytest

from livegate.protocol.emulator import (
    Abort,
    Close,
    DeadlineReached,
    Event,
    Frame,
    Hello,
    Link,
    Options,
    Send,
    Service,
    answers,
    tone_of,
)

PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
DEFAULT: Final = "gemini-3.8-live"
THINKING: Final = "gemini-3.8-live-extended-thinking"
PREVIEW: Final = "gemini-3.1-flash-live-preview"
NATIVE: Final = "gemini-2.5-flash-native-audio-preview-12-2025"
CASCADE: Final = "gemini-live-2.5-flash"
MANUAL: Final = {"automaticActivityDetection": {"disabled": True}}
TEXT: Final = {"responseModalities": ["TEXT"]}
WEATHER: Final = {"functionDeclarations": [{"name": "get_weather", "behavior": "BLOCKING"}]}
AT_EASE: Final = {"functionDeclarations": [{"name": "get_weather"}]}
EXPIRED: Final = Close(1011, "Deadline expired before operation could complete.")
VOICE: Final = tone_of("a voice", 0.6)
QUIET: Final = bytes(48_000)
Json = Mapping[str, Any]


class Player:
    """A client of the emulator, whose clock runs only when told to."""

    def __init__(
        self,
        service: Service | None = None,
        model: str = DEFAULT,
        *,
        now: float = 100.0,
        **setup: object,
    ) -> None:
        self.service = service or Service()
        self.link = Link(self.service, Hello(PATH, "key"))
        self.now = now
        self.got: list[tuple[float, Send]] = []
        self.end: Close | Abort | None = None
        self.send({"setup": {"model": f"models/{model}", **setup}})

    def send(self, message: Json) -> None:
        """Send a message at this moment."""
        self._handle(Frame(json.dumps(message).encode()))

    def ask(self, text: str) -> None:
        """Send a turn of text."""
        turns = [{"role": "user", "parts": [{"text": text}]}]
        self.send({"clientContent": {"turns": turns, "turnComplete": True}})

    def realtime(self, **fields: object) -> None:
        """Send realtime input."""
        self.send({"realtimeInput": fields})

    def speak(self, pcm: bytes, rate: int = 24_000) -> None:
        """Send sound, all of it now."""
        data = base64.b64encode(pcm).decode()
        self.realtime(audio={"mimeType": f"audio/pcm;rate={rate}", "data": data})

    def wait(self, seconds: float = 60.0) -> None:
        """Let time pass, from one deadline to the next."""
        until = self.now + seconds
        while (deadline := self.link.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self._handle(DeadlineReached())
        self.now = until

    def _handle(self, event: Event) -> None:
        for command in self.link.handle(event, self.now):
            assert self.end is None, "a command came after the end"
            if isinstance(command, Send):
                self.got.append((self.now, command))
            else:
                self.end = command

    @property
    def messages(self) -> list[Json]:
        """All that came."""
        return [json.loads(sent.payload) for _, sent in self.got]

    @property
    def contents(self) -> list[Json]:
        """All `serverContent` that came."""
        return [one["serverContent"] for one in self.messages if "serverContent" in one]

    @property
    def parts(self) -> list[Json]:
        """All parts of the answer that came, without thoughts."""
        turns = [one["modelTurn"] for one in self.contents if "modelTurn" in one]
        return [part for turn in turns for part in turn["parts"] if "thought" not in part]

    def shape(self) -> str:
        """Return what came, in words, runs of the same one shortened; and forget it."""
        names: list[str] = []
        for message in self.messages:
            name = "+".join(message.get("serverContent", [*message][:1]))
            if message.get("sessionResumptionUpdate") == {}:
                name = "busy"
            if not names or names[-1] != name:
                names.append(name)
        self.got.clear()
        return " ".join(names)

    def text(self, key: str = "outputTranscription") -> str:
        """Return the transcription that came."""
        return "".join(one[key]["text"] for one in self.contents if key in one)

    def answered(self) -> str:
        """Return the text that came as the answer."""
        return "".join(part.get("text", "") for part in self.parts)

    def sound(self) -> bytes:
        """Return the sound that came."""
        blobs = [part["inlineData"]["data"] for part in self.parts if "inlineData" in part]
        return b"".join(map(base64.b64decode, blobs))

    def at(self, key: str) -> float:
        """Return when the first `serverContent` with a key came."""
        return next(when for when, sent in self.got if f'"{key}"'.encode() in sent.payload)


def at_once() -> Service:
    """Return a service that does everything at once."""
    return Service(Options(pace=0.0))


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
    ("pace", "life"), [(-1.0, 1.0), (math.nan, 1.0), (1.0, 0.0), (1.0, math.nan)]
)
def test_bad_options(pace: float, life: float) -> None:
    """A pace or a life that makes no sense is refused."""
    with pytest.raises(ValueError, match="must be"):
        Options(pace=pace, link_life_s=life)


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
