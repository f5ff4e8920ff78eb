"""When a speaker has finished, as far as a client's frames tell."""

from livegate.protocol import frames
from livegate.protocol.intake import Intake
from livegate.protocol.limits import Limits
from livegate.protocol.timers import Timer, TimerTable


class Speech:
    """Whether the client is speaking; keeps `Timer.FLUSH`.

    Gemini itself listens for the end of speech, but only in the sound that it gets: a client
    that simply stops sending would wait for ever. So a pause counts as `audio_end`. How long a
    recording's piece plays is known only when it is decoded, so until then nothing is a pause;
    nor is it while as much more may be on its way, recorded while this was played.
    """

    def __init__(self, limits: Limits, timers: TimerTable, intake: Intake) -> None:
        self._limits = limits
        self._timers = timers
        self._intake = intake
        self._is_speaking = False
        self._undecoded = 0
        """Pieces of recordings that wait, or are being decoded."""
        self._plays_until: float | None = None
        """When all that is known of the sound so far will have been played."""
        self._last: frames.Content | None = None
        """The sound that came last."""

    def admits(self, frame: frames.Content, now: float, *, may_pause: bool) -> bool:
        """Take note of content; return whether it means anything.

        Args:
            frame: What the client sent.
            now: The shell's clock.
            may_pause: The client says itself when it has finished.
        """
        match frame:
            case frames.Pcm():
                self._is_speaking, self._last = True, frame
                self._plays_until = now + min(frame.seconds, self._limits.slice_s)
                self._listen(may_pause=may_pause)
            case frames.Piece():
                self._is_speaking, self._last = True, frame
                self._undecoded += 1
                self._timers.stop(Timer.FLUSH)
            case frames.AudioEnd(is_said=is_said):
                was_speaking = self._is_speaking
                self._intake.pause(is_said=is_said)
                self.forget()
                return was_speaking
            case frames.ActivityEnd() if may_pause:
                self._intake.pause(is_said=True)
                self.forget()
            case frames.Text():
                self._intake.forgive()
            case _:
                pass
        return True

    def decoded(
        self,
        piece: frames.Piece,
        seconds: float,
        *,
        is_whole: bool,
        may_pause: bool,
        has_failed: bool = False,
    ) -> None:
        """Take note that a piece is used up.

        Args:
            piece: The piece.
            seconds: How long it plays.
            is_whole: The recording says that it ends there.
            may_pause: The client says itself when it has finished.
            has_failed: Nothing could come of it.
        """
        self._undecoded -= 1
        if not self._is_speaking:
            return
        if seconds or self._plays_until is not None:
            until = piece.came_at + min(seconds, self._limits.slice_s)
            self._plays_until = max(until, self._plays_until or 0.0)
        has_sound = self._plays_until is not None
        if piece is self._last and (is_whole or (has_failed and not has_sound)):
            self.forget()
        else:
            self._listen(may_pause=may_pause)

    @property
    def is_speaking(self) -> bool:
        """Whether sound came that nothing has ended yet."""
        return self._is_speaking

    def drop(self) -> None:
        """Take note that what was said was thrown away."""
        self._undecoded = 0
        self.forget()

    def forget(self) -> None:
        """Nobody speaks: the turn has ended."""
        self._is_speaking = False
        self._plays_until = self._last = None
        self._timers.stop(Timer.FLUSH)

    def _listen(self, *, may_pause: bool) -> None:
        """Wait for a pause, once it is known how long everything plays."""
        if self._plays_until is not None and not self._undecoded and not may_pause:
            self._timers.set(Timer.FLUSH, self._plays_until + self._limits.flush_after_s)
