"""What a reader finds in a recording: one track of sound, its packets, and its end."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import attrs

MAX_CHANNELS: Final = 8
"""7.1, the most that Opus, Vorbis, AAC and FLAC give places to."""


class Samples(enum.Enum):
    """How one sample of PCM is written. The value is FFmpeg's name for it, without `pcm_`."""

    U8 = "u8"
    S8 = "s8"
    S16 = "s16le"
    S24 = "s24le"
    S32 = "s32le"
    S16_BIG = "s16be"
    S24_BIG = "s24be"
    S32_BIG = "s32be"
    F32 = "f32le"
    F64 = "f64le"
    MU_LAW = "mulaw"
    A_LAW = "alaw"


SIZES: Final[Mapping[Samples, int]] = MappingProxyType(
    {
        **dict.fromkeys((Samples.U8, Samples.S8, Samples.MU_LAW, Samples.A_LAW), 1),
        **dict.fromkeys((Samples.S16, Samples.S16_BIG), 2),
        **dict.fromkeys((Samples.S24, Samples.S24_BIG), 3),
        **dict.fromkeys((Samples.S32, Samples.S32_BIG, Samples.F32), 4),
        Samples.F64: 8,
    }
)
"""Bytes."""


@attrs.frozen(kw_only=True)
class Track:
    """The sound of a recording. All packets that follow are of this one."""

    codec: Samples | str
    """PCM, or FFmpeg's name of a codec: `opus`, `vorbis`, ..."""
    rate: int
    """Hz."""
    channels: int
    private: bytes = attrs.field(default=b"", repr=False)
    """What the decoder needs to know first (FFmpeg's extradata)."""
    skip_s: float = 0.0
    """How much at the beginning is not to be heard (RFC 7845 section 4.2, pre-skip)."""


@attrs.frozen
class Packet:
    """What a decoder takes at a time; of PCM, whole samples of all channels."""

    data: bytes = attrs.field(repr=False)
    trim_s: float = 0.0
    """How much at its end is not to be heard (Matroska, DiscardPadding)."""
    stop_s: float | None = None
    """How much there is to be heard of the track up to its end, if this is the last (Vorbis's
    granule position)."""

    @property
    def is_cut(self) -> bool:
        """Whether not all of it is to be heard."""
        return bool(self.trim_s) or self.stop_s is not None


@attrs.frozen
class End:
    """The recording says that it is whole."""


Found: TypeAlias = Track | Packet | End


class Reader(Protocol):
    """Finds the sound in a recording that comes in pieces, cut anywhere.

    How it was cut never changes what is found, taken together.
    """

    slice_bytes: int
    """How much to feed at a time, so that the worst of it is a few milliseconds' work: a
    multiple of three."""

    @property
    def is_over(self) -> bool:
        """Whether a recording was whole, and no other has begun, not even in part."""
        ...

    def feed(self, data: bytes) -> list[Found]:
        """Take the next bytes; return what is whole now, in order.

        Raises:
            RemoteProtocolError: Nothing can come of this recording; the reader is of no use any
                more.
        """
        ...
