"""What the client and Gemini say to each other, on whatever link there is."""

from typing import Final

from livegate.protocol import frames, gemini, replies, uplink
from livegate.protocol.commands import Event
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.history import MODEL, USER, History
from livegate.protocol.memory import Memory, Unsaved
from livegate.protocol.parts import Parts
from livegate.protocol.states import Turn, TurnTrigger
from livegate.protocol.timers import Timer
from livegate.protocol.turns import Turns
from livegate.protocol.uplink import Uplink


class Conversation:
    """Passes on what is said, and knows who owes whom an answer.

    Args:
        parts: Of the same session.
    """

    def __init__(self, parts: Parts) -> None:
        self._limits = limits = parts.limits
        self._timers = timers = parts.timers
        self._flow = parts.flow
        self._out = parts.out
        self._terms = parts.terms
        self._client = parts.client
        self._hearing = parts.hearing
        self._tally = parts.tally
        self._uplink = Uplink(limits)
        self.turns = Turns(limits, timers)
        self.memory = Memory(limits.tail_s)
        self.history = History(limits.seed_bytes)

    @property
    def is_idle(self) -> bool:
        """Whether nobody is owed an answer."""
        return self.turns.state is Turn.IDLE and not self.turns.has_calls

    @property
    def is_between_turns(self) -> bool:
        """The same, and the client has not said that it is about to ask by voice."""
        return self.is_idle and not self._uplink.is_active

    @property
    def is_saved(self) -> bool:
        """Whether another link would know all that was said; nobody is speaking."""
        return self.memory.is_covered and not self._hearing.is_speaking

    # What the client says

    def deliver(self, frame: frames.Content) -> None:
        """Send content to Gemini."""
        plan = self._terms.plan
        if not self._hearing.given(frame, plan):
            return
        try:
            if isinstance(frame, frames.ToolResponse):
                self.turns.settle(frame)
            messages = self._uplink.encode(frame, plan)
        except RemoteProtocolError as error:
            self._client.tell_fault(error)
            return
        for message in messages:
            self._out.send_upstream(message)
        if not messages:
            return  # the end of what had not begun
        self.memory.told(_weight(frame))
        if isinstance(frame, frames.Text):
            self.history.said(USER, frame.text)
            self.history.ended()
        if isinstance(frame, frames.ToolResponse):
            self._await_calls()
        if uplink.asks(frame, plan):
            self._tally.asked(self._timers.now)
            self.turns.step(TurnTrigger.ASK)
            self._await_answer()

    def seed(self) -> None:
        """Tell Gemini what was said before, on a link that was set up for it."""
        ends_with_user = self._terms.plan.profile.history_ends_with_user
        told = gemini.encode_history(self.history.turns, ends_with_user=ends_with_user)
        self._out.send_upstream(told)

    # What Gemini says

    def hear(self, message: gemini.Message) -> bool:
        """Pass on one message of Gemini; return whether the turn has changed."""
        match message:
            case gemini.Resumable(handle=handle):
                is_idle = self.turns.state is Turn.IDLE
                self.memory.renew(handle, self._terms.plan.model, is_idle=is_idle)
                self._client.seal(self.memory)
            case gemini.Interrupted():
                self._client.silence(self.turns.cut_off())
            case gemini.Sound(seconds=seconds):
                self.memory.heard()
                if (waited := self._tally.spoke(seconds, self._timers.now)) is not None:
                    self._out.log(Event.ANSWER_BEGUN, s=round(waited, 3))
            case gemini.ModelText() if self._terms.plan.speaks:
                self.memory.heard()  # its transcription says the same
            case gemini.ModelText(text=text) | gemini.OutputTranscript(text=text):
                self.memory.heard()
                self.history.said(MODEL, text)
            case gemini.InputTranscript(text=text):
                self.history.said(USER, text)
            case gemini.ToolCall():
                self.memory.heard()
            case gemini.Usage(data=usage) | gemini.TurnComplete(usage=usage):
                self._tally.spent(gemini.tokens(usage))
            case _:
                pass
        return self._pass_on(message)

    def _pass_on(self, message: gemini.Message) -> bool:
        before = self.turns.state
        for reply in self.turns.hear(message, self._terms.plan):
            self._client.tell(reply)
        if isinstance(message, gemini.ToolCall | gemini.ToolCallCancelled):
            self._await_calls()
        if has_ended := isinstance(message, gemini.TurnComplete):
            self._out.log(Event.TURN_COMPLETED, turn=self.turns.completed)
            self.memory.ended()
            self.history.ended()
        if not isinstance(message, _NO_ANSWER):
            self._await_answer()
        return has_ended or self.turns.state is not before

    def silence(self) -> None:
        """Let the client hear no more of the running answer."""
        self._client.silence(self.turns.hush())

    def link_ended(self) -> bool:
        """Give up what was owed on a link; return whether anything was."""
        was_idle = self.is_idle
        self._uplink.link_ended()
        for reply in self.turns.link_ended():
            self._client.tell(reply)
        self.history.ended()
        return not was_idle

    # What is owed

    def _await_answer(self) -> None:
        """Give Gemini its time anew, if it has an answer to begin."""
        if self.turns.state in (Turn.USER, Turn.OVERLAP):
            self._timers.set(Timer.ANSWER, self._timers.now + self._limits.answer_s)
        else:
            self._timers.stop(Timer.ANSWER)

    def _await_calls(self) -> None:
        """Wait for the result of the oldest call."""
        if (since := self.turns.called_at) is None:
            self._timers.stop(Timer.CALL)
        else:
            self._timers.set(Timer.CALL, since + self._limits.call_s)

    def answer_late(self) -> None:
        """Gemini was asked, and is silent."""
        if not self._flow.reading.upstream:
            self._await_answer()  # it is we who do not listen
            return
        self._client.tell_error(
            ErrorCode.NO_ANSWER,
            f"Gemini has said nothing for {self._limits.answer_s:g} s; ask again",
        )
        for reply in self.turns.give_up():
            self._client.tell(reply)
        self._await_answer()

    def call_late(self) -> None:
        """The client has not answered its oldest calls: Gemini hears so, and may go on."""
        late = self.turns.drop_calls(self._limits.call_s)
        ids = [one.id for one in late]
        self._out.send_upstream(gemini.encode_tool_response(late))
        self.memory.told(Unsaved(frames=1))
        self._client.tell_error(
            ErrorCode.CALL_UNANSWERED,
            f"no tool_response within {self._limits.call_s:g} s; Gemini was told that it failed",
        )
        self._client.tell(replies.tool_call_cancelled(ids))
        self._await_calls()


ANSWERS: Final = (
    gemini.Sound,
    gemini.ModelText,
    gemini.OutputTranscript,
    gemini.ToolCall,
    gemini.TurnComplete,
)
"""What an answer is made of."""
_NO_ANSWER: Final = (gemini.Resumable, gemini.GoAway, gemini.Usage, gemini.SetupComplete)
"""What is no sign of an answer."""


def _weight(frame: frames.Content) -> Unsaved:
    """Return what of content may be lost."""
    match frame:
        case frames.Pcm(seconds=seconds):
            return Unsaved(audio_s=seconds)
        case frames.Text() | frames.Image() | frames.ToolResponse():
            return Unsaved(frames=1)
        case _:
            return Unsaved()
