"""The log, in both its forms: what each line says, and what none may."""

import json
import logging
import re
import signal
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

import running
import terminal
from livegate.emulator import Emulator, Options
from livegate.protocol.commands import LEVELS, Event, Level, Scalar
from livegate.protocol.secret import Secret
from livegate.shell.logs import FORMS, Json, Line, Text
from terminal import LIVEGATE, clean_environment

KEY: Final = "AIzaCanaryCanaryCanary4711"
SAID: Final = "canary-was-said"
RECEIVE_S: Final = 20.0
FORMATTERS: Final[Mapping[str, type[Text | Json]]] = MappingProxyType({"text": Text, "json": Json})


def formatted(
    form: str, message: object, *args: object, key: str = KEY, fault: bool = False
) -> str:
    """Return what is written of one record, whose logger is somebody else's."""
    info = None
    if fault:
        try:
            int(f"it broke at {key}")
        except ValueError:
            info = sys.exc_info()
    record = logging.LogRecord("theirs", logging.WARNING, "file", 1, message, args, info)
    record.created = 1_769_860_800.25
    return FORMATTERS[form]([Secret(key)]).format(record)


def test_text() -> None:
    """A line of text is an event and its fields, behind the time and the level."""
    line = Line("session.closed", {"code": 1001, "why": "client_gone", "s": 1.5})
    written = formatted("text", line)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING session\.closed code=1001 "
        r"why='client_gone' s=1\.5",
        written,
    )
    assert formatted("text", "they say %s", "so").endswith("WARNING they say so")
    assert formatted("text", Line("session.failed", exception="a\nb")).endswith(
        "WARNING session.failed\na\nb"
    )


def test_json() -> None:
    """A line of JSON has the time in UTC, the level, the event, and its fields as they are."""
    line = Line("session.closed", {"code": 1001, "why": "client_gone", "s": 1.5})
    assert formatted("json", line) == (
        '{"time": "2026-01-31T12:00:00.250Z", "level": "warning", "event": "session.closed", '
        '"code": 1001, "why": "client_gone", "s": 1.5}'
    )


def test_others_in_json() -> None:
    """What other libraries log is an event like any other, its traceback a field."""
    told = json.loads(formatted("json", "they say %s", "so", fault=True))
    trace = told.pop("exception")
    assert told == {
        "time": "2026-01-31T12:00:00.250Z",
        "level": "warning",
        "event": "log",
        "logger": "theirs",
        "message": "they say so",
    }
    assert trace.startswith("Traceback")
    assert trace.endswith("'it broke at [key]'")


KEYS: Final = (KEY, "a'b\"c\\d", "a%2Fb/c=d", '"', '"event"', "info")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_no_key(form: str, key: str) -> None:
    """The key is cut out of whatever is written, however it is escaped there."""
    record = Line("upstream.lost", {"reason": f"<{key}>"}, exception=f"<{key}>")
    for written in (
        formatted(form, record, key=key),
        formatted(form, "<%s>", key, key=key),
        formatted(form, "%r", f"<{key}>", key=key),
        formatted(form, json.dumps(f"<{key}>"), key=key),
        formatted(form, f"<{key}>", key=key, fault=True),
    ):
        told: object = json.loads(written) if form == "json" else written
        assert "[key]" in str(told)
        assert f"<{key}>" not in written
        assert f"<{json.dumps(key)[1:-1]}>" not in written


@pytest.mark.parametrize("form", FORMS)
def test_no_key_to_hide(form: str) -> None:
    """Without a key nothing is cut out."""
    assert "all is well" in formatted(form, "all is well", key="")


@given(st.text(), st.dictionaries(st.sampled_from(["peer", "reason"]), st.text()))
def test_one_line(message: str, fields: Mapping[str, Scalar]) -> None:
    """Whatever a peer says, a record is one line of ASCII without control characters."""
    for record in (Line("client.accepted", fields), message):
        written = formatted("json", record)
        assert re.fullmatch("[ -~\x7f]*", written)
        told = json.loads(written)
        if isinstance(record, str):
            assert told["message"].replace("[key]", KEY) == message
        else:
            assert fields.items() <= told.items()


# All of a running gateway


def until(client: ClientConnection, type_: str) -> None:
    """Take frames up to one of a type."""
    while json.loads(client.recv(RECEIVE_S))["type"] != type_:
        pass


FRAMES: Final = (
    f'{{"type":"config","system_instruction":"{SAID}","voice":"{SAID}"}}',
    f'{{"type":"config","system_instruction":"{SAID}","voice":"Puck"}}',
    f'{{"type":"{SAID}"}}',
    f'{{"type":"ping","data":"{SAID}"}}',
    f'{{"type":"audio","data":"{SAID}"}}',
    f'{{"type":"tool_response","id":"{SAID}","response":{{"{SAID}":1}}}}',
    SAID,
    f'{{"type":"text","text":"{SAID}"}}',
)


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_serve_in_json(runtime: str, level: str) -> None:
    """All that serve prints is JSON, line by line; no key, no text and no token is in it."""
    with Emulator(options=Options(pace=0)) as gemini:
        environment = clean_environment(
            GEMINI_API_KEY=KEY,
            LIVEGATE_GEMINI_URL=gemini.url,
            LIVEGATE_LOG_FORMAT="json",
            LIVEGATE_LOG_LEVEL=level,
        )
        command = (*LIVEGATE, "serve", "--port", "0", "--runtime", runtime)
        with terminal.program(*command, environment=environment) as server:
            url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
            server.expect("listening")
            with connect(f"{url}?token={SAID}", close_timeout=1) as client:
                for frame in FRAMES:
                    client.send(frame)
                client.send(SAID.encode())
                until(client, "turn_complete")
                server.signal(signal.SIGTERM)
                assert terminal.closed(client) == 1012
            assert server.status() == 0, server.printed
    assert KEY not in server.printed
    assert SAID not in server.printed
    lines = [json.loads(line) for line in server.printed.splitlines()]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in (("info", "debug", "warning") if level == "debug" else ("info",))
    events = [line["event"] for line in lines]
    wanted = {"debug": (*Level,), "info": (Level.INFO,)}[level]
    assert {*events} <= {"log", *(event for event in Event if LEVELS[event] in wanted)}
    (closed,) = (line for line in lines if line["event"] == "session.closed")
    assert (closed["code"], closed["why"]) == (1012, "shutdown")
    assert closed["response_tokens"] > 0
    assert lines[-1]["message"] == "ended: every client was told"
