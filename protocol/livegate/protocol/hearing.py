"""What a client says: from its audio frames to PCM for Gemini, and when the speaker has finished."""

from livegate.protocol import frames
from livegate.protocol.config import Plan
from livegate.protocol.decoding import Decoding
from livegate.protocol.errors import RemoteProtocolError
from livegate.protocol.inputs import Answer, DecodeFailed
from livegate.protocol.intake import Intake
from livegate.protocol.limits import Limits
from livegate.protocol.line import Line
from livegate.protocol.outbox import Outbox
from livegate.protocol.speech import Speech
from livegate.protocol.tally import Tally
from livegate.protocol.timers import TimerTable


class Hearing:
    """One client's sound, in three steps: told apart as it comes, in line, and decoded there.

    Args:
        limits: How much of it there may be.
        timers: Keeps `Timer.FLUSH`.
        line: Where it waits for Gemini.
        out: Takes what the decoder has to do.
        tally: Counts its seconds.
    """

    def __init__(
        self, limits: Limits, timers: TimerTable, line: Line, out: Outbox, tally: Tally
    ) -> None:
        self._limits = limits
        self._line = line
        self._out = out
        self._tally = tally
        self._intake = Intake()
        self._speech = Speech(limits, timers, self._intake)
        self._decoding = Decoding(limits)
        self._is_unended = False
        """Gemini has sound, and was not told that it ends."""
        self._plays_until = 0.0
        """When what was decoded since the last end will have been played."""

    @property
    def is_speaking(self) -> bool:
        """Whether sound came that nothing has ended yet."""
        return self._speech.is_speaking

    # As it comes

    def take(self, frame: frames.Audio, now: float) -> frames.Pcm | frames.Piece | None:
        """Return what an audio frame is: see `Intake.take`."""
        return self._intake.take(frame, now, self._line.read_since)

    def admits(self, frame: frames.Content, now: float, plan: Plan) -> bool:
        """Return whether content means anything: see `Speech.admits`."""
        if isinstance(frame, frames.Pcm):
            self._tally.heard(frame.seconds)
        return self._speech.admits(frame, now, may_pause=not plan.detects_activity)

    # At the head of the line

    def awaits(self, item: frames.Content) -> bool:
        """Whether the head of the line has to wait for the decoder, which is told to go on."""
        if isinstance(item, frames.Pcm):
            return False
        if self._decoding.is_busy:
            return True
        if isinstance(item, frames.Piece) and self._line.has_much_before:
            return True  # until Gemini has taken what came of it so far
        step = self._decoding.next_step(item)
        if step is not None:
            self._out.decode(step)
        return step is not None

    def decoded(self, event: Answer, now: float) -> None:
        """Put what came of a recording in front of the line.

        Raises:
            RemoteProtocolError: Nothing came of it, or more than may.
        """
        if isinstance(event, DecodeFailed):
            self._give_up(event.job)
            raise RemoteProtocolError(event.code, event.message)
        try:
            sound = self._decoding.take(event, now - self._tally.began_at)
        except RemoteProtocolError:
            self._out.stop_decoding(event.job)
            self._give_up(event.job)
            raise
        if event.end:
            self._intake.ended(event.job, has_failed=False)
        if sound is not None:
            self._tally.heard(sound.seconds)
            self._line.push_first(sound, len(sound.data))

    def given(self, frame: frames.Content, plan: Plan) -> bool:
        """Take note that content is used up; return whether it means anything to Gemini.

        Where a recording is whole, so is the speech; an end of what made no sound is none.
        """
        if isinstance(frame, frames.Pcm):
            self._is_unended = True
        elif isinstance(frame, frames.AudioEnd):
            was_unended, self._is_unended = self._is_unended, False
            self._plays_until = 0.0
            return was_unended or not plan.detects_activity
        elif isinstance(frame, frames.Piece):
            is_whole, seconds = self._decoding.is_whole, self._decoding.piece_s
            until = frame.came_at + min(seconds, self._limits.slice_s)
            self._plays_until = max(until, self._plays_until)
            self._speech.decoded(
                frame,
                seconds,
                is_whole=is_whole,
                may_pause=not plan.detects_activity,
                has_failed=self._decoding.has_failed(frame),
            )
            has_paused = plan.detects_activity and self._paused_before(self._line.head)
            if has_paused or (is_whole and not isinstance(self._line.head, frames.AudioEnd)):
                self._line.push_first(frames.AudioEnd(is_said=False), 0)
        return True

    def _paused_before(self, item: object) -> bool:
        """Whether the speaker had paused when this came: seen late, if recordings had to wait."""
        return (
            isinstance(item, frames.Piece)
            and item.came_at > max(self._plays_until, item.read_since) + self._limits.flush_after_s
        )

    def drop(self) -> None:
        """The line was thrown away: what is being decoded for it is not wanted."""
        self._speech.drop()
        self._decoding.drop()

    def stop(self) -> None:
        """The session ends."""
        if self._decoding.job:
            self._out.stop_decoding(self._decoding.job)

    def _give_up(self, job: int) -> None:
        self._decoding.fail(job)
        self._intake.ended(job, has_failed=True)
