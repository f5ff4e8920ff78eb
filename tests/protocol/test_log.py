"""The log of a session: what an operator learns from each line."""

from collections.abc import Iterable
from typing import Final

from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Event
from livegate.protocol.inputs import Fault

OPTIONS: Final = SessionOptions(session_id="s-1")
ABOUT: Final = ("client.", "config.", "upstream.", "turn.", "session.")
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
                assert fields.pop("link") in (0, 1, 2)
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
            (103.0, inputs.UpstreamFrame(1, b'{"serverContent":{"turnComplete":true}}')),
            (103.5, inputs.UpstreamFrame(1, b'{"goAway":{"timeLeft":"9.4s"}}')),
            (104.0, inputs.UpstreamGone(1, 1011, "Internal error encountered.")),
            (104.5, said(b'{"type":"text","text":"hi"}')),
            (105.0, inputs.UpstreamGone(2, 1006, "")),
            (106.12345, inputs.ClientGone(1, 1001)),
        ]
    ) == [
        (Event.CLIENT_ACCEPTED, {"peer": "192.0.2.1"}),
        (Event.UPSTREAM_OPENED, {"model": "gemini-3.8-live", "ms": 1250}),
        (Event.CONFIG_APPLIED, {"model": "gemini-3.8-live", "app": "demo", "client_id": 7}),
        (Event.CLIENT_REJECTED, {"code": "bad_json"}),
        (Event.UPSTREAM_UNREADABLE, {"bytes": 8}),
        (Event.TURN_COMPLETED, {"turn": 1}),
        (Event.UPSTREAM_WENT_AWAY, {"s": 9}),
        (Event.UPSTREAM_LOST, {"code": 1011, "reason": "Internal error encountered."}),
        (Event.UPSTREAM_FAILED, {"code": 1006, "reason": ""}),
        (
            Event.SESSION_CLOSED,
            {
                "code": 1001,
                "s": 6.123,
                "turns": 1,
                "client_frames": 3,
                "client_bytes": len(config) + 4 + 27,
                "upstream_frames": 4,
                "upstream_bytes": 20 + 8 + 39 + 30,
            },
        ),
    ]


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
    assert (closed[0], closed[1]["code"], closed[1]["s"]) == (Event.SESSION_CLOSED, 4201, 1.0)


def test_shut_down() -> None:
    """A deploy is told by its close code."""
    [(event, fields)] = log_of([(100.0, inputs.ShutdownRequested())])
    assert (event, fields["code"], fields["turns"]) == (Event.SESSION_CLOSED, 1012, 0)
