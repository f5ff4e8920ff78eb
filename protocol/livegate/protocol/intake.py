"""What a client's audio frames are, as they come: raw PCM, or pieces of recordings.

First bytes decide, whatever the client declares: a browser's recorder says nothing of what it
makes, and its later pieces show nothing. So what follows a recording's beginning belongs to it,
until another one begins, it is whole, or the client says that the speaker has finished.
"""

import enum
from math import inf

import attrs

from livegate.protocol import audio, frames
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.media import kinds
from livegate.protocol.media.kinds import HEAD_BYTES, Kind


class _Hearing(enum.Enum):
    NOTHING = enum.auto()
    PCM = enum.auto()
    RECORDING = enum.auto()
    PAUSED = enum.auto()
    """A recording that is whole, or whose speaker has finished; what looks like it belongs to it:
    a WAV's texts stand behind its sound, and some recorders are never stopped."""
    FAILED = enum.auto()
    """A recording that could not be decoded; nothing that follows it can be."""


class Intake:
    """Tells what each audio frame is, by those before it."""

    def __init__(self) -> None:
        self._state = _Hearing.NOTHING
        self._job = 0
        self._kind = Kind.WEBM
        """Of that job."""
        self._rest = b""
        """Half a sample, or too few bytes to tell a recording by: waits for what comes next."""

    def take(
        self, frame: frames.Audio, now: float, read_since: float = -inf
    ) -> frames.Pcm | frames.Piece | None:
        """Return what a frame is, or None if there is too little of it yet.

        Args:
            frame: What the client sent.
            now: The shell's clock.
            read_since: Since when the client is read.

        Raises:
            RemoteProtocolError: `audio_format`, `audio_broken`: it is nothing that can be used.
        """
        if not frame.data and self._state in (_Hearing.RECORDING, _Hearing.PAUSED):
            return None  # recorders end with an empty piece, if there was nothing left to say
        if self._rest and not self._is_new(frame.head):
            frame = attrs.evolve(frame, data=self._rest + frame.content, is_base64=False)
        head = frame.head
        begun = kinds.begins(head)
        if begun is not None and (kinds.is_sure(head) or self._is_between(frame)):
            self._job += 1
            self._kind = begun
        elif not self._goes_on(frame, head):
            return self._pcm(frame, head)
        elif self._state is _Hearing.FAILED:
            raise RemoteProtocolError(
                ErrorCode.AUDIO_BROKEN,
                "this belongs to a recording that was refused: begin another, or send audio_end",
            )
        self._state = _Hearing.RECORDING
        self._rest = b""
        return frames.Piece(self._job, self._kind, frame.data, frame.is_base64, now, read_since)

    def pause(self, *, is_said: bool) -> None:
        """The speaker has finished.

        Args:
            is_said: The client says so; else its sound has stopped, perhaps on the way.
        """
        self._rest = b""
        if self._state is _Hearing.PCM:
            self._state = _Hearing.NOTHING
        elif is_said:
            was_recording = self._state in (_Hearing.RECORDING, _Hearing.PAUSED)
            self._state = _Hearing.PAUSED if was_recording else _Hearing.NOTHING

    def forgive(self) -> None:
        """Take what comes next as something new, if the recording before it has failed."""
        if self._state is _Hearing.FAILED:
            self._state = _Hearing.NOTHING

    def ended(self, job: int, *, has_failed: bool) -> None:
        """Take note that a recording is whole, or that nothing more can come of it."""
        if job == self._job and self._state in (_Hearing.RECORDING, _Hearing.PAUSED):
            goes_on = self._state is _Hearing.RECORDING
            gives_up = _Hearing.FAILED if goes_on else _Hearing.NOTHING
            self._state = gives_up if has_failed else _Hearing.PAUSED

    @staticmethod
    def _is_new(head: bytes) -> bool:
        """Whether a recording begins here, whatever runs."""
        return kinds.begins(head) is not None and kinds.is_sure(head)

    def _is_between(self, frame: frames.Audio) -> bool:
        """Whether nothing runs that this may be the next of."""
        return self._state in (_Hearing.NOTHING, _Hearing.PAUSED) and not frame.declared.is_pcm

    def _goes_on(self, frame: frames.Audio, head: bytes) -> bool:
        """Whether a frame that begins no recording belongs to the one before it."""
        if frame.declared.is_pcm:
            return False
        if self._state is _Hearing.PAUSED:
            return self._kind in (kinds.continues(head), frame.declared.kind)
        return self._state in (_Hearing.RECORDING, _Hearing.FAILED)

    def _pcm(self, frame: frames.Audio, head: bytes) -> frames.Pcm | None:
        """Return whole samples; what is left over waits."""
        if not frame.data:
            raise RemoteProtocolError(ErrorCode.AUDIO_FORMAT, "the frame holds no audio")
        is_first = self._state is not _Hearing.PCM
        if is_first and len(frame.data) < HEAD_BYTES * 2 and kinds.may_begin(frame.content):
            self._state, self._rest = _Hearing.NOTHING, frame.content
            return None
        if is_first and not frame.declared.is_pcm:
            _check_beginning(frame.declared, head)
        rate = frame.declared.pcm_rate
        self._state = _Hearing.PCM
        if frame.is_base64:
            text = frame.data.decode("ascii")
            if audio.decoded_size(text) % 2 == 0:
                return frames.Pcm(text, rate)
        pcm = frame.content
        whole = len(pcm) - len(pcm) % 2
        self._rest = pcm[whole:]
        return frames.Pcm(audio.encode(pcm[:whole]), rate) if whole else None


def _check_beginning(declared: audio.Declared, head: bytes) -> None:
    """Raise if this belongs to a recording whose beginning never came."""
    found = kinds.continues(head) or declared.kind
    if found is not None:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_BROKEN,
            f"this looks like a piece of {found} whose beginning is missing: restart the recorder"
            if kinds.continues(head)
            else f"this is said to be {found}, and does not begin like it: send recordings from "
            "their beginning, and raw PCM as audio/pcm",
        )
