"""What a journal holds of clients that come back: no token, no handle, and enough for a replay."""

import base64
import json
import random
from collections.abc import Mapping
from typing import Final

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Command
from livegate.protocol.inputs import Input
from livegate.protocol.redaction import Redaction, comparable
from livegate.protocol.settings import KEYS
from recorder import recorded, replayed
from returning import READY, Returning, heard, read

KEY: Final = "AIzaCanaryCanaryCanaryCanaryCanary4711"
HANDLE: Final = "HandleCanary-0815_HandleCanary"
TOKEN: Final = "lgr1_" + base64.urlsafe_b64encode(bytes(range(256))).decode().rstrip("=")
REDACTION: Final = Redaction(api_key=KEY, salt=b"salt")
KEEPING: Final = Redaction(keeps_media=True, api_key=KEY, salt=b"salt")
CONFIG: Final[Mapping[str, object]] = {
    "resumable": True,
    "systemInstruction": {"parts": [{"text": "be brief"}]},
    "app": f"'token': '{TOKEN}'",
    "device": f"the key is {KEY}",
}


def lines(
    history: list[tuple[Input, float, list[Command]]], redaction: Redaction, seed: int = 7
) -> list[bytes]:
    """Return a journal."""
    return recorded(SessionOptions(), seed, history[0][1], history, redaction)


def gone_on(
    token: str, handle: str | None, config: Mapping[str, object]
) -> list[tuple[Input, float, list[Command]]]:
    """Return what is said to a session that goes on with a conversation held elsewhere."""
    session = Session(SessionOptions(), seed=7)
    session.start(100.0)
    asked = {"type": "resume", "data": {"session": token, "seq": 5}}
    told: tuple[Input, ...] = (
        inputs.ClientOpened(1, "192.0.2.1", is_v1=True),
        inputs.ClientFrame(1, json.dumps(asked).encode(), is_text=True),
        inputs.TokenOpened("gemini-3.8-live", handle, config),
        inputs.Sealed(token[::-1]),
        inputs.UpstreamOpened(1),
        inputs.UpstreamFrame(1, READY),
        inputs.ClientFrame(1, b'{"type":"text","text":"Hi"}', is_text=True),
        inputs.ClientGone(1, 1006),
        inputs.UpstreamFrame(1, read("Hello.")),
        inputs.ClientReturned(2, 6),
    )
    return [(event, 100.0, session.handle(event, 100.0)) for event in told]


@pytest.mark.parametrize("redaction", [REDACTION, KEEPING])
def test_nothing_secret_is_left(redaction: Redaction) -> None:
    """No token that a client brings or gets, and no handle in one, is in a journal."""
    history = gone_on(TOKEN, HANDLE, CONFIG)
    given_ = str([attrs.asdict(one) for event, _, some in history for one in (event, *some)])
    assert all(canary in given_ for canary in (TOKEN, TOKEN[::-1], HANDLE, KEY))
    journal = b"".join(lines(history, redaction)).decode()
    for canary in (TOKEN[5:], TOKEN[::-1], HANDLE, KEY):
        pieces = [canary[at : at + 12] for at in range(len(canary) - 12)]
        assert not [piece for piece in pieces if piece in journal]
    assert replayed(lines(history, redaction)) is None


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    st.sampled_from([REDACTION, KEEPING]),
)
@example('a"b\\c\\n\\u0041\u00e9\U0001f600', 'a"b\\c\\n\\u0041\u00e9\U0001f600', REDACTION)
def test_replay_of_any_token(token: str, handle: str | None, redaction: Redaction) -> None:
    """Whatever characters a token or handle is made of, a replay answers the same."""
    history = gone_on(token, handle, {"resumable": True})
    assert replayed(lines(history, redaction)) is None


_values: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([*KEYS]), _values, max_size=5),
    st.sampled_from([REDACTION, KEEPING]),
)
@example({"systemInstruction": "x" * 1000, "app": "session: 'abc'"}, REDACTION)
def test_replay_of_any_settings(config: Mapping[str, object], redaction: Redaction) -> None:
    """Whatever settings are in a token, a replay answers the same."""
    history = gone_on(TOKEN, HANDLE, {**config, "resumable": True})
    assert replayed(lines(history, redaction)) is None


@pytest.mark.parametrize("redaction", [REDACTION, KEEPING])
@pytest.mark.parametrize("config", [{}, {"audio": {"encoding": "binary"}}], ids=["text", "bytes"])
@pytest.mark.parametrize("seed", range(4))
def test_replay_of_returns(seed: int, config: Mapping[str, object], redaction: Redaction) -> None:
    """A session whose client comes back again and again is the same when it is replayed."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
    client = Returning(SessionOptions(), {"response_modalities": ["AUDIO"], **config})
    client.take_all()
    for number in range(30):
        client.hear(heard(rng.randbytes(600)), read(f"words {number}"))
        client.say(type="ping", data=number)
        client.send(rng.randrange(4))
        client.take(rng.randrange(4))
        if rng.random() < 0.6:
            client.cut()
            client.hear(heard(rng.randbytes(400)), b'{"serverContent":{"interrupted":true}}')
            client.wait(rng.choice((0.5, 60.0)))
        client.come_back()
        handle = b'{"sessionResumptionUpdate":{"newHandle":"%b%d","resumable":true}}'
        client.hear(b'{"serverContent":{"turnComplete":true}}', handle % (HANDLE.encode(), number))
    journal = lines(client.history, redaction)
    assert replayed(journal) is None
    assert HANDLE.encode() not in b"".join(journal)
    assert b"token 1" not in b"".join(journal)


@pytest.mark.parametrize("keeps_media", [True, False])
def test_comparable_once(*, keeps_media: bool) -> None:
    """To compare twice is to compare once."""
    for command in (
        commands.Resume(TOKEN, 4),
        commands.Seal("gemini-3.8-live", HANDLE, CONFIG),
        commands.Seal("gemini-3.8-live", None, {}),
    ):
        once = comparable(command, keeps_media=keeps_media)
        assert comparable(once, keeps_media=keeps_media) == once
        assert TOKEN not in str(once)
        assert HANDLE not in repr(once)
    assert comparable(commands.Resume(TOKEN, 4), keeps_media=keeps_media) == commands.Resume(
        "x" * len(TOKEN), 4
    )


def test_pseudonyms() -> None:
    """A token that comes back is known again by its length, a handle by its pseudonym."""
    sealed = REDACTION.input(inputs.Sealed(TOKEN))
    assert isinstance(sealed, inputs.Sealed)
    assert len(sealed.token) == len(TOKEN)
    opened = REDACTION.input(inputs.TokenOpened("m", HANDLE, {}))
    assert isinstance(opened, inputs.TokenOpened)
    assert opened.handle != HANDLE
    setup = b'{"setup":{"sessionResumption":{"handle":"%b"}}}'
    given_ = REDACTION.command(commands.SendUpstream(1, setup % HANDLE.encode()))
    assert given_ == commands.SendUpstream(1, setup % str(opened.handle).encode())
    without = REDACTION.input(inputs.TokenOpened("m", None, {}))
    assert isinstance(without, inputs.TokenOpened)
    assert without.handle is None
