"""Packets to PCM, by FFmpeg's decoders and its resampler."""

from typing import Final, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from livegate.protocol.audio import INPUT_RATE, MAX_RATE, check_rate
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.media import opus, vorbis
from livegate.protocol.media.tracks import MAX_CHANNELS, Samples, Track

_MAX_SAMPLES: Final = MAX_RATE
"""Of one frame: a second at the highest rate; real ones hold a tenth of that at most."""
_LAYOUTS: Final = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")
"""By the number of channels, as FFmpeg itself guesses."""
_OPUS_CHANNELS_AT: Final = 9
_PRE_SKIP: Final = slice(10, 12)
"""In the identification header (RFC 7845 section 5.1)."""


class Resampler:
    """Frames of any rate, format and layout to 16 kHz mono."""

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._form: tuple[int, str, str] | None = None

    def resample(self, frame: AudioFrame) -> bytes:
        """Return 16-bit little-endian mono PCM.

        Raises:
            RemoteProtocolError: `audio_format`: no sound is like that.
        """
        check(frame.sample_rate, frame.layout.nb_channels, frame.samples)
        form = (frame.sample_rate, frame.format.name, frame.layout.name)
        before = b"" if form == self._form else self.flush()
        if self._resampler is None:
            self._form = form
            self._resampler = AudioResampler(format="s16", layout="mono", rate=INPUT_RATE)
        frame.pts = None
        return before + b"".join(map(_bytes_of, self._resampler.resample(frame)))

    def flush(self) -> bytes:
        """Return what the filter holds back; what comes next is filtered anew."""
        resampler, self._resampler = self._resampler, None
        return b"".join(map(_bytes_of, resampler.resample(None))) if resampler else b""


def _bytes_of(frame: AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: 2 * frame.samples]


def _silence(samples: int, layout: AudioLayout) -> AudioFrame:
    """Return a frame of silence, as FFmpeg's decoder of Opus would give one of sound."""
    frame = AudioFrame(format="fltp", layout=layout, samples=samples)
    frame.sample_rate = opus.RATE
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return frame


def check(rate: int, channels: int, samples: int = 0) -> None:
    """Raise unless sound can be like that: some files claim what would fill any memory.

    Raises:
        RemoteProtocolError: `audio_format`, with what is wrong.
    """
    check_rate(rate)
    if not 1 <= channels <= MAX_CHANNELS:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_FORMAT, f"there must be 1 to {MAX_CHANNELS} channels, got {channels}"
        )
    if samples > _MAX_SAMPLES:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_TOO_COSTLY, f"{samples} samples in one packet are too many"
        )


class Coded:
    """A codec for packets that were found by livegate itself: `media.decoder.Codec`."""

    rate = INPUT_RATE

    def __init__(self, track: Track) -> None:
        name = f"pcm_{track.codec.value}" if isinstance(track.codec, Samples) else track.codec
        private = track.private
        if name == "opus" and len(private) > _PRE_SKIP.stop:
            check(track.rate, private[_OPUS_CHANNELS_AT])  # for so many it takes memory
            # FFmpeg would take off what `Track.skip_s` says, once more.
            private = private[: _PRE_SKIP.start] + bytes(2) + private[_PRE_SKIP.stop :]
        elif name == "vorbis":
            vorbis.check(private)
        check(track.rate, track.channels)
        made = av.CodecContext.create(name, "r")
        context = cast("AudioCodecContext", made)  # PyAV's type leaves the kind open
        context.thread_count = 1
        context.sample_rate = track.rate
        context.layout = _LAYOUTS[track.channels - 1]
        if private:
            context.extradata = private
        self._context = context
        self._is_opus = name == "opus"
        self._resampler = Resampler()

    def decode(self, data: bytes) -> bytes:
        """Return 16-bit little-endian mono PCM at 16 kHz."""
        try:
            return b"".join(map(self._resampler.resample, self._frames(data)))
        except FFmpegError as error:
            raise ValueError(str(error)) from None

    def _frames(self, data: bytes) -> list[AudioFrame]:
        if self._is_opus and opus.is_pause(data):
            # FFmpeg 8.1 gives what happens to be in its memory.
            return [_silence(opus.samples(data), self._context.layout)]
        packet = av.Packet(data)
        return self._context.decode(packet)  # pyright: ignore[reportUnknownMemberType]

    def flush(self) -> bytes:
        """Return what the resampler holds back."""
        return self._resampler.flush()
