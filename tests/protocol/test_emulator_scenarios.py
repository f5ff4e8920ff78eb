"""The emulator's tools and scenarios, in virtual time."""

from typing import Final

import pytest

from emulator_player import (
    CASCADE,
    DEFAULT,
    EXPIRED,
    NATIVE,
    TEXT,
    THINKING,
    WEATHER,
    Json,
    Player,
    at_once,
)
from livegate.protocol.emulator import (
    SCENARIOS,
    Abort,
    Close,
    Options,
    Service,
)

AT_EASE: Final = {"functionDeclarations": [{"name": "get_weather", "behavior": "NON_BLOCKING"}]}

# Tools


def test_blocking_call() -> None:
    """A blocking call stops the answer until its result is here; the result is told."""
    player = Player(tools=[WEATHER], outputAudioTranscription={})
    player.ask("What is the weather?")
    player.wait(30.0)
    assert player.messages[-1] == {
        "toolCall": {
            "functionCalls": [
                {"id": "call-1-1", "name": "get_weather", "args": {"city": "Lisbon"}}
            ]
        }
    }
    assert player.shape() == "setupComplete toolCall"
    begun = player.now
    player.answer("call-1-1")
    player.wait(20.0)
    assert player.text() == 'The tool said: {"output":"sunny"}'
    assert player.at("turnComplete") == pytest.approx(begun + 0.02 + len(player.sound()) / 48_000)
    assert player.shape().endswith(" generationComplete turnComplete")


def test_blocking_call_ignores_scheduling() -> None:
    """Neither scheduling nor willContinue means nothing to a call that blocks."""
    player = Player(at_once(), model=NATIVE, outputAudioTranscription={})
    player.ask("/tool Porto")
    player.answer("call-1-1", scheduling="SILENT", willContinue=True)
    assert player.text() == 'The tool said: {"output":"sunny"}'


def test_blocking_call_cancelled() -> None:
    """Interrupting an answer cancels the call it waits for; its result comes too late then."""
    player = Player(tools=[WEATHER])
    player.ask("/tool")
    player.ask("Never mind")
    assert player.messages[3] == {"toolCallCancellation": {"ids": ["call-1-1"]}}
    player.wait()
    shape = "setupComplete toolCall interrupted toolCallCancellation turnComplete modelTurn "
    assert player.shape() == shape + "generationComplete turnComplete"
    player.answer("call-1-1")
    assert player.end == Close(1007, "Request contains an invalid argument.")


@pytest.mark.parametrize(
    ("model", "level", "waits"), [(DEFAULT, {}, True), (THINKING, {"thinkingLevel": "LOW"}, False)]
)
def test_call_by_default(model: str, level: Json, *, waits: bool) -> None:
    """A function of no declared behavior is waited for, but not by the model that never waits."""
    config = {"thinkingConfig": level} if level else {}
    player = Player(at_once(), model, generationConfig=config)
    player.ask("/tool")
    assert ("turnComplete" in player.shape()) is not waits


def test_call_in_the_background() -> None:
    """A call that does not block lets the model end its turn; the result begins another."""
    player = Player(at_once(), tools=[AT_EASE], outputAudioTranscription={})
    player.ask("weather")
    assert player.text() == "One moment, please."
    assert player.shape().endswith("generationComplete turnComplete")
    player.answer("call-1-1")
    assert player.text() == 'The tool said: {"output":"sunny"}'
    assert player.shape().endswith("generationComplete turnComplete")


def test_call_in_the_background_cancelled() -> None:
    """A call that does not block is cancelled when the answer around it is interrupted."""
    player = Player(tools=[AT_EASE])
    player.ask("weather")
    player.wait(0.1)
    player.ask("Never mind")
    assert player.shape() == (
        "setupComplete toolCall modelTurn interrupted toolCallCancellation turnComplete"
    )


@pytest.mark.parametrize(
    ("scheduling", "expected"),
    [
        (
            None,
            "modelTurn generationComplete turnComplete modelTurn generationComplete turnComplete",
        ),
        (
            "WHEN_IDLE",
            "modelTurn generationComplete turnComplete modelTurn generationComplete turnComplete",
        ),
        ("INTERRUPT", "interrupted turnComplete modelTurn generationComplete turnComplete"),
        ("SILENT", "modelTurn generationComplete turnComplete"),
    ],
)
def test_scheduling(scheduling: str | None, expected: str) -> None:
    """A result in the background is told when the model is idle, at once, or not at all."""
    player = Player(tools=[AT_EASE])
    player.ask("weather")
    player.wait()
    player.ask("/long")
    player.wait(1.0)
    player.got.clear()
    player.answer("call-1-1", **({"scheduling": scheduling} if scheduling else {}))
    player.wait()
    assert player.shape() == expected


def test_function_that_goes_on() -> None:
    """With willContinue a call stays open for more results."""
    player = Player(at_once(), tools=[AT_EASE])
    player.ask("weather")
    player.answer("call-1-1", willContinue=True)
    player.answer("call-1-1")
    assert player.end is None
    player.answer("call-1-1")
    assert isinstance(player.end, Close)


def test_two_results() -> None:
    """One message may hold several results; each is told."""
    player = Player(at_once(), tools=[AT_EASE], outputAudioTranscription={})
    player.ask("weather")
    player.ask("weather")
    player.got.clear()
    results = [{"id": f"call-1-{n}", "response": {"n": n}} for n in (1, 2)]
    player.send({"toolResponse": {"functionResponses": results}})
    assert player.text() == 'The tool said: {"n":1}The tool said: {"n":2}'


def test_calls_are_few() -> None:
    """Of all calls without a result, the newest hundred are remembered."""
    player = Player(at_once(), tools=[AT_EASE])
    for _ in range(101):
        player.ask("weather")
    player.answer("call-1-2")
    assert player.end is None
    player.answer("call-1-1")
    assert isinstance(player.end, Close)


def test_context_update() -> None:
    """A contextUpdate takes new instructions, and exchanges the tools."""
    player = Player(at_once(), model=NATIVE, tools=[WEATHER])
    instruction = {"role": "user", "parts": [{"text": "You are terse."}]}
    player.send({"contextUpdate": {"systemInstruction": instruction}})
    player.send({"contextUpdate": {"tools": {"tools": []}}})
    player.ask("weather")
    assert "toolCall" not in player.shape()
    player.send({"contextUpdate": {"tools": {"tools": [AT_EASE]}}})
    player.ask("weather")
    assert "toolCall" in player.shape()


# Scenarios


SPOKEN: Final = "modelTurn outputTranscription"
TURN: Final = f"{SPOKEN} generationComplete turnComplete"
SHAPES: Final = {
    "echo": TURN,
    "recall": TURN,
    "history": TURN,
    "long": TURN,
    "tool": "toolCall",
    "tool-lost": "toolCall",
    "cancel": "toolCall toolCallCancellation generationComplete turnComplete",
    "html": TURN,
    "thoughts": TURN,
    "thinking": f"{SPOKEN} turnComplete+interactionStatus {SPOKEN} generationComplete "
    "turnComplete+interactionStatus",
    "bundled": "turnComplete+generationComplete+modelTurn+outputTranscription",
    "silent": "",
    "empty": "turnComplete+turnCompleteReason",
    "interrupted": f"{SPOKEN} interrupted turnComplete",
    "goaway": f"goAway {TURN}",
    "goaway-midway": f"{SPOKEN} goAway modelTurn generationComplete turnComplete",
    "goaway-silent": "goAway",
    "expire": TURN,
    "forget": TURN,
    "linger": TURN,
    "close": "",
    "drop": "",
    "drop-next": TURN,
    "drop-setup": TURN,
    "quota": "",
    "quota-next": TURN,
    "pongs": TURN,
    "unheard": TURN,
    "unknown-key": f"aKeyFromTomorrow {TURN}",
    "unknown-enum": f"{SPOKEN} generationComplete turnComplete+turnCompleteReason",
    "big": TURN,
    "text-opcode": TURN,
    "usage-only": f"usageMetadata {TURN}",
    "help": TURN,
}
ENDS: Final = {
    "close": Close(1011, ""),
    "drop": Abort(),
    "quota": Close(
        1011,
        "You exceeded your current quota, please check your plan and billing details. "
        "For more information on this error, head to th",
    ),
    "expire": EXPIRED,
}


def squeezed(shape: str) -> str:
    """Return a shape in which sound and transcription in turns are one pair."""
    while f"{SPOKEN} {SPOKEN}" in shape:
        shape = shape.replace(f"{SPOKEN} {SPOKEN}", SPOKEN)
    return shape.replace(f"{SPOKEN} modelTurn", SPOKEN).replace(f"modelTurn {SPOKEN}", SPOKEN)


@pytest.mark.parametrize("pace", [0.0, 1.0])
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, pace: float) -> None:
    """Each scenario sends what it says, whether by its name or as the service's only one."""
    by_name = Player(Service(Options(pace=pace)), outputAudioTranscription={})
    by_name.ask(f"/{name}")
    always = Player(Service(Options(pace=pace, scenario=name)), outputAudioTranscription={})
    always.ask("Hello")
    for player in (by_name, always):
        player.wait(40.0)
        expected = ENDS.get(name)
        if name.startswith("goaway") and pace == 0:
            expected = EXPIRED
        assert player.end == expected
        shape = player.shape().removeprefix("setupComplete").strip()
        assert squeezed(shape) == SHAPES[name]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1000", Close(1000, "")),
        ("1008 Requested entity was not found", Close(1008, "Requested entity was not found")),
        ("1014", Close(1014, "")),
        ("4999 x", Close(4999, "x")),
        ("1005", Close(1011, "")),
        ("1006", Close(1011, "")),
        ("5000", Close(1011, "")),
        ("9" * 5000, Close(1011, "")),
        ("1007 " + "é" * 100, Close(1007, "é" * 61)),
    ],
)
def test_close_scenario(said: str, expected: Close) -> None:
    """/close closes with any code that may be sent, and with a reason that fits."""
    player = Player()
    player.ask(f"/close {said}")
    assert player.end == expected
    assert player.link.deadline is None


def test_go_away() -> None:
    """A goAway comes 50 s before the link is closed with 1011, whatever is asked meanwhile."""
    player = Player(outputAudioTranscription={})
    player.ask("/goaway")
    assert {"goAway": {"timeLeft": "50s"}} in player.messages
    player.wait(30.0)
    assert player.text() == "I have to go."
    player.ask("/long")
    player.wait(19.9)
    assert player.service.links_open == 1
    assert player.shape().endswith("modelTurn generationComplete")
    player.wait(0.1)
    assert player.end == EXPIRED


@pytest.mark.parametrize(
    ("options", "life", "lead", "text"),
    [
        (Options(), 600.0, 50.0, "50s"),
        (Options(go_away_s=60.0), 600.0, 60.0, "60s"),
        (Options(link_life_s=1.0), 1.0, 0.5, "0.5s"),
        (Options(age_scale=0.01), 6.0, 0.5, "0.5s"),
        (Options(age_scale=0.01, go_away_s=60.0), 6.0, 0.6, "0.6s"),
    ],
)
def test_life(options: Options, life: float, lead: float, text: str) -> None:
    """Every link ends after its life, announced 50 s before, or at half of a short life.

    Both are as many times as long as the clock is scaled.
    """
    player = Player(Service(options))
    player.got.clear()
    player.wait(life - lead)
    assert player.messages == [{"goAway": {"timeLeft": text}}]
    player.wait(lead - 0.01)
    assert player.service.links_open == 1
    player.wait(0.011)
    assert player.end == EXPIRED
    assert player.service.links_open == 0


def test_go_away_does_not_add_life() -> None:
    """A scenario's goAway comes in place of the one before the end of life, which stays."""
    player = Player(Service(Options(link_life_s=60.0)))
    player.wait(20.0)
    player.ask("/goaway")
    player.wait(40.0)
    assert player.shape().count("goAway") == 1
    assert player.end == EXPIRED


def test_thoughts_are_marked() -> None:
    """/thoughts sends a thought before the answer, marked as one."""
    player = Player(at_once(), model=CASCADE, generationConfig=TEXT)
    player.ask("/thoughts")
    thought = {"parts": [{"text": "I should say hello.", "thought": True}]}
    assert player.contents[0] == {"modelTurn": thought}
    assert player.answered() == "Hello!"


@pytest.mark.parametrize("speaks", [True, False])
def test_bundled(*, speaks: bool) -> None:
    """/bundled puts the answer and its end in one message, and the link is resumable after it."""
    config = {} if speaks else TEXT
    player = Player(at_once(), CASCADE, generationConfig=config, sessionResumption={})
    player.ask("/bundled")
    assert (player.answered(), len(player.sound())) == (
        ("", 4800) if speaks else ("All in one.", 0)
    )
    assert player.messages[-2].keys() == {"serverContent", "usageMetadata"}
    assert player.shape() == (
        "setupComplete busy turnComplete+generationComplete+modelTurn sessionResumptionUpdate"
    )


def test_extended_thinking() -> None:
    """The extended-thinking model says with each turnComplete whether it is idle."""
    config = {"thinkingConfig": {"thinkingLevel": "HIGH"}}
    player = Player(at_once(), THINKING, generationConfig=config, sessionResumption={})
    player.ask("/thinking")
    player.ask("Hello")
    states = [one["interactionStatus"] for one in player.contents if "turnComplete" in one]
    assert states == ["IN_PROGRESS", "IDLE", "IDLE"]
    assert player.shape().count("sessionResumptionUpdate") == 2


def test_thinking_can_be_interrupted() -> None:
    """A model that goes on of its own accord can be interrupted in between."""
    player = Player()
    player.ask("/thinking")
    player.wait(1.25)
    assert player.shape() == "setupComplete modelTurn turnComplete+interactionStatus modelTurn"
    player.ask("Stop")
    assert player.shape() == "interrupted turnComplete"


def test_silence_is_no_answer() -> None:
    """A model that does not answer is not interrupted by the next question."""
    player = Player(at_once())
    player.ask("/silent")
    player.ask("Hello")
    assert player.shape() == "setupComplete modelTurn generationComplete turnComplete"


def test_opcodes() -> None:
    """The service sends binary frames, but for /text-opcode."""
    player = Player(at_once())
    player.ask("Hello")
    assert not any(sent.is_text for _, sent in player.got)
    player.got.clear()
    player.ask("/text-opcode")
    assert any(sent.is_text for _, sent in player.got)


def test_big_message() -> None:
    """/big sends a message of two megabytes."""
    player = Player(at_once())
    player.ask("/big")
    assert max(len(sent.payload) for _, sent in player.got) > 2_000_000
