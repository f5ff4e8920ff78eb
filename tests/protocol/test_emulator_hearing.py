"""What the emulator hears, and what it remembers and records, in virtual time."""

import base64
import math

import pytest

from emulator_player import (
    CASCADE,
    DEFAULT,
    MANUAL,
    NATIVE,
    PATH,
    PREVIEW,
    QUIET,
    TEXT,
    VOICE,
    Player,
    at_once,
)
from livegate.protocol.emulator import (
    Close,
    Options,
    Recording,
    Service,
    echo_of,
    tone_of,
)

# Hearing


def test_manual_activity() -> None:
    """With manual activity, what comes between start and end is the turn, and nothing else."""
    player = Player(realtimeInputConfig=MANUAL)
    player.speak(VOICE + QUIET)
    player.wait()
    player.realtime(activityStart={})
    player.speak(VOICE[:9600])
    player.speak(VOICE[9600:])
    assert player.shape() == "setupComplete"
    player.realtime(activityEnd={})
    player.wait()
    assert player.sound() == VOICE
    assert player.link.record.audio == VOICE + QUIET + VOICE


def test_manual_activity_with_text() -> None:
    """Text between activityStart and activityEnd is answered at the end."""
    player = Player(at_once(), realtimeInputConfig=MANUAL, outputAudioTranscription={})
    player.realtime(activityStart={})
    player.realtime(text="Hello")
    assert player.shape() == "setupComplete"
    player.realtime(activityEnd={})
    assert player.text() == "You said: Hello"


def test_manual_activity_with_nothing() -> None:
    """An activity in which nothing was said is not answered."""
    player = Player(at_once(), realtimeInputConfig=MANUAL)
    player.realtime(activityStart={})
    player.realtime(activityEnd={})
    assert player.shape() == "setupComplete"


@pytest.mark.parametrize(("model", "hears"), [(DEFAULT, False), (PREVIEW, True), (NATIVE, True)])
def test_audio_stream_end(model: str, *, hears: bool) -> None:
    """The audioStreamEnd ends a spoken turn, but not on 3.8, which waits for silence."""
    player = Player(model=model)
    player.realtime(audioStreamEnd=True)
    assert player.shape() == "setupComplete"
    player.speak(VOICE + b"\0\0")
    player.realtime(audioStreamEnd=True)
    player.wait()
    assert bool(player.sound()) is hears
    player.speak(QUIET)
    player.wait()
    assert player.sound()[: len(VOICE)] == VOICE


@pytest.mark.parametrize(
    ("model", "ms", "expected"),
    [(DEFAULT, 100, 0.1), (DEFAULT, 0, 0.8), (DEFAULT, None, 0.8), (PREVIEW, 100, 0.8)],
)
def test_silence_duration(model: str, ms: int | None, expected: float) -> None:
    """A spoken turn ends after the silence that was asked for; 3.1 does not listen to that."""
    detection = {} if ms is None else {"silenceDurationMs": ms}
    player = Player(model=model, realtimeInputConfig={"automaticActivityDetection": detection})
    player.speak(VOICE)
    silences = 0
    while player.shape() != "modelTurn":
        player.speak(bytes(960))
        player.wait(0.02)
        silences += 1
    assert silences == round(expected / 0.02)


def test_known_recording() -> None:
    """A recording that the service knows is transcribed; its sound is the answer's."""
    known = Recording("Hello Gemini", tone_of("a", 0.2) + QUIET[:9600] + tone_of("b", 0.2), 24_000)
    player = Player(
        Service(Options(pace=0.0, recordings=(known,))),
        inputAudioTranscription={},
        outputAudioTranscription={},
    )
    player.speak(known.pcm + QUIET)
    assert player.text("inputTranscription") == "Hello Gemini"
    assert player.text() == "You said: Hello Gemini"
    assert player.sound() == known.pcm


def test_pieces_of_sound() -> None:
    """Sound comes back in pieces of 80 ms, the last one shorter, and is heard once."""
    player = Player(at_once(), realtimeInputConfig=MANUAL)
    player.realtime(activityStart={})
    player.speak(VOICE[:10_000])
    player.realtime(activityEnd={})
    sizes = [len(base64.b64decode(part["inlineData"]["data"])) for part in player.parts]
    assert sizes == [3840, 3840, 2320]
    assert player.sound() == VOICE[:10_000]


def test_endless_activity() -> None:
    """Of a manual activity, no more than the first minute is kept."""
    player = Player(Service(Options(pace=0.0, max_record_bytes=0)), realtimeInputConfig=MANUAL)
    player.realtime(activityStart={})
    for _ in range(70):
        player.speak(b"\1" * 16_000, rate=8_000)
    player.realtime(activityEnd={})
    assert len(player.sound()) == len(echo_of(bytes(60 * 16_000), 8_000))


def test_media_chunks() -> None:
    """A 2.5 model hears the deprecated media_chunks, and lets pictures in them pass."""
    player = Player(at_once(), model=NATIVE, outputAudioTranscription={})
    data = base64.b64encode(VOICE + QUIET).decode()
    chunks = [
        {"mime_type": "image/png", "data": "AAA="},
        {"mime_type": "audio/pcm;rate=24000", "data": data},
    ]
    player.send({"realtime_input": {"media_chunks": chunks}})
    assert player.text() == "You said: [speech 0.6 s]"


# Memory


def test_history_seeding() -> None:
    """Initial history is remembered and not answered; the turn after it is."""
    player = Player(
        at_once(),
        model=PREVIEW,
        historyConfig={"initialHistoryInClientContent": True},
        outputAudioTranscription={},
    )
    turns = [
        {"role": "user", "parts": [{"text": "Capital of France?"}]},
        {"role": "model", "parts": [{"text": "Paris."}]},
    ]
    player.send({"clientContent": {"turns": turns}})
    player.send({"clientContent": {"turnComplete": True}})
    assert player.shape() == "setupComplete"
    player.realtime(text="What did I say?")
    assert player.text() == "You said before: Capital of France?"
    player.ask("Once more")
    assert player.end == Close(1007, "Request contains an invalid argument.")


def test_resumption_updates() -> None:
    """While an answer runs a link is not resumable; after each turn there is a new handle."""
    player = Player(sessionResumption={})
    turn = "busy modelTurn generationComplete turnComplete sessionResumptionUpdate"
    player.ask("Hello")
    player.wait()
    first = player.handle()
    assert player.shape() == f"setupComplete {turn}"
    player.ask("Hello")
    player.wait()
    assert player.handle() != first
    assert player.messages[-1]["sessionResumptionUpdate"] == {
        "newHandle": player.handle(),
        "resumable": True,
    }
    player.ask("/long")
    player.ask("Stop")
    player.wait()
    assert player.shape() == f"{turn} busy interrupted turnComplete sessionResumptionUpdate {turn}"


def test_resumption() -> None:
    """Another link goes on from a handle: it remembers, and may change all but the model."""
    service = at_once()
    first = Player(service, sessionResumption={})
    first.ask("My name is Ana")
    first.hang_up()
    handle = first.handle()
    for _ in range(2):
        again = Player(service, sessionResumption={"handle": handle}, outputAudioTranscription={})
        again.ask("What did I say?")
        assert again.text() == "You said before: My name is Ana"


@pytest.mark.parametrize(
    ("after", "model", "expected"),
    [
        (7199.0, DEFAULT, None),
        (7200.0, DEFAULT, Close(1008, "BidiGenerateContent session not found")),
        (0.0, NATIVE, Close(1007, "Request contains an invalid argument.")),
    ],
)
def test_resumption_refused(after: float, model: str, expected: Close | None) -> None:
    """A handle is good for two hours, and for its model."""
    service = Service(Options(pace=0.0, link_life_s=math.inf))
    first = Player(service, sessionResumption={})
    first.ask("Hello")
    again = Player(service, model, now=100 + after, sessionResumption={"handle": first.handle()})
    assert again.end == expected


def test_handles_are_few() -> None:
    """Of all conversations, the newest thousand can be resumed."""
    service = at_once()
    player = Player(service, model=CASCADE, generationConfig=TEXT, sessionResumption={})
    handles: list[str] = []
    for _ in range(1001):
        player.ask("Hello")
        handles.append(player.handle())
        player.got.clear()
    ends = [
        Player(service, CASCADE, sessionResumption={"handle": handle}).end
        for handle in handles[:2]
    ]
    assert ends == [Close(1008, "BidiGenerateContent session not found"), None]


def test_memory_is_short() -> None:
    """The last hundred things are remembered, each by its first thousand characters."""
    player = Player(at_once(), model=CASCADE, generationConfig=TEXT)
    player.ask("forgotten")
    for _ in range(100):
        player.ask("x" * 2000)
    player.got.clear()
    player.ask("/recall")
    assert player.answered() == "You said before: " + "; ".join(["x" * 1000] * 100)


def test_links_are_apart() -> None:
    """Two links of a service know nothing of each other."""
    service = at_once()
    one = Player(service, outputAudioTranscription={})
    other = Player(service, outputAudioTranscription={})
    one.ask("My secret")
    other.ask("What did I say?")
    assert other.text() == "You said before: nothing yet"
    assert [record.messages for record in service.received][1] == other.link.record.messages
    assert (service.links_open, service.links_peak, service.links_total) == (2, 2, 2)
    one.hang_up()
    other.hang_up()
    other.hang_up()
    assert (service.links_open, service.links_peak, service.links_total) == (0, 2, 2)


# Records


def test_record() -> None:
    """What a link received is kept in camelCase, sound apart."""
    player = Player(generation_config={"top_k": 40})
    player.ask("Hello")
    player.speak(b"\1\0\2\0")
    record = player.link.record
    assert record.setup == {"model": f"models/{DEFAULT}", "generationConfig": {"topK": 40}}
    turns = [{"role": "user", "parts": [{"text": "Hello"}]}]
    assert record.messages == [{"clientContent": {"turns": turns, "turnComplete": True}}]
    assert record.audio == b"\1\0\2\0"
    assert record.path == PATH


def test_record_is_limited() -> None:
    """What does not fit is served all the same, but not recorded."""
    service = Service(Options(max_record_bytes=200))
    player = Player(service)
    player.ask("x" * 500)
    player.speak(bytes(500))
    player.speak(b"\1\0")
    record = player.link.record
    assert record.setup is not None
    assert record.messages == []
    assert record.audio == b"\1\0"
    assert player.end is None


def test_old_records_go() -> None:
    """Records of ended links make room for those of new ones."""
    service = Service(Options(max_record_bytes=2000))
    open_one = Player(service)
    open_one.ask("x" * 900)
    assert len(service.received) == 1
    Player(service).hang_up()
    assert len(service.received) == 2
    open_one.hang_up()
    last = Player(service)
    assert service.received == [service.received[0], last.link.record]
    last.ask("x" * 900)
    assert last.link.record.messages


def test_records_are_few() -> None:
    """No more than a thousand ended links are remembered."""
    service = Service()
    for _ in range(1100):
        Player(service).hang_up()
    assert len(service.received) == 1000
