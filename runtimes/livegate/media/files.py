"""Recordings that FFmpeg reads as files: MP4, MP3 and FLAC, from a thread of their own.

FFmpeg reads a file by asking for its next bytes, and waits for them where it stands: so each
recording has a thread, and a tape between it and whoever has the bytes.
"""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import Final, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError

from livegate.media.codecs import Resampler, check
from livegate.protocol import audio
from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.inputs import Decoded
from livegate.protocol.limits import MIB, Limits
from livegate.protocol.media import kinds
from livegate.protocol.media.boxes import Boxes
from livegate.protocol.media.decoder import MOST_BAD, STEP_BYTES
from livegate.protocol.media.kinds import Kind
from livegate.protocol.media.outlines import ID3_HEAD, Frames, Outline, Shape, id3_bytes

_open: Final[Callable[..., InputContainer]] = (
    partial(av.open, metadata_errors="ignore")  # words in any coding are none of ours
    if int(av.__version__.partition(".")[0]) < 19  # noqa: PLR2004 - since which it never minds
    else av.open
)
_FORMATS: Final = {Kind.MP4: "mp4", Kind.MP3: "mp3", Kind.FLAC: "flac"}
"""FFmpeg never guesses: it knows formats that are no sound, and some that open other files."""
_CODECS: Final = {
    Kind.MP4: (
        *("aac", "alac", "opus", "flac", "mp3float", "mp3", "amrnb", "amrwb"),
        *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
        *("pcm_f32le", "pcm_f32be", "pcm_u8", "pcm_mulaw", "pcm_alaw"),
    ),
    Kind.MP3: ("mp3float", "mp3", "flac"),
    Kind.FLAC: ("flac",),
}
"""By FFmpeg's names: what phones and people write. It opens no other, such as a cover's."""
_KEPT_BYTES: Final = 16 * MIB
"""Of a file that can only be read as a whole."""
_BARREN_BYTES: Final = 8 * MIB
"""How much FFmpeg may read on end without giving sound, and keep; a large cover."""
_MOST_STREAMS: Final = "8"
_UNSAID_S: Final = 3.0
"""Recorders make slices of neither MP3 nor FLAC, so a first piece that is longer is all."""
_LIMITS: Final = Limits()
"""A session sees what a step took when it is over; one that gives nothing would never be."""


class StoppedError(Exception):
    """Nobody wants what is read any more."""


class Tape:
    """Bytes on their way to the thread that reads them, and sound on its way back."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._bytes = bytearray()
        self._pcm = bytearray()
        self._cpu_s = 0.0
        self._barren_bytes = self._given_bytes = 0
        """Read since there was sound; and sound, ever."""
        self._is_starved = False
        """The thread has read all there is, and waits for more."""
        self._has_ended = False
        self._is_stopped = False
        self._is_done = False
        self._error: Exception | None = None

    # The thread's side

    def read(self, size: int = -1) -> bytes:
        """Wait for bytes; none are the end. FFmpeg calls this.

        Raises:
            RemoteProtocolError: `audio_too_costly`: it has read or computed much, to no end.
        """
        self.check_cpu()
        with self._changed:
            self._wait_for_bytes(1)
            taken = bytes(self._bytes[:size] if size >= 0 else self._bytes)
            del self._bytes[: len(taken)]
        self._barren_bytes += len(taken)
        if size >= 0 and self._barren_bytes > _BARREN_BYTES:
            raise _too_costly(f"{_BARREN_BYTES // MIB} MiB of this recording hold no sound")
        return taken

    def check_cpu(self) -> None:
        """Raise if the thread has taken longer than its sound is worth."""
        given_s = self._given_bytes / (2 * audio.INPUT_RATE)
        if time.thread_time() > _LIMITS.decode_cpu_s + _LIMITS.decode_cpu * given_s:
            raise _too_costly("decoding this recording takes too long")

    def peek(self, size: int) -> bytes:
        """Wait for so many bytes, or the end; leave them there."""
        with self._changed:
            self._wait_for_bytes(size)
            return bytes(self._bytes[:size])

    def read_when(self, is_enough: Callable[[], bool]) -> None:
        """Wait for more bytes, or the end, until there are enough; leave them there.

        Raises:
            RemoteProtocolError: `audio_too_costly`: they are too many to be kept.
        """
        with self._changed:
            while not (is_enough() or self._has_ended):
                if len(self._bytes) > _KEPT_BYTES:
                    raise _too_costly(
                        f"an MP4 file with its index at the end may hold {_KEPT_BYTES // MIB} MiB: "
                        "put it in front (ffmpeg: -movflags +faststart)"
                    )
                self._wait_for_bytes(len(self._bytes) + 1)

    def _wait_for_bytes(self, size: int) -> None:
        while len(self._bytes) < size and not self._has_ended:
            self._is_starved = True
            self._note()
            self._changed.wait()
        self._is_starved = False

    def give(self, pcm: bytes) -> None:
        """Add sound; wait while there is enough of it.

        Raises:
            StoppedError: It is not wanted.
        """
        with self._changed:
            self._pcm += pcm
            self._given_bytes += len(pcm)
            self._barren_bytes = 0 if pcm else self._barren_bytes
            while len(self._pcm) >= STEP_BYTES and not self._is_stopped:
                self._note()
                self._changed.wait()
            if self._is_stopped:
                raise StoppedError

    @property
    def has_given(self) -> bool:
        """Whether there was any sound."""
        return self._given_bytes > 0

    def finish(self, error: Exception | None) -> None:
        """Take note that the thread has ended."""
        with self._changed:
            self._is_done, self._error = True, None if self._is_stopped else error
            self._note()

    def _note(self) -> None:
        self._cpu_s = time.thread_time()
        self._changed.notify_all()

    # The other side

    def put(self, data: bytes) -> None:
        """Add bytes; nobody reads what comes behind the end."""
        with self._changed:
            if self._is_done:
                return
            self._bytes += data
            self._is_starved = False
            self._changed.notify_all()

    def end(self) -> None:
        """Take note that no more bytes come."""
        with self._changed:
            self._has_ended = True
            self._is_starved = False
            self._changed.notify_all()

    def stop(self) -> None:
        """Let the thread end, and forget what there is."""
        with self._changed:
            self._has_ended = self._is_stopped = True
            self._bytes.clear()
            self._pcm.clear()
            self._changed.notify_all()

    def take(self) -> tuple[bytes, bool, float]:
        """Wait for the thread to get on; return its sound, whether it has more, and its CPU time.

        Raises:
            RemoteProtocolError: Nothing more can come of it.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_done or self._is_starved or len(self._pcm) >= STEP_BYTES
            )
            taken = bytes(self._pcm[:STEP_BYTES])
            del self._pcm[: len(taken)]
            has_more = bool(self._pcm) or not (self._is_done or self._is_starved)
            if self._error is not None and not has_more and not taken:
                raise self._error
            self._changed.notify_all()
            return taken, has_more or self._error is not None, self._cpu_s

    @property
    def is_done(self) -> bool:
        """Whether the thread has ended."""
        return self._is_done


class File:
    """A recording that FFmpeg reads: `media.decoder.Recording`. A step may take long."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._next = b""
        """What another recording began with behind this one."""
        self._is_stopped = False
        self._begin()

    def _begin(self) -> None:
        self._outline: Outline = Boxes() if self._kind is Kind.MP4 else Frames()
        self._tape = Tape()
        self._pieces = 0
        self._cpu_s = self._given_s = 0.0
        thread = threading.Thread(
            target=_run,
            name="decoding",
            args=(self._kind, self._tape, self._outline),
            daemon=True,
        )
        thread.start()
        if self._is_stopped:  # while this step was on its way in another thread
            self._tape.stop()

    def feed(self, data: bytes, *, is_base64: bool) -> None:
        """Take the next bytes."""
        if self._tape.is_done and self._kind is Kind.MP3:
            self._begin()  # each of its frames is a beginning
        self._feed(self._next + (audio.bytes_of(data) if is_base64 else data))

    def _feed(self, raw: bytes) -> None:
        self._pieces += 1
        self._next = b""
        self._tape.put(self._outline.feed(raw))
        if self._outline.is_whole:
            rest = self._outline.rest
            if kinds.begins(rest[: kinds.HEAD_BYTES]) in _FORMATS or kinds.may_begin(rest):
                self._next = rest
            self._tape.end()

    def flush(self) -> None:
        """Hold nothing back."""
        if self._outline.holds_back:
            self._tape.end()

    def step(self) -> Decoded:
        """Wait for some sound, or until there can be no more without more bytes."""
        pcm, has_more, cpu_s = self._tape.take()
        spent_s, self._cpu_s = cpu_s - self._cpu_s, cpu_s
        self._given_s += len(pcm) / (2 * audio.INPUT_RATE)
        is_all = self._outline.is_whole
        if self._is_unsaid and not has_more:
            is_all = True
            if not self._tape.is_done:
                self._tape.end()
                has_more = True
        if self._next and not has_more:
            is_all = False
            has_more = self._go_on()
        return Decoded(
            0, pcm, cpu_s=max(0.0, spent_s), has_more=has_more, end=is_all and not has_more
        )

    def _go_on(self) -> bool:
        """Begin the next recording, if enough of it has come."""
        kind = kinds.begins(self._next[: kinds.HEAD_BYTES])
        if kind is None:
            return False
        self._kind = kind
        self._begin()
        self._feed(self._next)
        return True

    @property
    def _is_unsaid(self) -> bool:
        """Whether this is all of it, though it does not say so."""
        return self._outline.is_silent and self._pieces == 1 and self._given_s >= _UNSAID_S

    def stop(self) -> None:
        """Forget all of it."""
        self._is_stopped = True
        self._tape.stop()


def _run(kind: Kind, tape: Tape, outline: Outline) -> None:
    """Decode a recording; the thread's whole life."""
    error: Exception | None = None
    try:
        with _opened(kind, tape, outline) as container:
            _decode(kind, container, tape, outline.unheard_s)
    except (FFmpegError, UnicodeError):
        error = RemoteProtocolError(
            ErrorCode.AUDIO_BROKEN,
            f"this {kind} recording is damaged, or its beginning is missing",
        )
    except Exception as fault:  # noqa: BLE001 - whoever takes the sound is told
        error = fault
    tape.finish(error)


def _opened(kind: Kind, tape: Tape, outline: Outline) -> InputContainer:
    source: Tape | BytesIO = tape
    name = _FORMATS[kind]
    if kind is Kind.MP3:
        _skip_tags(tape)
        # FFmpeg loses the first frame of MP3 that it does not see enough of at once.
        name = _FORMATS[Kind.FLAC] if tape.peek(256).startswith(b"fLaC") else name
    if kind is Kind.MP4:
        tape.read_when(lambda: outline.shape is not Shape.UNKNOWN)
        if outline.shape is not Shape.STREAM:
            tape.read_when(lambda: outline.is_whole)
            source = BytesIO(tape.read())
    options = {"codec_whitelist": ",".join(_CODECS[kind]), "max_streams": _MOST_STREAMS}
    if name == _FORMATS[Kind.MP3]:
        # All that is known stands in each frame; FFmpeg would look at a second of it first.
        options["probesize"] = "32"
    return _open(source, "r", format=name, options=options)


def _skip_tags(tape: Tape) -> None:
    """Read over ID3v2 tags, which may hold pictures of megabytes, or stand before other files."""
    while tape.peek(3) == b"ID3":
        left = ID3_HEAD + id3_bytes(tape.peek(ID3_HEAD))
        while left and (taken := tape.read(left)):
            left -= len(taken)


def _decode(
    kind: Kind, container: InputContainer, tape: Tape, unheard_s: tuple[float, float]
) -> None:
    """Give out the sound, but for what is not to be heard of it."""
    start, stop = (2 * round(second * audio.INPUT_RATE) for second in unheard_s)
    at = 0
    for pcm in _decoded(kind, container, tape):
        tape.give(pcm[: max(0, start - at)] + pcm[max(0, stop - at) :])
        at += len(pcm)
    if not tape.has_given:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_BROKEN, f"there is no sound in this {kind} recording"
        )


def _decoded(kind: Kind, container: InputContainer, tape: Tape) -> Iterator[bytes]:
    """Yield the first track of sound."""
    streams = container.streams.audio
    if not streams:
        raise RemoteProtocolError(ErrorCode.AUDIO_FORMAT, "there is no sound in this recording")
    stream = streams[0]
    context = cast("AudioCodecContext | None", stream.codec_context)  # None: nobody decodes it
    if context is None or context.name not in _CODECS[kind]:
        name = "something unknown" if context is None else shown(context.name)
        raise RemoteProtocolError(ErrorCode.AUDIO_FORMAT, f"sound coded as {name} is not taken")
    check(context.sample_rate, context.channels)
    context.thread_count = 1
    resampler = Resampler()
    bad = 0
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except InvalidDataError:
            bad += 1
            if bad > MOST_BAD:
                raise
            continue
        bad = 0
        for frame in decoded:
            yield resampler.resample(frame)
        tape.check_cpu()
    yield resampler.flush()


def _too_costly(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(ErrorCode.AUDIO_TOO_COSTLY, message)
