"""Resume tokens: what goes in comes out, for whom it was meant, and for nobody else."""

import base64
import random
import shlex
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final

import attrs
import msgspec
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import example, given
from hypothesis import strategies as st

import docs
from livegate.protocol.limits import KIB, Limits
from livegate.protocol.secret import Secret
from livegate.shell import seals as module
from livegate.shell.seals import (
    LIFETIME_S,
    MAX_CHARS,
    MAX_CONFIG_BYTES,
    Flaw,
    Sealed,
    Seals,
    TooLargeError,
    split,
)
from livegate.shell.target import SettingsError

OLD: Final = Secret("the-old-secret-of-forty-characters-0815")
NEW: Final = Secret("the-new-secret-of-forty-characters-4711")
NOW: Final = 1_800_000_000
ID: Final = bytes(range(16))
SEALED: Final = Sealed(
    id=ID,
    name="alice",
    model="gemini-x",
    handle="Cig5Canary",
    config={"system_instruction": "canary-was-said", "temperature": 0.5, "tools": [{"a": None}]},
    expires_at=NOW + LIFETIME_S,
)

FIRST_DAY: Final = (
    "lgr1_AAECAwQFBgcICQoLLufheHbE8oEJkOdduwLYFMY7STkqIkmi3AxQqYOEocVm-oJTHx9BrezlH9og50aUn38SkKamh_SVBU2EMVsMr"
    "i6dtXh6bblRhoa-al7uop1JTdNwXZvQ02UfnAvS8VmUKIwttksfV7oKAqJiD63bILhDfUKyALfeCIeoXDh49LHGXumS7P5uWr86e-Rk73tR"
)
"""`SEALED`, with `OLD` and by the first code that could."""


def key(secret: Secret) -> AESGCMSIV:
    """Return what a secret seals with."""
    kdf = HKDF(SHA256(), 32, None, b"livegate resume token 1")
    return AESGCMSIV(kdf.derive(secret.value.encode()))


def forged(plain: bytes) -> str:
    """Return a token for alice with anything in it, whose seal is good."""
    bound_to = b"livegate resume token 1\0alice"
    return written(bytes(12) + key(NEW).encrypt(bytes(12), plain, bound_to))


def written(sealed: bytes) -> str:
    """Return a token's text."""
    return "lgr1_" + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


# What goes in comes out

_json: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip
_sealed: Final = st.builds(
    Sealed,
    id=st.binary(min_size=16, max_size=16),
    name=st.just("") | st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    model=st.text(max_size=40),
    handle=st.none() | st.text(max_size=40),
    config=st.dictionaries(st.text(), _json),
    expires_at=st.integers(1, 2**63 - 1),
)


@given(_sealed, st.integers(1, 2**31))
@example(SEALED, LIFETIME_S)
def test_round_trip(sealed: Sealed, left_s: int) -> None:
    """A token is opened as it was sealed, by whoever has the secret."""
    token = Seals([NEW]).seal(sealed)
    now = sealed.expires_at - left_s
    assert Seals([NEW]).unseal(token, name=sealed.name, now=now) == sealed
    assert token.isascii()
    assert token.startswith("lgr1_")


def test_any_mapping() -> None:
    """A config may be any mapping."""
    sealed = attrs.evolve(SEALED, config=MappingProxyType({"voice": "Puck"}))
    found = Seals([NEW]).unseal(Seals([NEW]).seal(sealed), name="alice", now=NOW)
    assert found is not None
    assert found.config == {"voice": "Puck"}


def test_same_format() -> None:
    """A token of this version's first day is still opened: another format is another version."""
    assert Seals([OLD]).unseal(FIRST_DAY, name="alice", now=NOW) == SEALED


def test_no_two_alike() -> None:
    """The same is sealed differently each time, and a token's size tells of no handle's letters."""
    seals = Seals([NEW])
    assert len({seals.seal(SEALED) for _ in range(100)}) == 100
    config = {"system_instruction": "Cig5Canary" * 10}
    sizes = {
        len(seals.seal(attrs.evolve(SEALED, handle=handle, config=config)))
        for handle in ("Cig5Canary", "qwJ8Zo_-xK")
    }
    assert len(sizes) == 1


# Secrets


def test_rotation() -> None:
    """The first secret seals, both open: so the old one and the new one may be swapped."""
    before, both, after = Seals([OLD]), Seals([NEW, OLD]), Seals([NEW])
    old, new = before.seal(SEALED), both.seal(SEALED)
    opened = [
        [seals.unseal(token, name="alice", now=NOW) is not None for token in (old, new)]
        for seals in (before, both, Seals([OLD, NEW]), after)
    ]
    assert opened == [[True, False], [True, True], [True, True], [False, True]]
    assert Seals([OLD, NEW]).seal(SEALED) != old
    assert before.unseal(Seals([OLD, NEW]).seal(SEALED), name="alice", now=NOW) == SEALED


def test_without_a_secret() -> None:
    """Without a secret one is drawn: nobody else opens these tokens."""
    mine, others = Seals(), Seals()
    token = mine.seal(SEALED)
    assert mine.unseal(token, name="alice", now=NOW) == SEALED
    assert others.examine(token, name="alice", now=NOW) is Flaw.FORGED
    assert mine.secrets == ()


def test_chance_is_a_parameter() -> None:
    """With the same chance, the same comes of it."""
    drawn: list[int] = []

    def chance(count: int) -> bytes:
        drawn.append(count)
        return bytes(count)

    assert Seals(random=chance).seal(SEALED) == Seals(random=bytes).seal(SEALED)
    assert drawn == [32, 12]
    assert Seals([NEW], random=bytes).seal(SEALED) == Seals([NEW], random=bytes).seal(SEALED)


@pytest.mark.parametrize("at", [0, 1])
def test_short_secrets(at: int) -> None:
    """A secret of 31 characters is refused, with how to make one; it is not shown."""
    short = Secret("canary-canary-canary-canary-471")
    given_ = [NEW]
    given_.insert(at, short)
    with pytest.raises(SettingsError, match=r"has 31 .+ 32; .+ python -c \"import") as refused:
        Seals(given_)
    assert "canary" not in str(refused.value)
    assert Seals([Secret(short.value + "1")]).secrets == (Secret(short.value + "1"),)


def test_many_secrets() -> None:
    """A third secret is refused."""
    with pytest.raises(SettingsError, match="LIVEGATE_SECRET holds 3 secrets"):
        Seals([NEW, OLD, NEW])


def test_no_such_cipher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cryptography lacks the cipher, one sentence says what to install."""

    def missing(_: bytes) -> AESGCMSIV:
        raise UnsupportedAlgorithm("not here")

    monkeypatch.setattr(module, "AESGCMSIV", missing)
    with pytest.raises(SettingsError, match="pip install --force-reinstall"):
        Seals([NEW])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" , \n", []),
        ("one", ["one"]),
        ("one,two", ["one", "two"]),
        (" one ,\ntwo\r\n", ["one", "two"]),
        ("one\ntwo\nthree", ["one", "two", "three"]),
    ],
)
def test_split(text: str, found: list[str]) -> None:
    """Secrets stand with a comma or a line's end between them."""
    assert [one.value for one in split(text)] == found


def test_the_pages_command() -> None:
    """The command of docs/resuming.md, which a refusal names too, makes a secret that will do."""
    (block,) = docs.read(docs.ROOT / "docs" / "resuming.md").under("The secret", "bash")
    (command,) = docs.commands(block)
    with pytest.raises(SettingsError) as refused:
        Seals([Secret("short")])
    assert str(refused.value).endswith(f": {command}")
    arguments = shlex.split(command)[1:]
    made = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments], capture_output=True, check=True, text=True
    )
    assert len(Seals(split(made.stdout)).secrets) == 1


def test_bytes_that_are_no_text() -> None:
    """A secret of the environment may hold bytes that are no UTF-8."""
    odd = Secret("\udcff" * 32)
    assert Seals([odd]).unseal(Seals([odd]).seal(SEALED), name="alice", now=NOW) == SEALED


# For whom, and until when


@pytest.mark.parametrize(
    ("now", "is_good"),
    [
        (0, True),
        (NOW + LIFETIME_S - 1, True),
        (NOW + LIFETIME_S - 0.001, True),
        (NOW + LIFETIME_S, False),
        (NOW + LIFETIME_S + 1, False),
        (float("inf"), False),
        (float("nan"), False),
    ],
)
def test_expiry(now: float, *, is_good: bool) -> None:
    """A token is good up to the second that it names, and not in it."""
    seals = Seals([NEW])
    token = seals.seal(SEALED)
    assert seals.examine(token, name="alice", now=now) == (SEALED if is_good else Flaw.EXPIRED)
    assert (seals.unseal(token, name="alice", now=now) is not None) is is_good


@pytest.mark.parametrize("sealed_for", ["", "alice"])
@pytest.mark.parametrize("name", ["", "alice", "Alice", "alice2", "alic", "al\0ice", "\ud800"])
def test_another_client(sealed_for: str, name: str) -> None:
    """A token is good for the client that had it: what another's is, looks forged."""
    seals = Seals([NEW])
    token = seals.seal(attrs.evolve(SEALED, name=sealed_for))
    found = seals.examine(token, name=name, now=NOW)
    assert (found is Flaw.FORGED) is (name != sealed_for)


# Whatever else is sent

MUTANTS: Final = 100_000


def _flipped(token: str, chance: random.Random, _: str) -> str:
    at = chance.randrange(len(token))
    return token[:at] + chr(ord(token[at]) ^ 1 << chance.randrange(8)) + token[at + 1 :]


def _cut(token: str, chance: random.Random, _: str) -> str:
    at = chance.randrange(len(token))
    return token[:at] if chance.random() < 0.5 else token[at + 1 :]


def _spliced(token: str, chance: random.Random, other: str) -> str:
    at = chance.randrange(len(token))
    return token[:at] + other[at + chance.choice([0, 0, 0, -1, 1, 4]) :]


def _versioned(token: str, chance: random.Random, _: str) -> str:
    version = chance.choice(["lgr0_", "lgr2_", "lgr1", "lgr_", "lgs1_", "", "lgr1__", "LGR1_"])
    return version + token.removeprefix("lgr1_")


def _cased(token: str, chance: random.Random, _: str) -> str:
    at = chance.randrange(len(token))
    return token[:at] + token[at].swapcase() + token[at + 1 :]


def _stretched(token: str, chance: random.Random, other: str) -> str:
    at = chance.randrange(len(token) + 1)
    return token[:at] + chance.choice(["=", "A", "\n", " ", "+", "é", "\0", other]) + token[at:]


KINDS: Final[tuple[Callable[[str, random.Random, str], str], ...]] = (
    _flipped, _cut, _spliced, _versioned, _cased, _stretched,
)  # fmt: skip


def mutants(tokens: list[str]) -> Iterator[str]:
    """Yield tokens that are none."""
    chance = random.Random(4711)  # noqa: S311 - nothing is secret here
    good = {*tokens}
    while True:
        one, other = chance.sample(tokens, 2)
        mutant = chance.choice(KINDS)(one, chance, other)
        if mutant not in good:
            yield mutant


def test_mutants() -> None:
    """None of very many tokens that were changed, cut or put together of two is taken."""
    seals = Seals([NEW, OLD])
    tokens = [
        (seals if at % 2 else Seals([OLD])).seal(attrs.evolve(SEALED, handle="h" * at))
        for at in range(8)
    ]
    assert all(seals.unseal(token, name="alice", now=NOW) for token in tokens)
    wrong = mutants(tokens)
    taken = [
        mutant
        for mutant in (next(wrong) for _ in range(MUTANTS))
        if seals.unseal(mutant, name="alice", now=NOW) is not None
    ]
    assert taken == []


@given(st.text() | st.text().map("lgr1_".__add__) | st.from_regex("lgr1_[A-Za-z0-9_-]*"))
@example("lgr1_")
@example("lgr1_A")
@example("lgr1_\ud800")
def test_nonsense(text: str) -> None:
    """Whatever is sent, it is no token, and nothing breaks."""
    assert Seals([NEW, OLD]).unseal(text, name="", now=NOW) is None


def test_what_encrypts_nothing() -> None:
    """Nothing is taken for a token that encrypts nothing: some versions of OpenSSL fall for it."""
    nothing = written(bytes(12 + 16))
    assert Seals([NEW]).examine(nothing, name="alice", now=NOW) is Flaw.MALFORMED


def test_one_way_to_write_it() -> None:
    """The bits of the last character that stand for nothing have to be zeros."""
    seals = Seals([NEW])
    tokens = [seals.seal(attrs.evolve(SEALED, handle="h" * length)) for length in range(3)]
    assert {(len(token) - len("lgr1_")) % 4 for token in tokens} == {0, 2, 3}
    for token in tokens:
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        good = [
            one
            for one in last
            if seals.unseal(token[:-1] + one, name="alice", now=NOW) is not None
        ]
        assert good == [token[-1]]


def _body(*, id_: object = ID, expires_at: object = NOW + 9, config: object = b"{}") -> bytes:
    packed = zlib.compress(config) if isinstance(config, bytes) else config
    return msgspec.msgpack.encode([id_, expires_at, "gemini-x", None, packed])


@pytest.mark.parametrize(
    "plain",
    [
        b"\xc1",
        b"\x00",
        msgspec.msgpack.encode([ID, NOW + 9, "gemini-x", None]),
        msgspec.msgpack.encode([ID, NOW + 9, "gemini-x", None, zlib.compress(b"{}"), 1]),
        msgspec.msgpack.encode([ID, NOW + 9, "gemini-x", 5, zlib.compress(b"{}")]),
        _body() + b"\x00",
        _body(id_=ID[1:]),
        _body(id_=ID + b"\0"),
        _body(expires_at="tomorrow"),
        _body(expires_at=NOW + 9.5),
        _body(config="text"),
        _body(config=b""),
        _body(config=b"{}" + b" " * (MAX_CONFIG_BYTES - 1)),
        _body(config=b"[]"),
        _body(config=b'{"a":'),
        _body(config=b'"\xff"'),
        _body(config=b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        msgspec.msgpack.encode([ID, NOW + 9, "gemini-x", None, b"{}"]),
        msgspec.msgpack.encode([ID, NOW + 9, "gemini-x", None, zlib.compress(b"{}")[:-1]]),
        msgspec.msgpack.encode([ID, NOW + 9, "gemini-x", None, zlib.compress(b"{}") + b"x"]),
    ],
)
def test_unreadable(plain: bytes) -> None:
    """A good seal around something else is no token either."""
    seals = Seals([NEW])
    assert seals.examine(forged(plain), name="alice", now=NOW) is Flaw.UNREADABLE


@pytest.mark.parametrize("config", [b"{}", b"{}" + b" " * (MAX_CONFIG_BYTES - 2)])
def test_readable(config: bytes) -> None:
    """What those tokens lack is only what each of them shows."""
    found = Seals([NEW]).unseal(forged(_body(config=config)), name="alice", now=NOW)
    assert found == attrs.evolve(SEALED, handle=None, config={}, expires_at=NOW + 9)


def test_bomb() -> None:
    """What would be 64 MiB is not even made, however good the seal."""
    seals = Seals([NEW])
    pressed = zlib.compressobj(9)
    pieces = [
        pressed.compress(b'{"a":"'),
        *(pressed.compress(b" " * KIB * KIB) for _ in range(64)),
    ]
    packed = b"".join([*pieces, pressed.compress(b'"}'), pressed.flush()])
    plain = msgspec.msgpack.encode([ID, NOW + 9, "gemini-x", None, packed])
    token = forged(plain)
    assert len(token) < MAX_CHARS
    tracemalloc.start()
    try:
        assert seals.examine(token, name="alice", now=NOW) is Flaw.UNREADABLE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * KIB


def test_longest() -> None:
    """A token that is too long is not looked at, and one that is just short enough is."""
    seals = Seals([NEW])
    longest = "lgr1_" + "A" * (MAX_CHARS - len("lgr1_") - 3)
    assert seals.examine(longest, name="alice", now=NOW) is Flaw.FORGED
    assert seals.examine(longest + "A" * 4, name="alice", now=NOW) is Flaw.MALFORMED
    assert Limits().control_frame_bytes > MAX_CHARS + KIB


# How much fits in


def _config(size: int) -> dict[str, object]:
    """Return a config that is so large as JSON, and does not compress."""
    chance = random.Random(4711)  # noqa: S311 - nothing is secret here
    letters = "".join(map(chr, range(0x23, 0x5C))) + "".join(map(chr, range(0x5D, 0x7F)))
    return {"a": "".join(chance.choices(letters, k=size - len('{"a":""}')))}


def test_largest_config() -> None:
    """The largest config fits in, beside a long handle; one byte more does not."""
    seals = Seals([NEW])
    largest = attrs.evolve(SEALED, config=_config(MAX_CONFIG_BYTES), handle="h" * 30 * KIB)
    assert seals.unseal(seals.seal(largest), name="alice", now=NOW) == largest
    with pytest.raises(TooLargeError, match="a config of 65537 bytes"):
        seals.seal(attrs.evolve(SEALED, config=_config(MAX_CONFIG_BYTES + 1)))


def test_long_instructions() -> None:
    """Words are compressed: long instructions make no long token."""
    config = {"system_instruction": "Be kind, and answer in short sentences. " * 1000}
    assert len(Seals([NEW]).seal(attrs.evolve(SEALED, config=config))) < 1000


def test_longest_handle() -> None:
    """A handle that makes a token too long is refused."""
    seals = Seals([NEW])
    with pytest.raises(TooLargeError, match="characters is too long"):
        seals.seal(attrs.evolve(SEALED, handle="h" * MAX_CHARS))


@pytest.mark.parametrize("id_", [b"", ID[1:], ID + b"\0"])
def test_ids(id_: bytes) -> None:
    """An id has 128 bits."""
    with pytest.raises(ValueError, match="id"):
        attrs.evolve(SEALED, id=id_)


# What is shown


def test_reprs() -> None:
    """No repr shows a secret, an id, a handle or a config."""
    seals = Seals([NEW, OLD])
    shown = f"{SEALED!r} {seals!r} {seals.secrets!r} {attrs.evolve(SEALED, name='x')!s}"
    for hidden in ("secret-of", "anary", "Cig5", "said", repr(ID), ID.hex()):
        assert hidden not in shown
    assert "gemini-x" in shown
    assert "alice" in shown


@pytest.mark.parametrize("config", [{"a": object()}, {"a": "\ud800"}])
def test_no_json(config: dict[str, object]) -> None:
    """What is no JSON is a mistake of the caller's, and its error shows nothing of it."""
    with pytest.raises((TypeError, ValueError)) as raised:
        Seals([NEW]).seal(attrs.evolve(SEALED, config={**config, "b": "canary"}))
    assert "canary" not in str(raised.value)
