"""What holds for the emulator whatever a client sends, in any order, at any time."""

import base64
import json
import math
from pathlib import Path
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from livegate.protocol import _json, profiles
from livegate.protocol.emulator import (
    SCENARIOS,
    Abort,
    Close,
    DeadlineReached,
    Event,
    Frame,
    Gone,
    Hello,
    Link,
    Options,
    Recording,
    Send,
    Service,
    tone_of,
)

SAMPLES: Final = Path(__file__).parent.parent / "data" / "wire-samples"
PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VOICE: Final = tone_of("a voice", 0.4)
EMPTY: Final[dict[str, object]] = {}
MODELS: Final = [f"models/{name}" for name in profiles.PROFILES]


Strategy = st.SearchStrategy[object]


def some_of(**fields: Strategy) -> Strategy:
    """Return objects that have some of these fields."""
    required: dict[str, Strategy] = {}
    return st.fixed_dictionaries(required, optional=fields)


def set_up(model: str, settings: dict[str, object]) -> object:
    """Return a setup."""
    return {"setup": {"model": model, **settings}}


def recorded() -> list[object]:
    """Return the messages that the official SDK sent."""
    paths = sorted(path for path in SAMPLES.glob("*.json") if not path.name.startswith("server-"))
    files = [json.loads(path.read_text()) for path in paths]
    return [frame["json"] for file in files for frame in file["frames"]]


def spoken(pcm: bytes, rate: int) -> object:
    """Return a message with sound."""
    data = base64.b64encode(pcm).decode()
    return {"realtimeInput": {"audio": {"mimeType": f"audio/pcm;rate={rate}", "data": data}}}


def asked(text: str) -> object:
    """Return a message with a turn of text."""
    return {"clientContent": {"turns": [{"parts": [{"text": text}]}], "turnComplete": True}}


scalars: Strategy = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
anything: Strategy = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=10,
)
detection: Strategy = st.sampled_from(
    [{"disabled": True}, {"silenceDurationMs": 60}, {"silenceDurationMs": -1}]
)
settings: Strategy = some_of(
    generationConfig=some_of(
        responseModalities=st.sampled_from([["AUDIO"], ["TEXT"]]),
        thinkingConfig=st.sampled_from([{"thinkingLevel": "LOW"}, {"thinkingBudget": 1}]),
    ),
    realtimeInputConfig=some_of(
        automaticActivityDetection=detection, activityHandling=st.just("NO_INTERRUPTION")
    ),
    sessionResumption=st.just(EMPTY),
    inputAudioTranscription=st.just(EMPTY),
    outputAudioTranscription=st.just(EMPTY),
    historyConfig=st.just({"initialHistoryInClientContent": True}),
    tools=st.just([{"functionDeclarations": [{"name": "get_weather"}]}]),
)
setups: Strategy = st.builds(set_up, st.sampled_from(MODELS), settings)
results: Strategy = st.fixed_dictionaries(
    {"id": st.sampled_from(["call-1-1", "call-1-2"])},
    optional={
        "response": st.dictionaries(st.text(max_size=5), anything, max_size=2),
        "scheduling": st.sampled_from(["SILENT", "WHEN_IDLE", "INTERRUPT"]),
        "willContinue": st.booleans(),
    },
)
valid: Strategy = (
    st.sampled_from([f"/{name} 1000 x" for name in SCENARIOS]).map(asked)
    | st.text(max_size=30).map(asked)
    | st.text(max_size=30).map(lambda text: {"realtimeInput": {"text": text}})
    | st.sampled_from(recorded())
    | st.sampled_from([spoken(VOICE, 24_000), spoken(bytes(48_000), 24_000), spoken(VOICE, 8_000)])
    | st.sampled_from(
        [{"realtimeInput": {"activityStart": EMPTY}}, {"realtimeInput": {"activityEnd": EMPTY}}]
    )
    | st.lists(results, max_size=3).map(
        lambda found: {"toolResponse": {"functionResponses": found}}
    )
)


def changed(draw: st.DrawFn, value: object) -> object:
    """Return JSON in which one value is another."""
    if _json.is_object(value) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: changed(draw, value[key])}
    if _json.is_array(value) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], changed(draw, value[at]), *value[at + 1 :]]
    return draw(anything)


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """Return a valid message in which one value is another."""
    return changed(draw, draw(valid | setups))


payloads = st.binary(max_size=40) | (
    (valid | mutated() | setups).map(lambda message: json.dumps(message).encode())
)
clocks = st.sampled_from([0.0, 0.01, 0.1, 1.0, 60.0, 7200.0, -5.0, math.inf, math.nan])
events = payloads.map(Frame) | st.just(DeadlineReached())
openings = setups.map(lambda message: [Frame(json.dumps(message).encode())]) | st.builds(
    list[Frame]
)


@given(
    openings,
    st.lists(st.tuples(events, clocks), max_size=12),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from(["key", ""]),
)
@example([], [(Frame(b"[" * 100_000), 0.0)], 1.0, "key")
def test_handle_never_raises(
    opening: list[Event], happens: list[tuple[Event, float]], pace: float, key: str
) -> None:
    """Nothing that comes, at any time, raises; nothing is said after the end; all links are let go."""
    service = Service(Options(pace=pace, recordings=(Recording("Hello", VOICE, 24_000),)))
    link = Link(service, Hello(PATH, key))
    other = Link(service, Hello(PATH, key))
    now, is_over = 0.0, False
    for event, later in [*((one, 0.0) for one in opening), *happens, (Gone(), 0.0)]:
        now += later
        for command in link.handle(event, now):
            assert not is_over
            is_over = isinstance(command, Close | Abort)
            if isinstance(command, Send):
                assert isinstance(json.loads(command.payload), dict)
        if is_over:
            assert link.deadline is None
            assert service.links_open == 1
    assert link.deadline is None
    assert service.links_open == 1
    assert other.handle(DeadlineReached(), now) == []
    other.handle(Gone(), now)
    assert service.links_open == 0


@given(openings, st.lists(st.tuples(payloads, st.floats(0.0, 30.0)), max_size=8))
def test_deadlines_make_progress(opening: list[Frame], happens: list[tuple[bytes, float]]) -> None:
    """Handling a deadline when it is due does something, or moves the deadline."""
    link = Link(Service(), Hello(PATH, "key"))
    now = 0.0
    for payload, wait in [*((one.payload, 0.0) for one in opening), *happens]:
        link.handle(Frame(payload), now)
        until = now + wait
        while (deadline := link.deadline) is not None and deadline <= until:
            now = max(now, deadline)
            commands = link.handle(DeadlineReached(), now)
            assert commands or link.deadline != deadline
        now = until
