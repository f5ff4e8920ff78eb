"""The answers of Gemini, turned into frames for the client, turn by turn."""

from collections import deque
from typing import assert_never

from livegate.protocol import frames, gemini, replies
from livegate.protocol.config import Plan
from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.limits import Limits
from livegate.protocol.replies import Reply
from livegate.protocol.states import Turn, TurnTrigger, next_turn


class Turns:
    """Who owes whom an answer, and what of it the client gets."""

    def __init__(self, limits: Limits) -> None:
        self.state = Turn.IDLE
        self.number = 1
        """The turn that runs, or comes next."""
        self._muted = 0
        """The turn of which the client hears no more."""
        self._unspoken = ""
        """Text parts of a speaking model: its transcription says the same, if it comes."""
        self._is_transcribed = self._is_written = False
        """Which of the two the client reads in this turn: never both."""
        self._max_unspoken = limits.free_json_bytes
        self._calls: deque[str] = deque(maxlen=limits.pending_calls)

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
            if one.id not in self._calls:
                raise RemoteProtocolError(
                    ErrorCode.BAD_FRAME, f"no tool_call with id {shown(one.id)} waits for this"
                )
        for one in frame.responses:
            if not one.will_continue:
                self._forget(one.id)

    def _forget(self, id_: str) -> None:
        if id_ in self._calls:
            self._calls.remove(id_)

    def hush(self) -> int:
        """Let no more of the running answer through; return the turn to stop playing.

        That is the last one if none runs; 0 if there was none yet.
        """
        if self.state is not Turn.IDLE:
            self._muted = self.number
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
            found.append(replies.tool_call_cancelled(list(self._calls)))
            self._calls.clear()
        if self.state is not Turn.IDLE:
            found.append(replies.turn_complete(self.number, replies.LOST, None))
            self._begin(self.number + 1)
        self.step(TurnTrigger.LINK_ENDED)
        return found

    def hear(self, message: gemini.Message, plan: Plan) -> list[Reply]:
        """Return the frames for one message, not filtered by what the client wants."""
        match message:
            case gemini.Sound(data=data, rate=rate):
                self.step(TurnTrigger.OUTPUT)
                if self._is_muted or not plan.wants_sound:
                    return []
                return [replies.sound(data, rate, self.number)]
            case gemini.ModelText(text=text):
                self.step(TurnTrigger.OUTPUT)
                if plan.speaks:
                    return self._keep(text)
                return self._unmuted(replies.response(text))
            case gemini.OutputTranscript(text=text):
                self.step(TurnTrigger.OUTPUT)
                if self._is_written or not plan.speaks:
                    return []
                self._is_transcribed = True
                return self._unmuted(replies.response(text))
            case gemini.ToolCall(id=id_, name=name, args=args):
                self.step(TurnTrigger.OUTPUT)
                self._calls.append(id_)
                return [replies.tool_call(id_, name, args)]
            case gemini.ToolCallCancelled(ids=ids):
                for id_ in ids:
                    self._forget(id_)
                return [replies.tool_call_cancelled(list(ids))]
            case gemini.GenerationComplete():
                return [replies.generation_complete(self.number)]
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
        return self._unmuted(replies.response(text))

    def _complete(self, reason: str | None, usage: object) -> list[Reply]:
        self.step(TurnTrigger.TURN_COMPLETE)
        found = self._unkept()
        found.append(replies.turn_complete(self.number, reason, usage))
        self._begin(self.number + 1)
        return found

    def _begin(self, number: int) -> None:
        self.number = number
        self._unspoken = ""
        self._is_transcribed = self._is_written = False
