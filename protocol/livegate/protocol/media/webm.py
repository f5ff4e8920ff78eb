"""WebM and Matroska, as browsers' MediaRecorder streams them (RFC 9559).

A recording is read as a flat row of elements. Segments and Clusters are entered and the sizes of
Clusters ignored, which a stream leaves open anyway: no element that may follow a Cluster may be
in one, and no id means two things. So nothing nests, and nothing needs to be closed.

A client may lose a piece of a recording, or swap two. What is left then looks damaged in one of
two ways. Where an element ends, none begins: sync is lost. Or a block swallows others, those that
came when its own end did not. The second is only known by the first. So each element is kept until
another follows it, and if none does, a beginning is looked for in it once more: the sound that
was damaged is lost, and no other. No byte is looked through twice, or else a forger's blocks
within blocks would be read for ever.
"""

import enum
from typing import Final

from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.limits import KIB, MIB
from livegate.protocol.media import ebml, matroska
from livegate.protocol.media.beginnings import Beginnings
from livegate.protocol.media.ebml import DamageError, Head
from livegate.protocol.media.matroska import Id, Sound
from livegate.protocol.media.tracks import SIZES, End, Found, Packet, Samples

HEADER_BYTES: Final = MIB
"""The largest EBML header and description of tracks, together; Chromium's have 150 bytes."""
BLOCK_BYTES: Final = MIB
"""The largest block of sound: five seconds of 48 kHz floating-point PCM. Chromium's have 10 ms."""
BARREN_BYTES: Final = 16 * MIB
"""How much may come with no sound in between: a frame's worth (`Limits.frame_bytes`)."""
LOST_BYTES: Final = MIB
"""How much damage may be looked through for the next beginning."""
_LEAST: Final = 256
"""What an element counts for at least: there is work to it, however small it is."""

_EBML: Final = Id.EBML.to_bytes(4)
_LACING: Final = 0x06
_AFTER_NUMBER: Final = 3
"""Bytes of a block between its track's number and its sound: a timestamp and flags."""


class _Stage(enum.Enum):
    START = enum.auto()
    """Nothing has come."""
    HEADER = enum.auto()
    """A recording has begun; its tracks are not known."""
    SOUND = enum.auto()
    OVER = enum.auto()
    """A recording was whole; another may follow."""


class WebM:
    """Reads WebM and Matroska; a `Reader`. Places are counted from the first byte ever fed."""

    slice_bytes = 3 * KIB
    """Its smallest elements are of two bytes each."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._start = 0
        """Where `_held` begins."""
        self._at = 0
        """Where the next element begins, or is looked for. Not all before it need have come."""
        self._kept = 0
        """Where the last element began, unless it is too large to be kept: there it ends."""
        self._looked_to = 0
        """Up to where no byte is looked through once more."""
        self._lost_at: int | None = None
        self._segment_end: int | None = None
        self._header_bytes = 0
        self._barren_bytes = 0
        self._stage = _Stage.START
        self._sound: Sound | None = None
        self._was_laced = False
        self._frame_bytes = 1
        self._beginnings = Beginnings(None)

    @property
    def is_over(self) -> bool:
        """Whether a recording was whole, and no other has begun, not even in part."""
        rest = self._held[self._at - self._start :]
        is_begun = bool(rest) and _EBML.startswith(rest[: len(_EBML)])
        return self._stage is _Stage.OVER and not is_begun

    @property
    def held_bytes(self) -> int:
        """How much is held until more comes: two blocks at most, or a header."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Found]:
        """Take the next bytes; return what is whole now, in order.

        Raises:
            RemoteProtocolError: `audio_format`: nothing that can be decoded. `audio_broken`: the
                beginning is missing, or too much is damaged. `audio_too_costly`: a part is too
                large, or too much came without sound.
        """
        self._held += data
        found: list[Found] = []
        while self._has(0) and self._step(found):
            pass
        needed_from = self._kept if self._lost_at is None else self._at
        count = min(needed_from - self._start, len(self._held))
        del self._held[:count]
        self._start += count
        return found

    def _step(self, found: list[Found]) -> bool:
        """Go one element further; return False if it is not whole."""
        if self._lost_at is not None:
            return self._look(self._lost_at)
        if self._at == self._segment_end:
            self._finish(found)
        try:
            head = ebml.head(self._held, self._at - self._start)
            return head is not None and self._read(head, found)
        except DamageError as damage:
            self._lose(damage)
            return True

    def _read(self, head: Head, found: list[Found]) -> bool:
        """Read or pass over the element that begins here; return False if it is not whole."""
        if head.id != Id.EBML and self._stage not in (_Stage.HEADER, _Stage.SOUND):
            raise DamageError(f"element 0x{head.id:x}")
        if head.id == Id.SEGMENT:
            end = None if head.size is None else self._at + head.length + head.size
            self._segment_end = end
            return self._pass(head.length)
        if head.id == Id.CLUSTER:
            self._known_sound()
            return self._pass(head.length)
        if head.size is None:
            raise DamageError(f"element 0x{head.id:x} has no size")
        size = head.length + head.size
        match head.id:
            case Id.SIMPLE_BLOCK | Id.BLOCK_GROUP if size > BARREN_BYTES:
                raise DamageError(f"a block of {size} bytes")
            case Id.SIMPLE_BLOCK:
                return self._read_block(head.length, size, found)
            case Id.BLOCK_GROUP:
                return self._read_group(head.length, size, found)
            case Id.EBML:
                return self._begin(head.length, size)
            case Id.TRACKS if self._stage is _Stage.HEADER:
                return self._hear(head.length, size, found)
            case _ if head.size <= matroska.PASSED.get(head.id, -1):
                return self._pass(size)
            case _:
                raise DamageError(f"element 0x{head.id:x} of {head.size} bytes")

    def _begin(self, length: int, size: int) -> bool:
        """Read an EBML header; return False if it is not whole."""
        if size > HEADER_BYTES:
            raise _too_large("header", HEADER_BYTES, size)
        if not self._has(size):
            return False
        self._stage, self._sound, self._segment_end = _Stage.HEADER, None, None
        matroska.check_kind(self._copy(length, size))
        self._header_bytes = size
        return self._pass(size)

    def _hear(self, length: int, size: int, found: list[Found]) -> bool:
        """Read Tracks, and choose the one to hear; return False if they are not whole."""
        together = self._header_bytes + size
        if together > HEADER_BYTES:
            raise _too_large("header", HEADER_BYTES, together)
        if not self._has(size):
            return False
        self._sound = matroska.choose(self._copy(length, size))
        self._stage = _Stage.SOUND
        self._was_laced = False
        self._beginnings = Beginnings(self._sound.number)
        track = self._sound.track
        codec = track.codec
        self._frame_bytes = SIZES[codec] * track.channels if isinstance(codec, Samples) else 1
        found.append(track)
        return self._pass(size)

    def _read_block(self, length: int, size: int, found: list[Found]) -> bool:
        """Read a SimpleBlock, or pass over another track's; return False if it is not whole."""
        sound = self._known_sound()
        if not self._has(min(size, length + ebml.SIZE_BYTES)):
            return False
        number, _ = ebml.vint(self._held, self._at - self._start + length)
        if number in sound.others:
            return self._pass(size)
        if number != sound.number:
            raise DamageError(f"a block of track {number}")
        if size > BLOCK_BYTES:
            raise _too_large("block of sound", BLOCK_BYTES, size)
        if not self._has(size):
            return False
        block = self._copy(length, size)
        self._pass(size)
        self._give(sound, block, b"", found)
        return True

    def _read_group(self, length: int, size: int, found: list[Found]) -> bool:
        """Read a BlockGroup; return False if it is not whole.

        If it is damaged inside, its own sound is lost, and what comes next shows whether more is.
        """
        sound = self._known_sound()
        if size > BLOCK_BYTES:
            if sound.others:  # a picture
                return self._pass(size)
            raise _too_large("block of sound", BLOCK_BYTES, size)
        if not self._has(size):
            return False
        body = self._copy(length, size)
        self._pass(size)
        try:
            parts = dict(ebml.children(body))
            padding = parts.get(Id.DISCARD_PADDING, b"")
            self._give(sound, parts.get(Id.BLOCK, b""), padding, found)
        except DamageError:
            pass
        return True

    def _give(self, sound: Sound, block: bytes, padding: bytes, found: list[Found]) -> None:
        """Append the sound of a block, if it is of the track that is heard."""
        number, length = ebml.vint(block, 0)
        if number != sound.number or len(block) < length + _AFTER_NUMBER:
            return
        start = length + _AFTER_NUMBER
        if block[start - 1] & _LACING:
            self._drop_laced()
            return
        end = len(block) - (len(block) - start) % self._frame_bytes
        if start < end:  # a decoder takes an empty packet for the end
            found.append(Packet(block[start:end], matroska.trim_s(padding)))
            self._barren_bytes, self._was_laced = 0, False

    def _drop_laced(self) -> None:
        """Refuse a second block in a row with several packets; a single one is damaged."""
        if self._was_laced:
            raise RemoteProtocolError(
                ErrorCode.AUDIO_FORMAT,
                "the recording's blocks must hold one packet each, got several in one (lacing)",
            )
        self._was_laced = True

    def _finish(self, found: list[Found]) -> None:
        """End a recording whose Segment said how long it is."""
        if self._sound is None:
            raise matroska.no_sound()
        found.append(End())
        self._stage, self._sound, self._segment_end = _Stage.OVER, None, None
        self._beginnings = Beginnings(None)

    def _lose(self, damage: DamageError) -> None:
        """Give up what stands here, and look for a beginning from inside the last element on."""
        if self._stage is _Stage.START:
            raise _broken(
                "the recording must begin with an EBML header: its beginning is missing, "
                f"restart the recorder; got {damage}"
            )
        if self._stage is _Stage.HEADER:
            raise _broken(f"the recording's header is damaged: {damage}")
        self._count(_LEAST)
        self._segment_end = None
        self._lost_at = self._at
        self._at = max(self._kept + 1, min(self._at, self._looked_to))
        self._looked_to = max(self._looked_to, self._lost_at)

    def _look(self, lost_at: int) -> bool:
        """Go to the next beginning after damage; return False if it has not come."""
        index, is_found = self._beginnings.after(self._held, self._at - self._start)
        place = self._start + index
        if place - lost_at > LOST_BYTES:
            raise _broken(
                f"the recording is damaged: nothing of it is found in {LOST_BYTES} bytes"
            )
        self._count(place - self._at)
        self._at = place
        if is_found:
            self._kept = place
            self._lost_at = None
        return is_found

    def _known_sound(self) -> Sound:
        """Return what is heard; without it, blocks mean nothing."""
        if self._sound is None:
            raise DamageError("sound comes before its track is described")
        return self._sound

    def _has(self, size: int) -> bool:
        """Return whether so many bytes from here on have come."""
        return self._at + size <= self._start + len(self._held)

    def _copy(self, start: int, end: int) -> bytes:
        """Return bytes, counted from here on."""
        here = self._at - self._start
        return bytes(self._held[here + start : here + end])

    def _pass(self, size: int) -> bool:
        """Go on behind so many bytes; they are kept unless they are many. Return True."""
        self._count(max(size, _LEAST))
        self._kept = self._at if size <= BLOCK_BYTES else self._at + size
        self._at += size
        return True

    def _count(self, size: int) -> None:
        """Count bytes without sound."""
        self._barren_bytes += size
        if self._barren_bytes > BARREN_BYTES:
            raise _too_costly(
                f"the recording may have {BARREN_BYTES} bytes without sound, got more"
            )


def _broken(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(ErrorCode.AUDIO_BROKEN, message)


def _too_costly(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(ErrorCode.AUDIO_TOO_COSTLY, message)


def _too_large(what: str, limit: int, size: int) -> RemoteProtocolError:
    return _too_costly(f"the recording's {what} may have {limit} bytes, got {size}")
