"""Initial history in the emulator: what is awaited, refused, remembered and proved."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest

from emulator_player import (
    CASCADE,
    DEFAULT,
    MANUAL,
    NATIVE,
    PREVIEW,
    QUIET,
    THINKING,
    VOICE,
    Player,
    at_once,
)
from livegate.protocol.emulator import Close, Picture, Text

INVALID: Final = Close(1007, "Request contains an invalid argument.")
SEED: Final = {"initialHistoryInClientContent": True}
LEVEL: Final = {"thinkingConfig": {"thinkingLevel": "LOW"}}
HISTORY: Final = (("user", "My name is Ana"), ("model", "Hello, Ana"))
Json = Mapping[str, Any]


def content(*turns: tuple[str, str], complete: bool = True) -> Json:
    """Return a clientContent."""
    given = [{"role": role, "parts": [{"text": text}]} for role, text in turns]
    return {"clientContent": {"turns": given, "turnComplete": complete}}


def seeding(model: str = DEFAULT, *, is_manual: bool = False) -> Player:
    """Return a client that has announced its history."""
    return Player(
        at_once(),
        model,
        historyConfig=SEED,
        generationConfig=LEVEL if model == THINKING else {},
        realtimeInputConfig=MANUAL if is_manual else {},
        sessionResumption={},
        inputAudioTranscription={},
        outputAudioTranscription={},
    )


@pytest.mark.parametrize("model", [DEFAULT, THINKING, PREVIEW])
@pytest.mark.parametrize("pieces", [1, 2])
def test_history(model: str, pieces: int) -> None:
    """History is taken whole or in pieces until a turnComplete, and never answered by itself."""
    player = seeding(model)
    if pieces == 1:
        player.send(content(*HISTORY))
    else:
        player.send(content(HISTORY[0], complete=False))
        player.send(content(HISTORY[1]))
    player.wait()
    assert player.shape() == "setupComplete"
    memory = player.service.memory()
    assert memory.items == (
        Text("My name is Ana", 1, "user", is_seeded=True),
        Text("Hello, Ana", 1, "model", is_seeded=True),
    )
    player.realtime(text="What did I say?")
    assert player.text() == "You said before: My name is Ana"
    player.got.clear()
    player.realtime(text="/history")
    assert player.text() == (
        "We said before: user: My name is Ana; model: Hello, Ana; user: What did I say?; "
        "model: You said before: My name is Ana"
    )
    assert player.service.covered(player.handle()).turns[:2] == HISTORY


def test_history_by_voice() -> None:
    """After its history a conversation can begin by voice."""
    player = seeding(CASCADE)
    player.send(content(("user", "My name is Ana")))
    player.speak(VOICE + QUIET)
    assert player.text("inputTranscription") == "[speech 0.6 s]"
    player.realtime(text="/recall")
    assert player.text().endswith("You said before: My name is Ana; [speech 0.6 s]")


def test_no_history_at_all() -> None:
    """A turnComplete alone ends a history of nothing."""
    player = seeding()
    player.send({"clientContent": {"turnComplete": True}})
    player.ask("/history")
    assert player.text() == "We said before: nothing yet"
    assert player.service.memory().turns[0] == ("user", "/history")


def test_history_with_more_than_text() -> None:
    """History may hold pictures, and turns in which nobody said anything in words."""
    player = seeding()
    image = {"mimeType": "image/png", "data": "AAA="}
    turns = [
        {"parts": [{"text": "Look:"}, {"inlineData": image}]},
        {"role": "model", "parts": [{"executableCode": {"code": "1"}}]},
    ]
    player.send({"clientContent": {"turns": turns, "turnComplete": True}})
    player.ask("/history")
    assert player.text() == "We said before: user: Look:"
    assert player.service.memory().items[1] == Picture("AAA=", "image/png", 1)


FIRST: Final[Sequence[Json]] = (
    {"realtimeInput": {"text": "Hello"}},
    {"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": "AAA="}}},
    {"realtimeInput": {"video": {"mimeType": "image/png", "data": "AAA="}}},
    {"realtimeInput": {"activityStart": {}}},
    {"contextUpdate": {"tools": {"tools": []}}},
    {"toolResponse": {"functionResponses": []}},
)


@pytest.mark.parametrize("message", FIRST)
@pytest.mark.parametrize("model", [DEFAULT, THINKING, PREVIEW])
@pytest.mark.parametrize("has_begun", [False, True])
def test_too_early(model: str, message: Json, *, has_begun: bool) -> None:
    """3.x refuses whatever comes before the end of the history that was announced."""
    player = seeding(model, is_manual=True)
    if has_begun:
        player.send(content(*HISTORY, complete=False))
        assert player.end is None
    player.send(message)
    assert player.end == INVALID


@pytest.mark.parametrize("model", [NATIVE, CASCADE])
def test_text_too_early_for_25(model: str) -> None:
    """2.5 takes text before the end of the history, which is known to it all the same."""
    player = seeding(model)
    player.send(content(*HISTORY, complete=False))
    player.realtime(text="/history")
    assert player.text() == "We said before: user: My name is Ana; model: Hello, Ana"
    assert player.service.memory().turns[:2] == HISTORY
    player.ask("Goodbye")
    assert player.text().endswith("You said: Goodbye")


@pytest.mark.parametrize("is_manual", [False, True])
def test_voice_too_early_for_25(*, is_manual: bool) -> None:
    """2.5 knows nothing of a history without an end when it hears a voice first."""
    player = seeding(NATIVE, is_manual=is_manual)
    player.send(content(*HISTORY, complete=False))
    if is_manual:
        player.realtime(activityStart={})
    player.speak(VOICE + QUIET)
    if is_manual:
        player.realtime(activityEnd={})
    assert player.service.memory().turns == (("model", player.text()),)
    player.realtime(text="/recall")
    assert "Ana" not in player.text()


def test_context_update_before_the_history_of_25() -> None:
    """On 2.5 an update of the context does not begin the conversation."""
    player = seeding(NATIVE)
    player.send({"contextUpdate": {"tools": {"tools": []}}})
    player.send(content(*HISTORY, ("user", "And now?")))
    assert player.shape() == "setupComplete"


ENDS: Final = [
    (DEFAULT, ("user", "model"), None),
    (PREVIEW, ("user", "model"), None),
    (DEFAULT, ("model",), None),
    (NATIVE, ("user",), None),
    (NATIVE, ("model", "user"), None),
    (NATIVE, (), None),
    (NATIVE, ("user", "model"), INVALID),
    (CASCADE, ("user", "model"), INVALID),
    (DEFAULT, ("user", "system"), INVALID),
    (DEFAULT, ("assistant",), INVALID),
]


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize(("model", "roles", "expected"), ENDS)
def test_roles(
    model: str, roles: Sequence[str], expected: Close | None, *, is_split: bool
) -> None:
    """History is the user's and the model's; on 2.5 the last turn has to be the user's."""
    player = seeding(model)
    turns = [(role, "something") for role in roles]
    if is_split and roles:
        player.send(content(*turns[:-1], complete=False))
        player.send(content(turns[-1], complete=False))
        if player.end is None:
            player.send(content())
    else:
        player.send(content(*turns))
    assert player.end == expected


def test_history_too_long() -> None:
    """History is refused that the context window does not hold, in pieces too."""
    player = seeding()
    player.send(content(("user", "x" * 600_000), complete=False))
    assert player.end is None
    player.send(content(("model", "x" * 600_000), complete=False))
    assert player.end == INVALID


@pytest.mark.parametrize(
    ("model", "expected"), [(DEFAULT, None), (NATIVE, None), (PREVIEW, INVALID)]
)
def test_turns_after_history(model: str, expected: Close | None) -> None:
    """After the history, turns are answered where a model takes them in mid-session, as ever."""
    player = seeding(model)
    player.send(content(HISTORY[0]))
    player.ask("And now?")
    assert player.end == expected
    assert player.text() == ("You said: And now?" if expected is None else "")


def test_history_without_announcement() -> None:
    """Without historyConfig, turns are a question: 3.1 refuses them, others answer."""
    for model, expected in ((PREVIEW, INVALID), (DEFAULT, None)):
        player = Player(at_once(), model, outputAudioTranscription={})
        player.send(content(*HISTORY))
        assert player.end == expected
        assert bool(player.text()) is (expected is None)


def test_history_of_a_resumed_conversation() -> None:
    """History that a resumed link announces comes after what is remembered."""
    first = Player(at_once(), sessionResumption={})
    first.ask("before")
    handle = {"handle": first.handle()}
    second = Player(first.service, sessionResumption=handle, historyConfig=SEED)
    second.send(content(*HISTORY))
    assert second.service.memory().texts == ("before", "My name is Ana")
