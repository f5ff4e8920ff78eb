"""What the emulated model does on one link: it answers, one answer after the other."""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol, assert_never

from livegate.protocol import _json
from livegate.protocol.emulator import answers, checks, wire
from livegate.protocol.emulator.answers import Beat
from livegate.protocol.emulator.faults import Faults
from livegate.protocol.emulator.memory import Session
from livegate.protocol.emulator.wire import RefusalError
from livegate.protocol.profiles import Profile, Thinking, profile_of

TOKENS_PER_S: Final = 25
"""Live API: what a second of sound costs."""
_MAX_WAITING: Final = 8
_MAX_CALLS: Final = 100


class Outlet(Protocol):
    """The link on which the model speaks."""

    def send(self, json: Mapping[str, object], *, is_text: bool = False) -> None:
        """Send a message."""

    def begun(self) -> None:
        """Take note that an answer begins."""

    def said(self, text: str) -> None:
        """Take note of what was said by an answer, as far as it came."""

    def ended(self) -> None:
        """Take note that the model is idle."""

    def leave(self, after_s: float) -> None:
        """Announce the link's end, and end it then."""

    def arrange(self, change: Callable[[Faults, Session, float], object]) -> None:
        """Change what goes wrong."""


class Model:
    """Answers of one link, on its clock.

    Args:
        outlet: The link.
        number: Which one it is; calls are named by it.
        pace: As of `Options`.
    """

    def __init__(self, outlet: Outlet, number: int, pace: float) -> None:
        self.now = 0.0
        """When that happens which is being handled."""
        self.profile: Profile = profile_of("")
        self.tools: list[wire.Tool] = []
        self.prompt_tokens = 0
        """What the question costs that comes next."""
        self.is_mute = False
        """Whether nothing is said any more."""
        self._outlet = outlet
        self._number = number
        self._pace = pace
        self._is_answering = False
        self._waiting: deque[Iterator[Beat]] = deque(maxlen=_MAX_WAITING)
        """Answers that may not interrupt the one that is running."""
        self._beats: Iterator[Beat] = iter(())
        self._next: Beat | None = None
        self._due = 0.0
        self._played_at = -math.inf
        """When all sound will have been played that has left."""
        self._sound_s = 0.0
        self._said = ""
        self._calls: dict[str, answers.Call] = {}
        self._awaited = ""
        """The call that the answer waits for."""
        self._call_count = 0

    @property
    def due(self) -> float:
        """When to `play` again."""
        return self._due if self._next is not None else math.inf

    def begin(self, beats: Iterator[Beat]) -> None:
        """Begin an answer, or let it wait for its turn."""
        if self.is_mute:
            return
        if self._is_answering:
            self._waiting.append(beats)
            return
        self._is_answering = True
        self._outlet.begun()
        self._resume(beats)

    def take_results(self, response: wire.ToolResponse) -> None:
        """Go on with the results of functions.

        Raises:
            RefusalError: No call waits for them, or the one that does is lost.
        """
        checks.check_tool_response(response, self._calls, self.profile)
        results = [(one, self._calls[one.id]) for one in response.function_responses]
        for one, call in results:
            if call.is_lost:
                raise RefusalError(1008, "Requested entity was not found")
            text = f"The tool said: {_json.encode(one.response or {}).decode()}"
            said = answers.say(call.asked, text)
            if one.id == self._awaited:
                del self._calls[one.id]
                self._awaited = ""
                self._resume(itertools.chain(said, self._beats))
                continue
            if not one.will_continue:
                self._calls.pop(one.id, None)
            if one.scheduling == "INTERRUPT":
                self.interrupt()
            if one.scheduling != "SILENT":
                self.begin(itertools.chain(said, [answers.Complete()]))

    def interrupt(self) -> None:
        """Stop an answer that is running: what has not left yet never does."""
        if not self._is_answering:
            return
        self._waiting.clear()
        self._played_at = -math.inf
        self._outlet.send(answers.content(interrupted=True))
        if self._calls:
            self._outlet.send({"toolCallCancellation": {"ids": [*self._calls]}})
            self._calls.clear()
        self._complete({})

    def stop(self) -> None:
        """Say nothing more of anything that was begun."""
        self._stop()
        self._waiting.clear()

    def play(self) -> None:
        """Do all beats that are due.

        Raises:
            RefusalError: The answer ends the link.
        """
        while self._next is not None and self._due <= self.now:
            beat, self._next = self._next, None
            match beat:
                case answers.Message(json=json, sound_s=sound_s, said=said, is_text=is_text):
                    self._count(sound_s, said)
                    self._outlet.send(json, is_text=is_text)
                case answers.Complete(extra=extra, sound_s=sound_s, said=said):
                    self._count(sound_s, said)
                    self._complete(extra)
                case answers.Call():
                    self._call(beat)
                case answers.Hang():
                    self._stop()
                case answers.Cut():
                    self.interrupt()
                case answers.Leave(after_s=after_s):
                    self._outlet.leave(after_s)
                case answers.Mute():
                    self.is_mute = True
                    self.stop()
                case answers.Arrange(change=change):
                    self._outlet.arrange(change)
                case answers.End(code=code, reason=reason):
                    raise RefusalError(code, reason)
                case _:
                    assert_never(beat)
            self._advance()
            if self._waiting and not self._is_answering:
                self.begin(self._waiting.popleft())

    def _resume(self, beats: Iterator[Beat]) -> None:
        self._beats = beats
        self._due = self.now
        self._advance()

    def _advance(self) -> None:
        """Take the next beat, and set when it is due."""
        self._next = None if self._awaited else next(self._beats, None)
        match self._next:
            case answers.Message(after_s=after_s):
                self._due += after_s * self._pace
            case answers.Complete(is_announced=is_announced):
                if is_announced:
                    self._outlet.send(answers.content(generationComplete=True))
                self._due = max(self._due, self._played_at)
            case _:
                pass

    def _count(self, sound_s: float, said: str) -> None:
        """Note what was said, and until when it plays."""
        self._sound_s += sound_s
        self._said += said
        self._played_at = max(self._played_at, self._due) + sound_s * self._pace

    def _call(self, call: answers.Call) -> None:
        self._call_count += 1
        call_id = f"call-{self._number}-{self._call_count}"
        self._calls[call_id] = call
        if len(self._calls) > _MAX_CALLS:
            del self._calls[next(iter(self._calls))]
        made = {"id": call_id, "name": call.name, "args": call.args}
        self._outlet.send({"toolCall": {"functionCalls": [made]}})
        if checks.is_blocking(call.name, self.tools, self.profile):
            self._awaited = call_id
        else:
            self._beats = itertools.chain(
                answers.say(call.asked, "One moment, please."), self._beats
            )

    def _complete(self, extra: Mapping[str, object]) -> None:
        """End the turn; the model is idle then, unless it says that it is not."""
        ended: dict[str, object] = {"turnComplete": True}
        if self.profile.thinking is Thinking.LEVEL_REQUIRED:
            ended["interactionStatus"] = "IDLE"
        ended.update(extra)
        self._outlet.send({"serverContent": ended, "usageMetadata": self._usage()})
        said, self._said = self._said, ""
        self._outlet.said(said)
        if ended.get("interactionStatus") == "IN_PROGRESS":
            return
        self._stop()
        self._outlet.ended()

    def _stop(self) -> None:
        self._is_answering = False
        self._awaited = ""
        self._next, self._beats = None, iter(())

    def _usage(self) -> Mapping[str, object]:
        prompt, self.prompt_tokens = self.prompt_tokens, 0
        answer = round(self._sound_s * TOKENS_PER_S) or len(self._said.split())
        modality = "AUDIO" if self._sound_s else "TEXT"
        self._sound_s = 0.0
        return {
            "promptTokenCount": prompt,
            "responseTokenCount": answer,
            "totalTokenCount": prompt + answer,
            "responseTokensDetails": [{"modality": modality, "tokenCount": answer}],
        }
