"""Which kind of recording something is, by its first bytes."""

import pytest

from livegate.protocol.media import kinds
from livegate.protocol.media.kinds import Kind

BEGINNINGS = {
    "1a45dfa39f4286810142f781": Kind.WEBM,
    "524946462400000057415645": Kind.WAV,
    "52463634ffffffff57415645": Kind.WAV,
    "524946582400000057415645": Kind.WAV,  # big-endian, which is refused with its name
    "4f6767530002000000000000": Kind.OGG,
    "4f6767530006000000000000": Kind.OGG,
    "0000001c6674797069736f35": Kind.MP4,
    "664c61430000002210001000": Kind.FLAC,
    "494433040000000000230000": Kind.MP3,
    "fffb90640000000000000000": Kind.MP3,  # MPEG 1, without a CRC
    "fff3106400003c0000000000": Kind.MP3,  # MPEG 2
    "ffe3106400003c0000000000": Kind.MP3,  # MPEG 2.5
    "fffa9064abcd00ff00000000": Kind.MP3,  # with a CRC
}
CONTINUATIONS = {
    "1f43b67501ffffffffffffff": Kind.WEBM,
    "a343d381000080fffdfdfdfd": Kind.WEBM,
    "a3fd8100008080fffdfdfdfd": Kind.WEBM,
    "43b67501ffffffffffffffe7": Kind.WEBM,  # cut behind the first byte, as Chromium does
    "43d381000080fffdfdfdfdfd": Kind.WEBM,
    "a310000f00 81000080fffdfd": Kind.WEBM,
    "4f6767530000000000000000": Kind.OGG,
    "4f6767530005000000000000": Kind.OGG,
    "00000064 6d6f6f6600000010": Kind.MP4,
    "00000064 6d64617400000010": Kind.MP4,
    "00000064 7374797000000010": Kind.MP4,
}
NEITHER = [
    "",
    "00",
    "000000000000000000000000",
    "524946462400000041564920",  # RIFF, but AVI
    "fffb9064",  # too short to tell
    "fffb90640100000000000000",  # it refers to an earlier frame
    "fffb90648000000000000000",
    "fffbf0640000000000000000",  # no such bit rate
    "fffb00640000000000000000",  # "free" bit rate: nobody writes it
    "fffb9c640000000000000000",  # no such sample rate
    "ffeb90640000000000000000",  # no such version
    "fffd90640000000000000000",  # layer II
    "fefb90640000000000000000",
    "a343d382000080fffdfdfdfd",  # another track
    "a343d381000006fffdfdfdfd",  # laced, if there were such flags here
    "a301000000000000d3810000",  # a size of eight bytes
    "a3008100008080fffdfdfdfd",  # no size at all
    "a30400000000008100008000",  # a size of six bytes
    "43d381000000fffdfdfdfdfd",  # no keyframe: more likely PCM
    "a3fd8100008080",  # too short to tell
    "89504e470d0a1a0a0000000d",  # PNG
]


@pytest.mark.parametrize("head", BEGINNINGS)
def test_beginnings(head: str) -> None:
    """A recording's first bytes tell its kind, and are no later piece of any."""
    raw = bytes.fromhex(head)
    assert kinds.begins(raw) is BEGINNINGS[head]
    assert kinds.continues(raw) in (None, Kind.OGG)


@pytest.mark.parametrize("head", CONTINUATIONS)
def test_continuations(head: str) -> None:
    """Later pieces of a recording are told by theirs, if they are cut where recorders cut."""
    raw = bytes.fromhex(head)
    assert kinds.continues(raw) is CONTINUATIONS[head]
    assert kinds.begins(raw) is None


@pytest.mark.parametrize("head", NEITHER)
def test_neither(head: str) -> None:
    """All else may be PCM."""
    raw = bytes.fromhex(head)
    assert kinds.begins(raw) is kinds.continues(raw) is None


@pytest.mark.parametrize("head", [head for head in BEGINNINGS if not head.startswith("ff")])
def test_too_short_to_tell(head: str) -> None:
    """Whoever cuts a recording's first bytes off is waited for, until it is clear what they are."""
    raw = bytes.fromhex(head)
    kind = BEGINNINGS[head]
    least = {Kind.WEBM: 4, Kind.WAV: 12, Kind.OGG: 6, Kind.MP4: 8, Kind.FLAC: 4, Kind.MP3: 3}[kind]
    for cut in range(len(raw)):
        may_begin = (4 if kind is Kind.MP4 else 0) < cut < least
        assert kinds.may_begin(raw[:cut]) is may_begin
        assert (kinds.begins(raw[:cut]) is kind) is (cut >= least)
    assert not kinds.may_begin(b"\1" + raw)


def test_only_bare_mp3_may_be_chance() -> None:
    """Twelve random bits look like an MP3 frame's; what has letters does not come by chance."""
    unsure = [head for head in BEGINNINGS if not kinds.is_sure(bytes.fromhex(head))]
    assert unsure == [head for head in BEGINNINGS if head.startswith("ff")]


def test_names() -> None:
    """Media types that browsers and people declare are known by their second half."""
    assert {kinds.NAMES[name] for name in ("webm", "wav", "ogg", "mp4", "mpeg", "flac")} == {*Kind}
