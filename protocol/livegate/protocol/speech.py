"""When a speaker has finished, as far as a client's frames tell."""

from livegate.protocol import audio, frames
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.limits import Limits
from livegate.protocol.timers import Timer, TimerTable


class Speech:
    """Whether the client is speaking; keeps `Timer.FLUSH`.

    Gemini itself listens for the end of speech, but only in the sound that it gets: a client
    that simply stops sending would wait for ever. So a pause counts as `audio_end`.
    """

    def __init__(self, limits: Limits, timers: TimerTable) -> None:
        self._limits = limits
        self._timers = timers
        self._is_speaking = False
        self._is_deaf = False
        """A container was refused: what follows is the rest of it, not PCM."""

    def admits(self, frame: frames.Content, now: float, *, may_pause: bool) -> bool:
        """Take note of content; return whether it means anything.

        Args:
            frame: What the client sent.
            now: The shell's clock.
            may_pause: The client says itself when it has finished.

        Raises:
            RemoteProtocolError: `audio_format`: it begins a recording that is no PCM.
        """
        match frame:
            case frames.Audio(container=container):
                # In mid-speech, sound that begins like a container does so by chance.
                if self._is_deaf or (container is not None and not self._is_speaking):
                    self._is_deaf = True
                    raise RemoteProtocolError(
                        ErrorCode.AUDIO_FORMAT,
                        audio.needs_pcm(f"{container}, which needs conversion")
                        if container is not None
                        else "this belongs to a recording that was refused: send audio_end first",
                    )
                self._is_speaking = True
                if not may_pause:
                    flush_at = now + frame.seconds + self._limits.flush_after_s
                    self._timers.set(Timer.FLUSH, flush_at)
            case frames.AudioEnd():
                was_speaking = self._is_speaking
                self.forget()
                return was_speaking
            case frames.ActivityEnd() if may_pause:
                self.forget()
            case frames.Text():
                self._is_deaf = False
            case _:
                pass
        return True

    @property
    def is_speaking(self) -> bool:
        """Whether sound came that nothing has ended yet."""
        return self._is_speaking

    def forget(self) -> None:
        """Nobody speaks: the turn has ended, or what was said was thrown away."""
        self._is_speaking = self._is_deaf = False
        self._timers.stop(Timer.FLUSH)
