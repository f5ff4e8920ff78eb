"""The recordings at the head of the line: given to the shell's decoder, step by step.

A piece is decoded only when Gemini can take what comes of it, and what comes of it goes out
before anything behind it. So the line keeps its order, and holds recordings, which are small.
"""

from livegate.protocol import audio, frames
from livegate.protocol.commands import Decode
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.inputs import Decoded
from livegate.protocol.limits import Limits
from livegate.protocol.media.kinds import Kind


class Decoding:
    """One recording after the other, each of them a job.

    Args:
        limits: How much of them there may be.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.is_busy = False
        """A step is under way."""
        self.job = 0
        """The recording that the decoder has; 0 for none."""
        self._kind = Kind.WEBM
        """Of that job."""
        self._given: frames.Piece | None = None
        """The last that the decoder got of it."""
        self._has_more = False
        self._ends = False
        """The last step was to hold nothing back."""
        self._failed = 0
        """The last recording that nothing could come of."""
        self._is_unwanted = False
        """What the decoder has was thrown away, up to the last step for it."""
        self.is_whole = False
        """The last piece was the end of a recording."""
        self.piece_s = 0.0
        """How long the last piece plays, as far as it is decoded."""
        self._job_s = self._job_cpu_s = self._total_s = 0.0

    def next_step(self, item: frames.Content) -> Decode | None:
        """Return what to do before the head of the line is done, or None if it is."""
        step: Decode | None = None
        if self._has_more:
            step = Decode(self.job, self._kind)
        elif isinstance(item, frames.Piece) and item is not self._given:
            step = (self._flush() if item.job != self.job else None) or self._give(item)
        elif isinstance(item, frames.AudioEnd | frames.ActivityEnd):
            step = self._flush()
        self.is_busy = step is not None
        return step

    def _give(self, piece: frames.Piece) -> Decode | None:
        if self.has_failed(piece):
            return None
        if piece.job != self.job:
            self.job, self._kind = piece.job, piece.kind
            self._job_s = self._job_cpu_s = 0.0
        self._given, self._ends, self.is_whole = piece, False, False
        self.piece_s = 0.0
        return Decode(piece.job, piece.kind, piece.data, piece.is_base64)

    def _flush(self) -> Decode | None:
        """Return the step that gets what the decoder holds back, unless there was one."""
        if self.job == 0 or self._ends:
            return None
        self._ends = True
        return Decode(self.job, self._kind, end=True)

    def take(self, event: Decoded, age_s: float) -> frames.Pcm | None:
        """Return the sound of an answer, if there is any that is still wanted.

        Args:
            event: The answer.
            age_s: How long the session has lasted.

        Raises:
            RemoteProtocolError: It is more than may come of recordings; nothing more will.
        """
        self.is_busy = False
        self._has_more = event.has_more
        seconds = len(event.pcm) / (2 * event.rate)
        self.piece_s += seconds
        self._job_s += seconds
        self._total_s += seconds
        self._job_cpu_s += event.cpu_s
        self._check(age_s)
        if event.end:
            self.job, self.is_whole = 0, True
        is_unwanted = self._is_unwanted
        self._is_unwanted = is_unwanted and event.has_more
        if is_unwanted or not event.pcm:
            return None
        return frames.Pcm(audio.encode(event.pcm), event.rate)

    def _check(self, age_s: float) -> None:
        limits = self._limits
        if self.piece_s > limits.recording_s:
            raise RemoteProtocolError(
                ErrorCode.AUDIO_TOO_LONG,
                f"one frame may hold {limits.recording_s:g} s of a recording: send it in parts",
            )
        if self._total_s > age_s * limits.pace + limits.burst_s + limits.recording_s:
            raise RemoteProtocolError(
                ErrorCode.AUDIO_TOO_FAST,
                f"more sound came in recordings than {age_s:.0f} s can have held: wait for a while",
            )
        if self._job_cpu_s > self._job_s * limits.decode_cpu + limits.decode_cpu_s:
            raise RemoteProtocolError(
                ErrorCode.AUDIO_TOO_COSTLY, "decoding this recording takes too long"
            )

    def fail(self, job: int) -> None:
        """Take note that nothing more can come of a recording."""
        self.is_busy = self._has_more = self._is_unwanted = False
        self._failed = job
        self.job = 0

    def has_failed(self, piece: frames.Piece) -> bool:
        """Whether nothing can come of the recording that a piece belongs to."""
        return piece.job <= self._failed

    def drop(self) -> None:
        """Take note that the line was thrown away: what is under way for it is not wanted."""
        self._is_unwanted = self.is_busy or self._has_more
