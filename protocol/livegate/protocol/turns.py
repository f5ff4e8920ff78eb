"""The answers of Gemini, turned into frames for the client, turn by turn."""

from collections import deque
from typing import assert_never

import attrs

from livegate.protocol import frames, gemini, replies
from livegate.protocol.config import Plan
from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.limits import Limits
from livegate.protocol.playback import Playback
from livegate.protocol.replies import Reply
from livegate.protocol.states import Turn, TurnTrigger, next_turn
from livegate.protocol.timers import TimerTable


@attrs.frozen
class Call:
    """A tool call that waits for its result."""

    id: str
    name: str
    at: float
    """When it came, or the last part of its result, in the shell's monotonic seconds."""


class Turns:
    """Who owes whom an answer, and what of it the client gets.

    Args:
        limits: How much is kept.
        timers: The clock.
    """

    def __init__(self, limits: Limits, timers: TimerTable) -> None:
        self._timers = timers
        self.state = Turn.IDLE
        self.number = 1
        """The turn that runs, or comes next."""
        self._muted = 0
        """The turn of which the client hears no more."""
        self._playback = Playback(limits)
        self._unspoken = ""
        """Text parts of a speaking model: its transcription says the same, if it comes."""
        self._is_transcribed = self._is_written = False
        """Which of the two the client reads in this turn: never both."""
        self._max_unspoken = limits.free_json_bytes
        self._calls: deque[Call] = deque(maxlen=limits.pending_calls)

    @property
    def completed(self) -> int:
        """How many answers have ended."""
        return self.number - 1

    def step(self, trigger: TurnTrigger) -> None:
        """Change the state as the table says."""
        self.state = next_turn(self.state, trigger)

    def settle(self, frame: frames.ToolResponse) -> None:
        """Take note that results of calls are on their way.

        Raises:
            RemoteProtocolError: `bad_frame`: Gemini waits for no such result.
        """
        for one in frame.responses:
            if not any(call.id == one.id for call in self._calls):
                raise RemoteProtocolError(
                    ErrorCode.BAD_FRAME, f"no tool_call with id {shown(one.id)} waits for this"
                )
        for one in frame.responses:
            if one.will_continue:
                self._renew(one.id)
            else:
                self._forget(one.id)

    @property
    def has_calls(self) -> bool:
        """Whether tool calls wait for their results."""
        return bool(self._calls)

    @property
    def called_at(self) -> float | None:
        """Since when the one that has waited longest does so, or None."""
        return min((call.at for call in self._calls), default=None)

    def drop_calls(self, after_s: float) -> tuple[frames.FunctionResponse, ...]:
        """Give up the calls that have waited for so long; return what to tell Gemini of them."""
        late = [call for call in self._calls if call.at + after_s <= self._timers.now]
        for call in late:
            self._calls.remove(call)
        failed = {"error": "the function did not return in time"}
        return tuple(frames.FunctionResponse(call.id, call.name, failed) for call in late)

    def _forget(self, id_: str) -> None:
        call = next((call for call in self._calls if call.id == id_), None)
        if call is not None:
            self._calls.remove(call)

    def _renew(self, id_: str) -> None:
        """Take note that a part of a result has come."""
        for position, call in enumerate(self._calls):
            if call.id == id_:
                self._calls[position] = attrs.evolve(call, at=self._timers.now)

    def hush(self) -> int:
        """Let no more of the running answer through; return the turn to stop playing.

        That is the last one if none runs; 0 if there was none yet.
        """
        if self.state is not Turn.IDLE:
            self._muted = self.number
            self._playback.forget()
            return self.number
        return self.completed

    def cut_off(self) -> int:
        """Gemini was interrupted; return the turn to stop playing.

        That is the last one if no answer has begun since: the client may still be playing it.
        """
        if self.state is Turn.USER:
            return self.completed
        return self.hush()

    def link_ended(self) -> list[Reply]:
        """Give up what was owed on a link; return what the client has to know."""
        found: list[Reply] = []
        if self._calls:
            found.append(replies.tool_call_cancelled([call.id for call in self._calls]))
            self._calls.clear()
        if self.state is not Turn.IDLE:
            found += self._playback.flush()
            found.append(replies.turn_complete(self.number, replies.LOST, None))
            self._begin(self.number + 1)
        self.step(TurnTrigger.LINK_ENDED)
        return found

    def give_up(self) -> list[Reply]:
        """Wait no longer for an answer that has not begun; return what the client has to know."""
        self.step(TurnTrigger.GIVEN_UP)
        found = self._playback.flush()
        found.append(replies.turn_complete(self.number, replies.NO_ANSWER, None))
        self._begin(self.number + 1)
        return found

    def hear(self, message: gemini.Message, plan: Plan) -> list[Reply]:
        """Return the frames for one message, not filtered by what the client wants."""
        match message:
            case gemini.Sound():
                self.step(TurnTrigger.OUTPUT)
                if self._is_muted or not plan.wants_sound:
                    return []
                return self._playback.play(message, self.number, plan.delivery)
            case gemini.ModelText(text=text):
                self.step(TurnTrigger.OUTPUT)
                if plan.speaks:
                    return self._keep(text)
                return self._unmuted(replies.response(text, self.number))
            case gemini.OutputTranscript(text=text):
                self.step(TurnTrigger.OUTPUT)
                if self._is_written or not plan.speaks:
                    return []
                self._is_transcribed = True
                return self._unmuted(replies.response(text, self.number))
            case gemini.ToolCall(id=id_, name=name, args=args):
                self.step(TurnTrigger.OUTPUT)
                self._calls.append(Call(id_, name, self._timers.now))
                return [replies.tool_call(id_, name, args)]
            case gemini.ToolCallCancelled(ids=ids):
                for id_ in ids:
                    self._forget(id_)
                return [replies.tool_call_cancelled(list(ids))]
            case gemini.GenerationComplete():
                return [*self._playback.flush(), replies.generation_complete(self.number)]
            case gemini.TurnComplete(reason=reason, usage=usage):
                return self._complete(reason, usage)
            case gemini.InputTranscript(text=text, is_final=is_final):
                return [replies.input_transcript(text, is_final=is_final)]
            case gemini.Thought(text=text):
                return [replies.reported("thought", text)]
            case gemini.Code(data=data):
                return [replies.reported("code", data)]
            case gemini.CodeResult(data=data):
                return [replies.reported("code_result", data)]
            case gemini.Grounding(data=data):
                return [replies.reported("grounding", data)]
            case gemini.Usage(data=data):
                return [replies.reported("usage", data)]
            case gemini.VoiceActivity(data=data):
                return [replies.reported("voice_activity", data)]
            case (
                gemini.SetupComplete()
                | gemini.GoAway()
                | gemini.Resumable()
                | gemini.Interrupted()
            ):
                return []  # the session's affair
            case _:
                assert_never(message)

    @property
    def _is_muted(self) -> bool:
        return self._muted == self.number

    def _unmuted(self, reply: Reply) -> list[Reply]:
        return [] if self._is_muted else [reply]

    def _keep(self, text: str) -> list[Reply]:
        """Keep a text part until the turn has ended, or until it is too long to keep."""
        self._unspoken += text
        return self._unkept() if len(self._unspoken) > self._max_unspoken else []

    def _unkept(self) -> list[Reply]:
        """Return the text parts of this turn as the answer, unless a transcription was."""
        text, self._unspoken = self._unspoken, ""
        if not text or self._is_transcribed:
            return []
        self._is_written = True
        return self._unmuted(replies.response(text, self.number))

    def _complete(self, reason: str | None, usage: object) -> list[Reply]:
        self.step(TurnTrigger.TURN_COMPLETE)
        found = self._playback.flush() + self._unkept()
        found.append(replies.turn_complete(self.number, reason, usage))
        self._begin(self.number + 1)
        return found

    def _begin(self, number: int) -> None:
        self.number = number
        self._unspoken = ""
        self._is_transcribed = self._is_written = False
