"""What the emulated model says: each scenario as a short program of beats."""

import base64
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from livegate.protocol.emulator.faults import QUOTA, Fate, Faults
from livegate.protocol.emulator.memory import Session, Turn
from livegate.protocol.emulator.speech import OUT_RATE, Speech, echo_of, tone_of

CHUNK_S: Final = 0.08
"""Seconds of sound in one message."""
_RATE_BYTES: Final = OUT_RATE * 2
_LEAD: Final = 0.25
"""Sound leaves four times as fast as it plays."""
_MAX_PIECES: Final = 40
_GO_AWAY_S: Final = 50.0
"""As seen of the real service."""
_LONG: Final = (
    "This is a long answer. It goes on for about twenty seconds, so that there is time enough to "
    "interrupt it: by another text, by the microphone, or by the button."
)
_EXPIRY_S: Final = 10.0
_MAX_LINKS: Final = 100
"""How many links to come one word can doom."""
_NUMBER: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
# The codes that may be sent: RFC 6455 section 7.4.
_CLOSE_CODE: Final = re.compile(r"100[0-37-9]|101[0-4]|[34][0-9]{3}")
_HTML: Final = '<img src=x onerror="window.__x=1"><script>window.__x=1</script>'


@attrs.frozen
class Asked:
    """A question, and what the link's setup says about answers to it."""

    text: str
    rest: str
    """What follows the scenario's name."""
    history: tuple[Turn, ...]
    """What both sides said before."""
    speaks: bool
    transcribes: bool
    heard: Speech | None = None
    """The question's own sound, to answer with in place of a tone."""


@attrs.frozen
class Message:
    """Send this, so many seconds after the beat before."""

    json: Mapping[str, object]
    after_s: float = 0.0
    sound_s: float = 0.0
    """How long its sound plays."""
    said: str = ""
    """The text that it says."""
    is_text: bool = False


@attrs.frozen
class Complete:
    """The answer has ended; `turnComplete` waits until its sound has been played."""

    extra: Mapping[str, object] = attrs.field(factory=dict[str, object])
    """What goes into the same `serverContent`."""
    is_announced: bool = True
    """Whether `generationComplete` comes before."""
    sound_s: float = 0.0
    said: str = ""


@attrs.frozen
class Call:
    """Call a function, and go on when its result is here; at once, if it is NON_BLOCKING."""

    asked: Asked
    name: str
    args: Mapping[str, object]
    is_lost: bool = False
    """Close the link when the result is here."""


@attrs.frozen
class Hang:
    """Say nothing any more until something else is asked."""


@attrs.frozen
class Cut:
    """Be interrupted, as if the user had spoken."""


@attrs.frozen
class Leave:
    """Announce that the link ends, and end it then, whatever is asked until then."""

    after_s: float


@attrs.frozen
class Mute:
    """Say nothing any more, whatever is asked."""


@attrs.frozen
class Arrange:
    """Change what goes wrong from now on, in the service or in the conversation."""

    change: Callable[[Faults, Session, float], object]
    """Its last argument is the time."""


@attrs.frozen
class End:
    """Close the link; with code 1006 cut it without a word."""

    code: int
    reason: str = ""


Beat = Message | Complete | Call | Hang | Cut | Leave | Mute | Arrange | End


def content(**fields: object) -> Mapping[str, object]:
    """Return a `serverContent`."""
    return {"serverContent": fields}


def sound_part(pcm: bytes) -> Mapping[str, object]:
    """Return a `modelTurn` with a piece of sound."""
    data = base64.b64encode(pcm).decode()
    blob = {"mimeType": f"audio/pcm;rate={OUT_RATE}", "data": data}
    return {"parts": [{"inlineData": blob}]}


def pieces_of(text: str) -> list[str]:
    """Return a text in a few pieces: words, with the spaces before them."""
    words = text.split(" ")
    step = -(-len(words) // _MAX_PIECES)
    groups = [" ".join(words[at : at + step]) for at in range(0, len(words), step)]
    return [group if at == 0 else f" {group}" for at, group in enumerate(groups)]


def say(asked: Asked, text: str, sound: bytes | None = None) -> Iterator[Beat]:
    """Say a text: in pieces of text, or in sound with its transcription in between."""
    pieces = pieces_of(text)
    if not asked.speaks:
        for piece in pieces:
            yield Message(content(modelTurn={"parts": [{"text": piece}]}), said=piece)
        return
    sound = (
        sound
        or (echo_of(asked.heard.pcm, asked.heard.rate) if asked.heard else b"")
        or tone_of(text)
    )
    step = int(_RATE_BYTES * CHUNK_S)
    chunks = [sound[at : at + step] for at in range(0, len(sound), step)]
    for at, (chunk, piece) in enumerate(
        itertools.zip_longest(chunks, pieces if asked.transcribes else ())
    ):
        if chunk is not None:
            seconds = len(chunk) / _RATE_BYTES
            said = "" if at or asked.transcribes else text  # it says so, written or not
            yield Message(content(modelTurn=sound_part(chunk)), seconds * _LEAD, seconds, said)
        if piece is not None:
            yield Message(content(outputTranscription={"text": piece}), said=piece)


def numbers(rest: str, *defaults: float) -> list[float]:
    """Return the numbers that follow a scenario's name, and defaults for those that do not."""
    words = rest.split()[: len(defaults)]
    words += [""] * (len(defaults) - len(words))
    return [
        float(word) if _NUMBER.fullmatch(word) else default
        for word, default in zip(words, defaults, strict=True)
    ]


def _echo(asked: Asked) -> Iterator[Beat]:
    yield from say(asked, f"You said: {asked.rest or asked.text}")
    yield Complete()


def _recall(asked: Asked) -> Iterator[Beat]:
    said = "; ".join(text for role, text in asked.history if role == "user")
    yield from say(asked, f"You said before: {said or 'nothing yet'}")
    yield Complete()


def _history(asked: Asked) -> Iterator[Beat]:
    said = "; ".join(f"{role}: {text}" for role, text in asked.history)
    yield from say(asked, f"We said before: {said or 'nothing yet'}")
    yield Complete()


def _long(asked: Asked) -> Iterator[Beat]:
    yield from say(asked, _LONG, tone_of(_LONG, seconds=20))
    yield Complete()


def _tool(asked: Asked) -> Iterator[Beat]:
    yield Call(asked, "get_weather", {"city": asked.rest or "Lisbon"})
    yield Complete()


def _tool_lost(asked: Asked) -> Iterator[Beat]:
    yield Call(asked, "get_weather", {"city": asked.rest or "Lisbon"}, is_lost=True)
    yield Complete()


def _cancel(_asked: Asked) -> Iterator[Beat]:
    call_id = "call-cancelled"
    call = {"id": call_id, "name": "get_weather", "args": {"city": "Lisbon"}}
    yield Message({"toolCall": {"functionCalls": [call]}})
    yield Message({"toolCallCancellation": {"ids": [call_id]}})
    yield Complete()


def _html(asked: Asked) -> Iterator[Beat]:
    yield from say(asked, _HTML)
    yield Complete()


def _thoughts(asked: Asked) -> Iterator[Beat]:
    thought = {"parts": [{"text": "I should say hello.", "thought": True}]}
    yield Message(content(modelTurn=thought))
    yield from say(asked, "Hello!")
    yield Complete()


def _bundled(asked: Asked) -> Iterator[Beat]:
    fields: dict[str, object] = {"generationComplete": True}
    if asked.speaks:
        fields["modelTurn"] = sound_part(tone_of("bundled", seconds=0.1))
        if asked.transcribes:
            fields["outputTranscription"] = {"text": "All in one."}
    else:
        fields["modelTurn"] = {"parts": [{"text": "All in one."}]}
    sound_s = 0.1 if asked.speaks else 0.0
    yield Complete(fields, is_announced=False, sound_s=sound_s, said="All in one.")


def _thinking(asked: Asked) -> Iterator[Beat]:
    yield from say(asked, "Let me think about that.")
    yield Complete({"interactionStatus": "IN_PROGRESS"}, is_announced=False)
    yield from say(asked, "I have thought about it.")
    yield Complete({"interactionStatus": "IDLE"})


def _silent(_asked: Asked) -> Iterator[Beat]:
    yield Hang()


def _empty(_asked: Asked) -> Iterator[Beat]:
    yield Complete({"turnCompleteReason": "NEED_MORE_INPUT"}, is_announced=False)


def _goaway(asked: Asked) -> Iterator[Beat]:
    yield Leave(*numbers(asked.rest, _GO_AWAY_S))
    yield from say(asked, "I have to go.")
    yield Complete()


def _goaway_midway(asked: Asked) -> Iterator[Beat]:
    answer = [*say(asked, _LONG, tone_of(_LONG, seconds=20))]
    half = len(answer) // 2
    yield from answer[:half]
    yield Leave(*numbers(asked.rest, _GO_AWAY_S))
    yield from answer[half:]
    yield Complete()


def _goaway_silent(asked: Asked) -> Iterator[Beat]:
    yield Leave(*numbers(asked.rest, _GO_AWAY_S))
    yield Mute()


def _forget(asked: Asked) -> Iterator[Beat]:
    yield Arrange(lambda _, session, __: session.forget())
    yield from say(asked, "Nobody will go on from here.")
    yield Complete()


def _expire(asked: Asked) -> Iterator[Beat]:
    (life_s,) = numbers(asked.rest, _EXPIRY_S)
    yield Arrange(lambda _, session, now: session.end_at(now + life_s))
    yield from say(asked, "This conversation is nearly over.")
    yield Complete()


def _doom(asked: Asked, fate: Fate, said: str) -> Iterator[Beat]:
    (links,) = numbers(asked.rest, 1)
    count = min(int(links), _MAX_LINKS)
    yield Arrange(lambda faults, _, __: faults.doom(count, fate))
    yield from say(asked, f"Of the links to come, {count} will {said}.")
    yield Complete()


def _drop_setup(asked: Asked) -> Iterator[Beat]:
    yield from _doom(asked, Fate(), "not be set up")


def _drop_next(asked: Asked) -> Iterator[Beat]:
    _, after_s = numbers(asked.rest, 1, 1.0)
    yield from _doom(asked, Fate(after_s=after_s), f"be cut after {after_s:g} s")


def _quota_next(asked: Asked) -> Iterator[Beat]:
    yield from _doom(asked, QUOTA, "find the quota used up")


def _linger(asked: Asked) -> Iterator[Beat]:
    (resumes,) = numbers(asked.rest, 1)
    yield Arrange(lambda faults, _, __: faults.linger(int(resumes)))
    yield from say(asked, "I shall go on only when I am alone.")
    yield Complete()


def _pongs(asked: Asked) -> Iterator[Beat]:
    (delay_s,) = numbers(asked.rest, math.inf)
    yield Arrange(lambda faults, _, __: faults.delay_pongs(delay_s))
    yield from say(asked, f"Pings are answered after {delay_s:g} s.")
    yield Complete()


def _unheard(asked: Asked) -> Iterator[Beat]:
    (every,) = numbers(asked.rest, 2)
    yield Arrange(lambda faults, _, __: faults.miss_texts(int(every)))
    yield from say(asked, "I do not hear so well.")
    yield Complete()


def _close(asked: Asked) -> Iterator[Beat]:
    code, _, reason = asked.rest.partition(" ")
    yield End(int(code) if _CLOSE_CODE.fullmatch(code) else 1011, reason)


def _drop(_asked: Asked) -> Iterator[Beat]:
    yield End(1006)


def _quota(_asked: Asked) -> Iterator[Beat]:
    yield End(QUOTA.code, QUOTA.reason)


def _unknown_key(asked: Asked) -> Iterator[Beat]:
    yield Message({"aKeyFromTomorrow": {"x": 1}})
    yield from _echo(asked)


def _unknown_enum(asked: Asked) -> Iterator[Beat]:
    yield from say(asked, "And so it ends.")
    yield Complete({"turnCompleteReason": "A_REASON_FROM_TOMORROW"})


def _big(asked: Asked) -> Iterator[Beat]:
    yield Message(content(modelTurn={"parts": [{"text": "x" * 2_000_000, "thought": True}]}))
    yield from _echo(asked)


def _text_opcode(asked: Asked) -> Iterator[Beat]:
    yield from (
        attrs.evolve(beat, is_text=True) if isinstance(beat, Message) else beat
        for beat in _echo(asked)
    )


def _usage_only(asked: Asked) -> Iterator[Beat]:
    yield Message({"usageMetadata": {"totalTokenCount": 7}})
    yield from _echo(asked)


def _interrupted(asked: Asked) -> Iterator[Beat]:
    yield from say(asked, "I was about to")
    yield Cut()


def _help(asked: Asked) -> Iterator[Beat]:
    yield from say(asked, "Say one of: " + " ".join(f"/{name}" for name in SCENARIOS))
    yield Complete()


@attrs.frozen
class Scenario:
    """A way to answer."""

    words: str
    play: Callable[[Asked], Iterator[Beat]]


PLAYS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "echo": Scenario("say back what was said; the default", _echo),
        "recall": Scenario("say all that the user said before", _recall),
        "history": Scenario("say all that both sides said before", _history),
        "long": Scenario("speak for twenty seconds, to be interrupted", _long),
        "tool": Scenario("call get_weather, and tell what it returned", _tool),
        "tool-lost": Scenario("call get_weather, and close with 1008 for its result", _tool_lost),
        "cancel": Scenario("call get_weather, and cancel the call", _cancel),
        "html": Scenario("answer with markup and a script", _html),
        "thoughts": Scenario("think aloud before answering", _thoughts),
        "thinking": Scenario("end a turn, and go on of its own accord", _thinking),
        "bundled": Scenario("put sound, text and the turn's end in one message", _bundled),
        "silent": Scenario("never answer", _silent),
        "empty": Scenario("end the turn without an answer", _empty),
        "interrupted": Scenario("be interrupted in mid-sentence", _interrupted),
        "goaway": Scenario("announce the end of the link: /goaway SECONDS, or 50", _goaway),
        "goaway-midway": Scenario("announce it in the middle of a long answer", _goaway_midway),
        "goaway-silent": Scenario("announce it, and say nothing any more", _goaway_silent),
        "expire": Scenario("end the conversation with 1011: /expire SECONDS, or 10", _expire),
        "forget": Scenario("refuse to go on from any handle of this conversation", _forget),
        "linger": Scenario("refuse N resumes while an older link is open: /linger N", _linger),
        "close": Scenario("close the link: /close CODE REASON", _close),
        "drop": Scenario("cut the connection without a word", _drop),
        "drop-next": Scenario("cut links to come, once set up: /drop-next N SECONDS", _drop_next),
        "drop-setup": Scenario(
            "cut links to come before setupComplete: /drop-setup N", _drop_setup
        ),
        "quota": Scenario("close because the quota is used up", _quota),
        "quota-next": Scenario("close links to come for that reason: /quota-next N", _quota_next),
        "pongs": Scenario("answer pings late, or never: /pongs SECONDS", _pongs),
        "unheard": Scenario("miss each Nth text of realtimeInput: /unheard N, or 2", _unheard),
        "unknown-key": Scenario("send a message type that nobody knows yet", _unknown_key),
        "unknown-enum": Scenario("end the turn for a reason that nobody knows yet", _unknown_enum),
        "big": Scenario("send a message of 2 MB", _big),
        "text-opcode": Scenario("send text frames in place of binary ones", _text_opcode),
        "usage-only": Scenario("report usage in a message of its own", _usage_only),
        "help": Scenario("list the scenarios", _help),
    }
)
SCENARIOS: Final[Mapping[str, str]] = MappingProxyType(
    {name: scenario.words for name, scenario in PLAYS.items()}
)
"""Name -> what it does."""


def choose(text: str, always: str | None, *, has_tools: bool) -> tuple[str, str]:
    """Return the scenario for a text, and the text without its name."""
    if always is not None:
        return always, text
    first, _, rest = text.strip().partition(" ")
    if first.startswith("/") and first[1:] in PLAYS:
        return first[1:], rest.strip()
    if text.strip().lower().rstrip("?") == "what did i say":
        return "recall", ""
    if has_tools and "weather" in text.lower():
        return "tool", ""
    return "echo", ""
