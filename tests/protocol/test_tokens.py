"""Client tokens: which is found, and how one is presented."""

import base64
import hashlib
import itertools
import random
from collections.abc import Iterator

import pytest

from livegate.protocol.hello import Hello
from livegate.protocol.tokens import (
    V1,
    Allowance,
    Token,
    chosen,
    digest,
    find,
    presented,
    selected,
    subprotocol,
)

CHANCE = random.Random(4711)  # noqa: S311 - the same in every run
SECRETS = ["lg_" + base64.urlsafe_b64encode(CHANCE.randbytes(32)).decode()[:-1] for _ in range(3)]
TOKENS = tuple(Token(name, digest(one)) for name, one in zip("abc", SECRETS, strict=True))


@pytest.mark.parametrize("at", range(3))
def test_found(at: int) -> None:
    """Each token is found, wherever it stands."""
    assert find(TOKENS, SECRETS[at]) is TOKENS[at]


def test_digest() -> None:
    """What is kept is the SHA-256, and no repr shows it."""
    assert TOKENS[0].digest == hashlib.sha256(SECRETS[0].encode()).digest()
    assert repr(TOKENS[0].digest) not in repr(TOKENS[0])
    assert find((), SECRETS[0]) is None


def mutated() -> Iterator[str]:
    """Yield strings that are nearly a token, without end."""
    while True:
        one = CHANCE.choice(SECRETS)
        at = CHANCE.randrange(len(one))
        other = CHANCE.randrange(len(one))
        yield one[:at] + chr(ord(one[at]) ^ 1 << CHANCE.randrange(7)) + one[at + 1 :]
        yield one[:at]
        yield one[at + 1 :]
        yield one[:at] + one[at].swapcase() + one[at + 1 :]
        yield one[: min(at, other)] + one[at] + one[min(at, other) :]
        yield one[:at] + one[other] + one[at + 1 :]
        yield one[:at] + chr(CHANCE.randrange(0x80, 0x110000)) + one[at + 1 :]
        yield one[:at] + chr(ord(one[at]) + 0xFEE0) + one[at + 1 :]  # full width
        yield CHANCE.choice(SECRETS)[:at] + one[at:]
        yield one + CHANCE.choice(["", " ", "\n", "\0", "=", "."]) * CHANCE.randrange(1, 3)
        yield CHANCE.choice(["", " ", "Bearer ", "livegate.token."]) + one.upper()
        yield digest(one).hex()
        yield one[::-1]


def test_mutated_tokens() -> None:
    """Of 100,000 strings that are nearly a token none is let in, in whatever way presented."""
    tried = (text for text in mutated() if text not in SECRETS)
    for text in itertools.islice(tried, 100_000):
        assert find(TOKENS, text) is None, text
        for hello in (
            Hello(authorization=f"Bearer {text}"),
            Hello(subprotocols=(f"livegate.token.{text}",)),
        ):
            said = presented(hello)
            assert said is None or find(TOKENS, said) is None, text


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        ("Bearer T", "T"),
        ("bearer T", "T"),
        ("BEARER T", "T"),
        ("Bearer   T", "T"),
        ("Bearer \u00e9", "\u00e9"),
        ("", None),
        ("T", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("BearerT", None),
        ("Bearer\tT", None),
        ("Bearer T ", None),
        (" Bearer T", None),
        ("Bearer T T", None),
        ("Bearer T, Bearer T", None),
        ("Bearer T\n", None),
        ("Basic T", None),
        ("Digest Bearer T", None),
    ],
)
def test_header(authorization: str, token: str | None) -> None:
    """A program presents its token in a header, in one way only."""
    assert presented(Hello(authorization=authorization)) == token


@pytest.mark.parametrize(
    ("offered", "token", "answer"),
    [
        ((), None, None),
        (("livegate.token.T",), "T", "livegate.token.T"),
        (("chat", "livegate.token.T"), "T", "livegate.token.T"),
        (("livegate.token.T", "livegate.token.U"), "T", "livegate.token.T"),
        (("livegate.token.",), "", "livegate.token."),
        (("LIVEGATE.TOKEN.T",), None, None),
        (("livegate.v1",), None, V1),
        (("LIVEGATE.TOKEN.T", "livegate.v1"), None, V1),
        (("livegate.token.T", "livegate.v1"), "T", V1),
        (("livegate.v1", "livegate.token.T"), "T", V1),
        (("livegate.V1", "livegate.v2", "livegate.v1 "), None, None),
    ],
)
def test_subprotocol(offered: tuple[str, ...], token: str | None, answer: str | None) -> None:
    """A page presents its token as a subprotocol; of several the server selects the dialect."""
    hello = Hello(subprotocols=offered)
    assert presented(hello) == token
    assert subprotocol(hello) == selected(offered) == answer
    assert chosen(offered) == (None if token is None else f"livegate.token.{token}")


def test_both() -> None:
    """A header for somebody else, as a proxy's password, does not hide a subprotocol."""
    offered = ("livegate.token.T",)
    assert presented(Hello(authorization="Basic eDp5", subprotocols=offered)) == "T"
    assert presented(Hello(authorization="Bearer U", subprotocols=offered)) == "U"


@pytest.mark.parametrize("value", [0, -1, 0.5, float("nan"), float("inf")])
def test_no_limit(value: float) -> None:
    """What limits nobody or everybody is no limit."""
    with pytest.raises(ValueError, match="messages_per_minute must be a number, and at least 1"):
        Allowance(messages_per_minute=value)
    with pytest.raises(ValueError, match="session_age_s must be a number, and at least 1"):
        Allowance(session_age_s=value)


def test_limits() -> None:
    """Limits are kept as they are."""
    kept = Allowance(sessions=1, session_age_s=1.5, messages_per_minute=1, audio_s_per_minute=60)
    assert (kept.sessions, kept.session_age_s) == (1, 1.5)
    assert Allowance() == Allowance(sessions=None)
