"""A decoder as `commands.Decode` asks for it, but for what only a shell can do: FFmpeg's part.

Alone it decodes PCM. A shell gives it codecs for the rest, and says how kinds are decoded whose
files are not read here.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

import attrs

from livegate.protocol import audio
from livegate.protocol.commands import Decode
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.inputs import Answer, Decoded, DecodeFailed
from livegate.protocol.media import pcm
from livegate.protocol.media.kinds import Kind
from livegate.protocol.media.ogg import Ogg
from livegate.protocol.media.tracks import End, Found, Packet, Reader, Samples, Track
from livegate.protocol.media.wav import Wav
from livegate.protocol.media.webm import WebM

STEP_BYTES: Final = 24 * 1024
"""Of PCM in one answer, about: three quarters of a second."""
_STEP_PACKETS: Final = 8
"""Decoded in one step: a few milliseconds' work, so that one recording holds nobody else up."""
MOST_BAD: Final = 25
"""Packets in a row that may be damaged: a second and a half of a browser's."""


class Codec(Protocol):
    """Decodes the packets of one track."""

    rate: int
    """Hz of what it gives."""

    def decode(self, data: bytes) -> bytes:
        """Return 16-bit little-endian mono PCM.

        Raises:
            ValueError: This packet is damaged; the next may be good.
        """
        ...

    def flush(self) -> bytes:
        """Return what it holds back. It may go on after that."""
        ...


class Recording(Protocol):
    """Decodes one recording."""

    def feed(self, data: bytes, *, is_base64: bool) -> None:
        """Take the next bytes."""

    def flush(self) -> None:
        """Hold nothing back from now until the next bytes."""

    def step(self) -> Decoded:
        """Do some work; return what came of it, without the number of the job.

        Raises:
            RemoteProtocolError: Nothing more can come of it.
        """
        ...

    def stop(self) -> None:
        """Forget all of it."""


class Plain:
    """A codec for PCM, which leaves its rate as it is."""

    def __init__(self, track: Track) -> None:
        if not isinstance(track.codec, Samples):
            raise needs_extra(track.codec)
        self.rate = track.rate
        self._samples = track.codec
        self._channels = track.channels

    def decode(self, data: bytes) -> bytes:
        """Return all channels in one."""
        return pcm.to_mono(data, self._samples, self._channels)

    def flush(self) -> bytes:
        """Return nothing: it holds nothing back."""
        return b""


def needs_extra(what: str) -> RemoteProtocolError:
    """Return the error for what only FFmpeg decodes."""
    return RemoteProtocolError(
        ErrorCode.AUDIO_FORMAT,
        f"this gateway cannot decode {what}: it needs pip install 'livegate[audio]'; "
        "PCM and WAV work without",
    )


READERS: Final[Mapping[Kind, Callable[[], Reader]]] = MappingProxyType(
    {Kind.WEBM: WebM, Kind.WAV: Wav, Kind.OGG: Ogg}
)


class Read:
    """A recording whose packets are found here."""

    def __init__(self, reader: Reader, new_codec: Callable[[Track], Codec]) -> None:
        self._reader = reader
        self._new_codec = new_codec
        self._codec: Codec = Plain(Track(codec=Samples.S16, rate=audio.INPUT_RATE, channels=1))
        """Of the last track; before the first there are no packets."""
        self._track: Track | None = None
        self._unread: deque[tuple[memoryview, bool]] = deque()
        self._found: deque[Found] = deque()
        self._skip = 0
        """Samples that are still not to be heard."""
        self._heard = 0
        """Samples of the track that were given out."""
        self._stop: float = math.inf
        """How many there are."""
        self._bad = 0
        """Damaged packets in a row."""
        self._is_whole = self._is_flushing = False

    def feed(self, data: bytes, *, is_base64: bool) -> None:
        """Take the next bytes."""
        self._unread.append((memoryview(data), is_base64))
        self._is_flushing = False

    def flush(self) -> None:
        """Hold nothing back."""
        self._is_flushing = True

    def stop(self) -> None:
        """Forget all of it."""
        self._unread.clear()
        self._found.clear()

    def step(self) -> Decoded:
        """Read a slice, decode some packets."""
        given = bytearray()
        packets = 0
        if not self._found and self._unread:
            self._read()
        while self._found and packets < _STEP_PACKETS and len(given) < STEP_BYTES:
            found = self._found[0]
            if isinstance(found, Track):
                given += self._codec.flush()
                if given and found != self._track:
                    break  # the next track's rate may be another
            packets += 1
            given += self._decode(self._found.popleft())
        has_more = bool(self._found or self._unread)
        if not has_more and (self._is_flushing or self._is_whole):
            given += self._up_to_stop(self._codec.flush())
        return Decoded(
            0,
            bytes(given),
            self._codec.rate,
            has_more=has_more,
            end=self._is_whole and not has_more and self._reader.is_over,
        )

    def _read(self) -> None:
        data, is_base64 = self._unread.popleft()
        size = self._reader.slice_bytes
        size = size // 3 * 4 if is_base64 else size
        if len(data) > size:
            self._unread.appendleft((data[size:], is_base64))
            data = data[:size]
        self._found.extend(self._reader.feed(audio.bytes_of(data) if is_base64 else bytes(data)))

    def _decode(self, found: Found) -> bytes:
        if isinstance(found, Track):
            if not self._is_pcm or found != self._track:  # PCM's keeps nothing over a flush
                self._codec = self._new_codec(found)
            self._track = found
            self._skip = round(found.skip_s * self._codec.rate)
            self._heard, self._stop = 0, math.inf
            self._is_whole = False
            return b""
        if isinstance(found, End):
            self._is_whole = True
            return b""
        self._is_whole = False
        return self._audible(self._with_next(found) if self._is_pcm else found)

    @property
    def _is_pcm(self) -> bool:
        return self._track is not None and isinstance(self._track.codec, Samples)

    def _with_next(self, packet: Packet) -> Packet:
        """Return a packet and what follows it as one: browsers' have 10 ms, and each has a price."""
        parts, size = [packet.data], len(packet.data)
        while not packet.is_cut and self._found:
            following = self._found[0]
            if not isinstance(following, Packet) or following.is_cut:
                break
            size += len(following.data)
            if size > STEP_BYTES:
                break
            parts.append(following.data)
            self._found.popleft()
        return attrs.evolve(packet, data=b"".join(parts))

    def _audible(self, packet: Packet) -> bytes:
        """Return what is to be heard of a packet."""
        try:
            given = self._codec.decode(packet.data)
        except ValueError:
            self._bad += 1
            if self._bad > MOST_BAD:
                raise RemoteProtocolError(
                    ErrorCode.AUDIO_BROKEN, "nothing in this recording can be decoded any more"
                ) from None
            return b""
        self._bad = 0
        if packet.trim_s > 0:
            given += self._codec.flush()
            trimmed = 2 * round(packet.trim_s * self._codec.rate)
            given = given[: max(0, len(given) - trimmed)]
        if packet.stop_s is not None:
            self._stop = round(packet.stop_s * self._codec.rate)
        skipped = min(self._skip, len(given) // 2)
        self._skip -= skipped
        return self._up_to_stop(given[2 * skipped :])

    def _up_to_stop(self, given: bytes) -> bytes:
        """Return sound without what is behind the track's end."""
        left = max(0, self._stop - self._heard)
        kept = given if len(given) <= 2 * left else given[: 2 * int(left)]
        self._heard += len(kept) // 2
        return kept


def not_here(kind: Kind) -> Recording:
    """Raise: there is no decoder for this kind here."""
    raise needs_extra(kind)


@attrs.define
class Decoder:
    """Decodes a session's recordings, one after the other."""

    new_codec: Callable[[Track], Codec] = Plain
    """Decodes packets."""
    open_other: Callable[[Kind], Recording] = not_here
    """Decodes kinds that have no reader here."""
    _job: int = 0
    _recording: Recording | None = None
    _is_closed: bool = False

    def step(self, command: Decode) -> Answer:
        """Do one step of a recording."""
        try:
            return attrs.evolve(self._stepped(command), job=command.job)
        except RemoteProtocolError as error:
            self.stop(command.job)
            return DecodeFailed(command.job, error.code, error.message)

    def stop(self, job: int) -> None:
        """Forget a recording."""
        if job == self._job:
            recording, self._recording = self._recording, None
            if recording is not None:
                recording.stop()

    def close(self) -> None:
        """Forget whatever there is, even what a step in another thread is about to open."""
        self._is_closed = True
        self.stop(self._job)

    def _stepped(self, command: Decode) -> Decoded:
        if command.job != self._job:
            self.stop(self._job)
            self._job = command.job
            self._recording = self._opened(command.kind)
            if self._is_closed:
                self.stop(self._job)
        recording = self._recording  # which may be stopped meanwhile
        if recording is None:
            return Decoded(command.job)
        if command.data:
            recording.feed(command.data, is_base64=command.is_base64)
        if command.end:
            recording.flush()
        return recording.step()

    def _opened(self, kind: Kind) -> Recording:
        reader = READERS.get(kind)
        return self.open_other(kind) if reader is None else Read(reader(), self.new_codec)
