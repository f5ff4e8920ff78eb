"""A session's client: what it is told, and what is kept for it while it is away."""

import enum
from typing import Final

from livegate.protocol import commands, inputs, replies
from livegate.protocol.commands import Event
from livegate.protocol.errors import ErrorCode, Refusal, RemoteProtocolError
from livegate.protocol.flow import Flow
from livegate.protocol.inputs import Side
from livegate.protocol.limits import Limits
from livegate.protocol.memory import Memory
from livegate.protocol.missed import Missed
from livegate.protocol.outbox import Outbox
from livegate.protocol.replies import Reply
from livegate.protocol.terms import Terms
from livegate.protocol.timers import Timer, TimerTable

_REPLACED: Final = 4202


class Return(enum.StrEnum):
    """What a client came back to, as it is logged and counted."""

    REPLAYED = "replayed"
    """Its session, and all that it has missed."""
    PARTLY = "partly"
    """Its session, but some of what it has missed is gone."""
    TOKEN = "token"  # noqa: S105 - no token
    """Another session, which goes on with what is in the token."""
    REFUSED = "refused"
    """Another session, which begins anew: the token opens nothing."""


class Client:
    """A session's client, on whatever WebSocket it has.

    Args:
        limits: How long it may be away, and how much is kept for it.
        timers: Keeps `Timer.AWAY`.
        flow: Counts what is on its way to it.
        out: Takes what it is sent.
        terms: Say which frames it wants.
    """

    def __init__(
        self, limits: Limits, *, timers: TimerTable, flow: Flow, out: Outbox, terms: Terms
    ) -> None:
        self._limits = limits
        self._timers = timers
        self._flow = flow
        self._out = out
        self._terms = terms
        self._missed = Missed(limits.missed_bytes)
        self._seq = 0
        """The number of the last frame."""
        self._has_token = False
        """It can come back."""
        self.is_away = False
        """It has lost its WebSocket, and is waited for."""
        self.is_v1 = False
        """It speaks the dialect `livegate.v1`."""

    # What it is told

    def tell(self, reply: Reply) -> None:
        """Send a frame, if the client wants such frames."""
        if not replies.is_wanted(reply, self._terms.plan, is_v1=self.is_v1):
            return
        if self.is_v1:
            self._seq += 1
            reply = replies.numbered(reply, self._seq)
            if self._has_token:
                self._missed.append(self._seq, reply)
        self._out.reply(reply)

    def tell_error(self, code: ErrorCode, message: str) -> None:
        """Send an error."""
        self.tell(replies.error(code, message))

    def tell_fault(self, error: RemoteProtocolError) -> None:
        """Send what is wrong with a frame of the client's."""
        self.tell_error(error.code, error.message)

    def tell_loss(self, reason: str) -> None:
        """Say what Gemini has forgotten: by a notice, unless the client asked for the frame."""
        told = replies.context_lost(reason)
        is_asked = replies.is_wanted(told, self._terms.plan, is_v1=self.is_v1)
        self.tell(told if is_asked else replies.system(reason))

    def silence(self, turn: int) -> None:
        """Take back the sound of a turn that is not to be heard any further."""
        self._drop_sound(turn)
        self.tell(replies.interrupted(turn))

    def _drop_sound(self, turn: int) -> None:
        self._out.drop_sound(turn)
        self._flow.sent(Side.CLIENT, self._missed.drop_sound(turn))

    def dismiss(self, refusal: Refusal, turn: int) -> None:
        """Say why the session cannot go on, and close; sound up to `turn` is not played out."""
        self._drop_sound(turn)
        self.tell(replies.refused(refusal))
        self._out.close_client(refusal.close)

    def say_goodbye(self, turn: int) -> None:
        """Say that the process is about to end, and close."""
        self._drop_sound(turn)
        if self.is_v1:
            within_s = self._limits.token_s if self._has_token else 0.0
            self.tell(replies.going_away(within_s, 0.0))
        else:
            self.tell(replies.system("the gateway is restarting: connect again"))
        self._out.close_client(1012)

    # How it comes and goes

    def open(self, event: inputs.ClientOpened) -> None:
        """It is here for the first time."""
        self._out.client_link = event.link
        self.is_v1 = event.is_v1
        if event.is_v1:
            self._terms.want_all()
        whose = {"client": event.client} if event.client else {}
        self._out.log(Event.CLIENT_ACCEPTED, peer=event.peer, **whose)

    def leave(self, code: int) -> bool:
        """Take note that its WebSocket has ended; return whether to wait for it."""
        may_return = self._has_token and self._terms.plan.resumable and code != 1000  # noqa: PLR2004
        if may_return:
            self.is_away = True
            self._out.log(Event.CLIENT_AWAY, code=code)
            self._out.client_link = 0
            self._flow.forget(Side.CLIENT)
            self._missed.hold(self._seq + 1)
            self._timers.set(Timer.AWAY, self._timers.now + self._limits.resume_s)
        return may_return

    def come_back(self, event: inputs.ClientReturned) -> None:
        """It has another WebSocket: say what it has missed; close the one before."""
        ended = {} if self.is_away else {"code": _REPLACED}
        self._out.close_client(_REPLACED)
        self._out.client_link = event.link
        self.is_away = False
        self._timers.stop(Timer.AWAY)
        self._missed.hold(0)
        self._flow.forget(Side.CLIENT)
        is_whole, frames = self._missed.after(event.seq)
        recovered = is_whole and event.seq <= self._seq
        # Whatever it has, it takes no frame of a number that it knows for another one.
        self._seq = max(self._seq, event.seq)
        result = Return.REPLAYED if recovered else Return.PARTLY
        self._out.log(
            Event.CLIENT_RETURNED,
            peer=event.peer,
            result=result.value,
            frames=len(frames),
            **ended,
        )
        self._out.reply(replies.resumed(event.seq, recovered=recovered))
        for frame in frames:
            self._out.reply(frame)

    def go_on(self, seq: int, result: Return) -> None:
        """It comes from another process, or with a token that is worth nothing."""
        self._seq = seq
        self._out.log(Event.CLIENT_RETURNED, result=result.value)
        self._out.reply(replies.resumed(seq, recovered=False))

    # Its token

    def seal(self, memory: Memory) -> None:
        """Have a token made of how things stand, for a client that may come back."""
        if self.is_v1 and self._terms.plan.resumable:
            model = self._terms.plan.model
            handle = memory.handle_of(model)
            self._out.seal(commands.Seal(model, handle, self._terms.config))

    def keep(self, token: str) -> None:
        """Give it a token."""
        if not self._has_token:
            self._has_token = True
            self._missed.begin(self._seq)
        self.tell(replies.session(token, self._limits.token_s))
