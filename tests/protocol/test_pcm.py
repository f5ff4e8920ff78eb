"""PCM of any kind as 16-bit mono, against computing it sample by sample."""

import math
import operator
import struct
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livegate.protocol.errors import LocalProtocolError
from livegate.protocol.media.pcm import WEIGHTS, to_mono
from livegate.protocol.media.tracks import SIZES, Samples

FLOATS = {Samples.F32: "<f", Samples.F64: "<d"}


def mu_law(code: int) -> int:
    """Decode by G.711's decision values: 33 x 2^segment apart, 16 intervals in each."""
    segment, interval = 7 - ((code >> 4) & 7), 15 - (code & 15)
    magnitude = (33 + 2 * interval) * (1 << segment) - 33
    return 4 * (magnitude if code & 0x80 else -magnitude)


def a_law(code: int) -> int:
    """Decode by G.711's decision values: the middle of each of 16 intervals, of 8 segments."""
    segment, interval = ((code ^ 0x55) >> 4) & 7, (code ^ 0x55) & 15
    start, step = (0, 2) if segment == 0 else (16 << segment, 1 << segment)
    magnitude = start + interval * step + step // 2
    return 8 * (magnitude if code & 0x80 else -magnitude)


def sample(data: bytes, samples: Samples) -> int:
    """Return one sample as 16 bits."""
    if samples is Samples.MU_LAW:
        return mu_law(data[0])
    if samples is Samples.A_LAW:
        return a_law(data[0])
    if samples is Samples.U8:
        return (data[0] - 128) * 256
    if samples not in FLOATS:
        ordered = data[::-1] if "be" in samples.value else data
        value = int.from_bytes(ordered, "little", signed=True)
        return math.floor(Fraction(value * 256, 256 ** (len(data) - 1)))
    number: float = struct.unpack(FLOATS[samples], data)[0]
    if math.isnan(number):
        return 0
    if math.isinf(number):
        return 32767 if number > 0 else -32768
    return max(-32768, min(32767, round(Fraction(number) * 32768)))


def expected(data: bytes, samples: Samples, channels: int) -> list[int]:
    """Return sound as 16-bit mono, the slow way."""
    size = SIZES[samples]
    values = [sample(data[at : at + size], samples) for at in range(0, len(data), size)]
    blocks = [values[at : at + channels] for at in range(0, len(values), channels)]
    weights = WEIGHTS.get(channels, (256,))
    sums = [sum(map(operator.mul, block, weights)) for block in blocks]
    return [math.floor(Fraction(one, 256) + Fraction(1, 2)) for one in sums]


def decoded(data: bytes, samples: Samples, channels: int = 1) -> list[int]:
    """Return what the module makes of it, as numbers."""
    mono = to_mono(data, samples, channels)
    return list(struct.unpack(f"<{len(mono) // 2}h", mono))


@pytest.mark.parametrize(
    ("samples", "data", "values"),
    [
        (Samples.U8, "00 7f 80 81 ff", [-32768, -256, 0, 256, 32512]),
        (Samples.S8, "80 ff 00 01 7f", [-32768, -256, 0, 256, 32512]),
        (Samples.S16, "0080 ffff 0000 0100 ff7f", [-32768, -1, 0, 1, 32767]),
        (Samples.S16_BIG, "8000 ffff 0000 0001 7fff", [-32768, -1, 0, 1, 32767]),
        (Samples.S24, "000080 ffffff ff0000 000100 ffff7f", [-32768, -1, 0, 1, 32767]),
        (Samples.S24_BIG, "800000 ffffff 0000ff 000100 7fffff", [-32768, -1, 0, 1, 32767]),
        (Samples.S32, "00000080 ffffffff ffff0000 00000100", [-32768, -1, 0, 1]),
        (Samples.S32_BIG, "80000000 ffffffff 0000ffff 00010000", [-32768, -1, 0, 1]),
        (Samples.MU_LAW, "00 80 7f ff 0f 8f", [-32124, 32124, 0, 0, -16764, 16764]),
        (Samples.A_LAW, "2a aa d5 55 00 80", [-32256, 32256, 8, -8, -5504, 5504]),
    ],
)
def test_known(samples: Samples, data: str, values: list[int]) -> None:
    """Integers lose their lower bits; G.711 has the values that all decoders give."""
    assert decoded(bytes.fromhex(data), samples) == values
    assert expected(bytes.fromhex(data), samples, 1) == values


@pytest.mark.parametrize("samples", [Samples.F32, Samples.F64])
@pytest.mark.parametrize(
    ("number", "value"),
    [
        (0.0, 0),
        (-0.0, 0),
        (0.5, 16384),
        (-1.0, -32768),
        (1.0, 32767),
        (-1.5, -32768),
        (32767 / 32768, 32767),
        (0.5 / 32768, 0),
        (1.5 / 32768, 2),
        (-0.5 / 32768, 0),
        (-1.5 / 32768, -2),
        (1e-40, 0),
        (3e38, 32767),
        (-3e38, -32768),
        (2.0**17, 32767),
        (2.0**33, 32767),
        (-(2.0**37), -32768),
        (math.inf, 32767),
        (-math.inf, -32768),
        (math.nan, 0),
    ],
)
def test_floats(samples: Samples, number: float, value: int) -> None:
    """Floats are rounded and clipped, and so are their neighbours; NaN is silence."""
    before, it, after = (struct.pack(FLOATS[samples], some) for some in (0.25, number, -0.25))
    assert decoded(it, samples) == [value]
    assert decoded(before + it + after, samples) == [8192, value, -8192]


@pytest.mark.parametrize("samples", [Samples.MU_LAW, Samples.A_LAW, Samples.U8, Samples.S8])
def test_all_codes(samples: Samples) -> None:
    """Each of the 256 codes of a byte is decoded by its formula."""
    codes = bytes(range(256))
    assert decoded(codes, samples) == expected(codes, samples, 1)


@given(st.sampled_from(Samples), st.integers(1, 8), st.integers(0, 9), st.data())
@example(Samples.S16, 3, 1, None)
def test_any(samples: Samples, channels: int, blocks: int, data: st.DataObject | None) -> None:
    """Any bytes, of any kind and number of channels, come out as if computed one by one."""
    size = SIZES[samples] * channels * blocks
    sound = (
        b"\xff\x7f" * (size // 2)
        if data is None
        else data.draw(st.binary(min_size=size, max_size=size))
    )
    assert decoded(sound, samples, channels) == expected(sound, samples, channels)


@given(
    st.sampled_from([Samples.F32, Samples.F64]),
    st.lists(st.floats(-1.125, 1.125, width=32), min_size=6, max_size=6),
    st.sampled_from([1, 2, 3, 6]),
)
def test_any_floats(samples: Samples, numbers: list[float], channels: int) -> None:
    """Floats about as loud as sound is come out exactly rounded."""
    sound = b"".join(struct.pack(FLOATS[samples], number) for number in numbers)
    assert decoded(sound, samples, channels) == expected(sound, samples, channels)


@pytest.mark.parametrize("channels", WEIGHTS)
def test_weights(channels: int) -> None:
    """Each channel has a weight, and together they are as loud as one."""
    assert len(WEIGHTS[channels]) == channels
    assert sum(WEIGHTS[channels]) == 256


@pytest.mark.parametrize("channels", WEIGHTS)
@pytest.mark.parametrize("value", [-32768, -32767, -1, 0, 1, 32766, 32767])
def test_mix_of_alike(channels: int, value: int) -> None:
    """Channels that are alike are left as they are, and one step less shows by half."""
    block = struct.pack("<h", value) * channels
    assert decoded(block * 3, Samples.S16, channels) == [value] * 3
    less = struct.pack("<h", max(value - 1, -32768))
    some = block[: channels // 2 * 2] + less * (channels - channels // 2)
    assert decoded(some * 2, Samples.S16, channels) == expected(some * 2, Samples.S16, channels)


def test_mono_is_left_alone() -> None:
    """What Gemini takes already is not even copied."""
    sound = bytes(range(200))
    assert to_mono(sound, Samples.S16, 1) is sound


@pytest.mark.parametrize("samples", Samples)
def test_nothing(samples: Samples) -> None:
    """No sound is no sound."""
    assert to_mono(b"", samples, 1) == to_mono(b"", samples, 3) == b""


def test_part_of_a_block() -> None:
    """A part of a block is a shell's mistake."""
    with pytest.raises(LocalProtocolError, match="takes blocks of 6 bytes, got 8 bytes"):
        to_mono(bytes(8), Samples.S24, 2)
