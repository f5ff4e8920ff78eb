"""The log of a session: what an operator learns from each line."""

from collections.abc import Iterable
from typing import Final

from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Event
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.inputs import Fault
from livegate.protocol.settings import LABELS

OPTIONS: Final = SessionOptions(session_id="s-1")
ABOUT: Final = ("client.", "config.", "upstream.", "input.", "answer.", "turn.", "session.")
USAGE: Final = (
    b'{"serverContent":{"turnComplete":true},'
    b'"usageMetadata":{"promptTokenCount":7,"responseTokenCount":5,"totalTokenCount":12}}'
)
Line = tuple[Event, dict[str, commands.Scalar]]


def log_of(steps: Iterable[tuple[float, inputs.Input]]) -> list[Line]:
    """Return the lines of a session, whose clock began at 100, about its peers and its turns."""
    session = Session(OPTIONS, seed=0)
    session.start(100.0)
    found: list[Line] = []
    for now, event in steps:
        for command in session.handle(event, now):
            if isinstance(command, commands.Log) and command.event.startswith(ABOUT):
                assert command.level is commands.LEVELS[command.event]
                fields = dict(command.fields)
                assert fields.pop("session") == "s-1"
                assert fields.pop("link") in range(5)
                found.append((command.event, fields))
    return found


def said(text: bytes) -> inputs.ClientFrame:
    """Return a client's text frame."""
    return inputs.ClientFrame(1, text, is_text=True)


def test_conversation() -> None:
    """Each line says how long, how much, why, and on which model."""
    config = b'{"type":"config","data":{"app":"demo","client_id":7}}'
    assert log_of(
        [
            (100.0, inputs.ClientOpened(1, "192.0.2.1")),
            (100.5, said(config)),
            (101.0, inputs.UpstreamOpened(1)),
            (101.75, inputs.UpstreamFrame(1, b'{"setupComplete":{}}')),
            (102.0, said(b"junk")),
            (102.5, inputs.UpstreamFrame(1, b"not json")),
            (103.0, inputs.UpstreamFrame(1, USAGE)),
            (103.0, inputs.UpstreamFrame(1, b'{"usageMetadata":{"thoughtsTokenCount":3}}')),
            (103.5, inputs.UpstreamFrame(1, b'{"goAway":{"timeLeft":"9.4s"}}')),
            (104.0, inputs.UpstreamOpened(2)),
            (104.25, inputs.UpstreamFrame(2, b'{"setupComplete":{}}')),
            (104.5, said(b'{"type":"text","text":"hi"}')),
            (104.75, inputs.ClientFrame(1, bytes(8002), is_text=False)),
            (105.0, inputs.UpstreamGone(2, 1011, "Internal error encountered.")),
            (105.5, inputs.DeadlineReached()),
            (105.5, inputs.UpstreamGone(3, 1006, "")),
            (106.5, inputs.DeadlineReached()),
            (106.75, inputs.UpstreamOpened(4)),
            (107.0, inputs.UpstreamFrame(4, b'{"setupComplete":{}}')),
            (107.12345, inputs.ClientGone(1, 1001)),
        ]
    ) == [
        (Event.CLIENT_ACCEPTED, {"peer": "192.0.2.1"}),
        (Event.UPSTREAM_OPENED, {"model": "gemini-3.8-live", "ms": 1250}),
        (Event.CONFIG_APPLIED, {"model": "gemini-3.8-live", "app": "demo", "client_id": 7}),
        (Event.CLIENT_REJECTED, {"code": "bad_json"}),
        (Event.UPSTREAM_UNREADABLE, {"bytes": 8}),
        (Event.TURN_COMPLETED, {"turn": 1}),
        (Event.UPSTREAM_WENT_AWAY, {"s": 9}),
        (Event.UPSTREAM_OPENED, {"model": "gemini-3.8-live", "ms": 750}),
        (Event.UPSTREAM_LOST, {"code": 1011, "reason": "Internal error encountered."}),
        (Event.UPSTREAM_FAILED, {"code": 1006, "reason": ""}),
        (Event.UPSTREAM_OPENED, {"model": "gemini-3.8-live", "ms": 500}),
        (Event.INPUT_LOST, {"frames": 1, "audio_s": 0.25}),
        (
            Event.SESSION_CLOSED,
            {
                "code": 1001,
                "why": "client_gone",
                "s": 7.123,
                "turns": 2,
                "client_frames": 4,
                "client_bytes": len(config) + 4 + 27 + 8002,
                "client_audio_s": 0.25,
                "upstream_frames": 7,
                "upstream_bytes": 3 * 20 + 8 + len(USAGE) + 42 + 30,
                "upstream_audio_s": 0,
                "prompt_tokens": 7,
                "response_tokens": 5,
                "thoughts_tokens": 3,
                "tool_use_prompt_tokens": 0,
            },
        ),
    ]


def test_late_call() -> None:
    """What was answered for the client counts as input, if it is lost."""
    call = b'{"toolCall":{"functionCalls":[{"id":"c-1","name":"look","args":{}}]}}'
    *_, (event, fields) = log_of(
        [
            (100.0, inputs.ClientOpened(1)),
            (100.0, said(b'{"type":"text","text":"hi"}')),
            (100.0, inputs.UpstreamOpened(1)),
            (100.0, inputs.UpstreamFrame(1, b'{"setupComplete":{}}')),
            (100.0, inputs.UpstreamFrame(1, call)),
            (220.0, inputs.DeadlineReached()),
            (220.0, inputs.UpstreamGone(1, 1006, "")),
            (220.0, inputs.UpstreamOpened(2)),
            (220.0, inputs.UpstreamFrame(2, b'{"setupComplete":{}}')),
        ]
    )
    assert (event, fields) == (Event.INPUT_LOST, {"frames": 2, "audio_s": 0})


def test_key_refused() -> None:
    """A dial that failed names its fault, and the end its code."""
    [*_, failed, closed] = log_of(
        [
            (100.0, inputs.ClientOpened(1)),
            (100.0, said(b'{"type":"text","text":"hi"}')),
            (101.0, inputs.DialFailed(1, Fault.FORBIDDEN)),
        ]
    )
    assert failed == (Event.UPSTREAM_FAILED, {"fault": "forbidden"})
    assert closed[0] is Event.SESSION_CLOSED
    assert (closed[1]["code"], closed[1]["why"], closed[1]["s"]) == (4201, "link_denied", 1.0)


def test_held_off() -> None:
    """A link that nobody has dialled is told quietly."""
    [*_, (event, fields)] = log_of(
        [
            (100.0, inputs.ClientOpened(1)),
            (100.0, said(b'{"type":"text","text":"hi"}')),
            (100.0, inputs.DialFailed(1, Fault.RESTING)),
        ]
    )
    assert (event, fields) == (Event.UPSTREAM_HELD_OFF, {})
    assert commands.LEVELS[event] is commands.Level.DEBUG


def test_shut_down() -> None:
    """A deploy is told by its close code."""
    [(event, fields)] = log_of([(100.0, inputs.ShutdownRequested())])
    assert event is Event.SESSION_CLOSED
    assert (fields["code"], fields["why"], fields["turns"]) == (1012, "shutdown", 0)


def test_sound() -> None:
    """How long the client waited for a first sound is told once an answer, and all sound counts."""
    sound = (
        b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":'
        b'{"mimeType":"audio/pcm;rate=24000","data":"' + b"AAAA" * 16_000 + b'"}}]}}}'
    )
    lines = log_of(
        [
            (100.0, inputs.ClientOpened(1, "192.0.2.1", "alice")),
            (100.0, said(b'{"type":"text","text":"hi"}')),
            (100.5, inputs.UpstreamOpened(1)),
            (101.0, inputs.UpstreamFrame(1, b'{"setupComplete":{}}')),
            (101.2504, inputs.UpstreamFrame(1, sound)),
            (101.5, inputs.UpstreamFrame(1, sound)),
            (102.0, inputs.ClientFrame(1, bytes(16_000), is_text=False)),
            (102.0, inputs.ClientDismissed(Refusal(ErrorCode.RATE_LIMITED, "too much"))),
        ]
    )
    assert lines[0] == (Event.CLIENT_ACCEPTED, {"peer": "192.0.2.1", "client": "alice"})
    assert [fields for event, fields in lines if event is Event.ANSWER_BEGUN] == [{"s": 0.25}]
    event, fields = lines[-1]
    assert (event, fields["code"], fields["why"]) == (Event.SESSION_CLOSED, 1013, "dismissed")
    assert (fields["client_audio_s"], fields["upstream_audio_s"]) == (0.5, 2.0)


def test_a_running_session() -> None:
    """What a session has carried is known while it runs."""
    session = Session(OPTIONS, seed=0)
    session.start(100.0)
    session.handle(inputs.ClientOpened(1), 100.0)
    [*_, pong] = session.handle(said(b'{"type":"ping","data":1}'), 100.0)
    assert isinstance(pong, commands.SendClient)
    assert session.tally.frames[inputs.Side.CLIENT] == 1
    assert session.tally.queued_bytes == len(pong.payload)


def test_labels_hide_nothing() -> None:
    """No label of a client's is called like what a line says itself."""
    assert not {"session", "link", "time", "level", "event", "model"} & {*LABELS}
