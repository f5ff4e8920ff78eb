"""What comes of a recording in Ogg."""

import pytest

from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.media.ogg import Ogg
from livegate.protocol.media.tracks import End, Found, Packet, Track
from made_media import ogg_opus, opus_head, page, valid

SILENCE = b"\xf8\xff\xfe"
"""20 ms of Opus."""


def read(data: bytes, size: int | None = None) -> list[Found]:
    """Return what is found in a recording that comes in pieces of one size, or whole."""
    reader = Ogg()
    step = size or len(data)
    return [one for at in range(0, len(data), step) for one in reader.feed(data[at : at + step])]


def sounds(data: bytes) -> list[bytes]:
    """Return the packets alone."""
    return [one.data for one in read(data) if isinstance(one, Packet)]


@pytest.mark.parametrize("name", ["ogg-opus", "ogg-vorbis", "ogg-flac"])
@pytest.mark.parametrize("size", [1, 27, 1000])
def test_cuts(name: str, size: int) -> None:
    """How a recording is cut makes no difference."""
    found = read(valid()[name])
    assert isinstance(found[0], Track)
    assert isinstance(found[-1], End)
    assert read(valid()[name], size) == found


def test_another_follows() -> None:
    """Recordings may follow one another."""
    one = valid()["ogg-opus"]
    assert read(one + one) == read(one) * 2


def test_last_page_says_where_sound_ends() -> None:
    """What is behind the last page's granule is not to be heard."""
    (last,) = [one for one in read(valid()["ogg-opus"]) if isinstance(one, Packet) and one.trim_s]
    assert last.trim_s == 648 / 48_000


def test_damaged_page() -> None:
    """A page whose sum is wrong is lost, and so is what reaches into it; no other is."""
    begun = page(SILENCE + b"1" * 252, sequence=2, lacing=b"\xff")
    lost = bytearray(page(b"2" * 255, flags=1, sequence=3, lacing=b"\xff"))
    lost[-1] ^= 1
    rest = page(b"3" + SILENCE, flags=1, sequence=4, lacing=b"\1\3")
    assert sounds(ogg_opus(begun, bytes(lost), b"noise", rest)) == [SILENCE]
    assert sounds(ogg_opus(begun, page(SILENCE, sequence=3))) == [SILENCE]


def test_other_streams() -> None:
    """Of several streams the first one of sound is heard."""
    others = page(b"\x80theora", flags=2, serial=8), page(opus_head(), flags=2, serial=9)
    heard = page(SILENCE, sequence=2), page(b"picture", serial=8), page(SILENCE, serial=9)
    assert sounds(others[0] + ogg_opus(*heard)) == [SILENCE]
    first, tags = page(opus_head(), flags=2), page(b"OpusTags" + bytes(8), sequence=1)
    assert sounds(b"".join((first, others[1], tags, *heard))) == [SILENCE]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (page(b"\x80theora", flags=2) + page(b"x", sequence=1), ErrorCode.AUDIO_FORMAT),
        (ogg_opus() + bytes(9 << 20), ErrorCode.AUDIO_TOO_COSTLY),
        (ogg_opus() + page(b"", sequence=2) * 40_000, ErrorCode.AUDIO_TOO_COSTLY),
        (
            ogg_opus(
                *(page(bytes(65_025), sequence=2, lacing=b"\xff" * 255),),
                *(
                    page(bytes(65_025), flags=1, sequence=n, lacing=b"\xff" * 255)
                    for n in range(3, 70)
                ),
            ),
            ErrorCode.AUDIO_TOO_COSTLY,
        ),
    ],
    ids=["no sound", "zeros", "empty pages", "a packet without an end"],
)
def test_refused(data: bytes, code: ErrorCode) -> None:
    """What cannot be heard, or takes too much, is refused."""
    with pytest.raises(RemoteProtocolError) as raised:
        read(data, 60_000)
    assert raised.value.code is code


def test_speex() -> None:
    """Speex says how many headers it has."""
    numbers = {36: 16_000, 48: 1, 68: 1}
    head = bytearray(b"Speex   " + bytes(72))
    for at, number in numbers.items():
        head[at : at + 4] = number.to_bytes(4, "little")
    pages = page(bytes(head), flags=2) + page(b"comment", sequence=1) + page(b"more", sequence=2)
    track, sound = read(pages + page(b"sound", sequence=3))
    assert track == Track(codec="speex", rate=16_000, channels=1, private=bytes(head))
    assert sound == Packet(b"sound")


def test_over() -> None:
    """A recording is over with its last page, unless another has begun behind it, even in part."""
    reader, data = Ogg(), valid()["ogg-opus"]
    seen = [reader.is_over]
    for piece in (data[:-1], data[-1:], b"Ogg", data[:2], data[2:500], data[500:], b"noise"):
        reader.feed(piece)
        seen.append(reader.is_over)
    assert seen == [False, False, True, False, False, False, True, True]
