"""The heart: one client's conversation with Gemini, as a pure state machine.

A shell tells a `Session` what happened and does what it answers; nothing else passes between
them. Content and config go through one line, in the order they came: what is at its head waits
until there is a live link to give it to, so a config changes exactly the content behind it.
"""

from typing import assert_never

import attrs

from livegate.protocol import config, conversation, frames, gemini, inputs, replies, uplink
from livegate.protocol.client import Return
from livegate.protocol.commands import Command, Event, Scalar
from livegate.protocol.config import Delta
from livegate.protocol.conversation import Conversation
from livegate.protocol.errors import ErrorCode, LocalProtocolError, Refusal, RemoteProtocolError
from livegate.protocol.flow import Reading
from livegate.protocol.inputs import Side
from livegate.protocol.leg import Leg
from livegate.protocol.options import SessionOptions
from livegate.protocol.parts import parts_of
from livegate.protocol.states import Phase, Trigger, Turn
from livegate.protocol.timers import Timer


class Session:
    """One client's conversation.

    Args:
        options: What the operator decided.
        seed: Makes pauses differ between sessions; drawn by the shell.
    """

    def __init__(self, options: SessionOptions, *, seed: int) -> None:
        self._options = options
        parts = parts_of(options)
        self._limits = parts.limits
        self._timers = parts.timers
        self._flow = parts.flow
        self._line = parts.line
        self._out = parts.out
        self._terms = parts.terms
        self._client = parts.client
        self._hearing = parts.hearing
        self.tally = parts.tally
        """What it has carried; for limits and metrics, and only to be read."""
        self._conversation = Conversation(parts)
        self._leg = Leg(parts, self._conversation, seed)
        self._has_started = False
        self._returning_from = 0
        """The number of the last frame that a client has which comes back."""
        self._awaits_token = False
        """Whether the client's token is being looked up: what it says next may be for another."""

    # What a shell uses

    def start(self, now: float) -> list[Command]:
        """Begin the session; `now` is the shell's monotonic clock, in seconds.

        Raises:
            LocalProtocolError: It has begun already.
        """
        if self._has_started:
            raise LocalProtocolError("start() called twice")
        self._has_started = True
        self._timers.now = self.tally.began_at = now
        return []

    def handle(self, event: inputs.Input, now: float) -> list[Command]:
        """Take note of what happened and return what to do, in order.

        Raises:
            LocalProtocolError: The shell broke the contract. No payload raises anything.
        """
        if not self._has_started:
            raise LocalProtocolError("handle() called before start()")
        if self._leg.phase is Phase.CLOSED:
            return []
        self._timers.now = now
        self._flow.clock(now)
        if self._out.concerns(event, is_linked=self._leg.is_linked):
            self._dispatch(event)
            if self._leg.ending is None:
                self._advance()
            else:
                self._finish(*self._leg.ending)
        return self._out.take()

    @property
    def is_over(self) -> bool:
        """Whether it has ended: whatever happens, it does nothing any more."""
        return self._leg.phase is Phase.CLOSED

    @property
    def is_away(self) -> bool:
        """Whether it waits for its client to come back."""
        return self._client.is_away

    @property
    def deadline(self) -> float | None:
        """When to handle `DeadlineReached`; may change with each input."""
        return self._timers.next

    @property
    def reading(self) -> Reading:
        """Which sides the shell may read from now; may change with each input."""
        reading = self._flow.reading
        return attrs.evolve(reading, client=False) if self._awaits_token else reading

    @property
    def read_since(self) -> float:
        """Since when the client is read, in the shell's monotonic seconds; it may not be, now."""
        return self._flow.read_since

    @property
    def failures(self) -> int:
        """Links that came to nothing for a reason that may pass."""
        return self._leg.failures

    @property
    def phase(self) -> Phase:
        """How the session stands with Gemini. For logs and tests; shells must not branch on it."""
        return self._leg.phase

    @property
    def turn(self) -> Turn:
        """Who owes whom an answer. For logs and tests; shells must not branch on it."""
        return self._conversation.turns.state

    # Inputs

    def _dispatch(self, event: inputs.Input) -> None:
        match event:
            case inputs.ClientFrame() | inputs.Decoded() | inputs.DecodeFailed():
                self._from_client(event)
            case inputs.UpstreamFrame(payload=payload):
                self._upstream_frame(payload)
            case inputs.Sent(side=side, size=size):
                self._flow.sent(side, size)
            case inputs.DeadlineReached():
                self._deadline_reached()
            case inputs.ClientOpened():
                self._client_opened(event)
            case inputs.UpstreamOpened():
                self._leg.opened()
            case inputs.UpstreamGone(code=code, reason=reason):
                self._leg.gone(code, reason)
            case inputs.DialFailed(fault=fault):
                self._leg.dial_failed(fault)
            case inputs.ClientGone(code=code):
                if not self._client.leave(code):
                    self._leg.end(Trigger.CLIENT_GONE, code)
            case inputs.ClientReturned():
                self._client.come_back(event)
            case inputs.ClientMoved():
                self._leg.end(Trigger.CLIENT_MOVED, 1000)
            case inputs.TokenOpened() | inputs.TokenRefused():
                self._token_answered(event)
            case inputs.Sealed(token=token):
                self._client.keep(token)
            case inputs.ClientDismissed(refusal=refusal):
                self._leg.reject(Trigger.DISMISSED, refusal)
            case inputs.ShutdownRequested():
                self._shut_down()
            case _:
                assert_never(event)

    def _client_opened(self, event: inputs.ClientOpened) -> None:
        self._client.open(event)
        if self._options.has_key:
            if not event.is_v1:
                self._timers.set(Timer.GRACE, self._timers.now + self._options.grace_s)
            self._leg.step(Trigger.CLIENT_OPENED)
        else:
            refusal = Refusal(ErrorCode.NO_API_KEY, "No API key configured")
            self._leg.reject(Trigger.NO_KEY, refusal)

    def _from_client(self, event: inputs.ClientFrame | inputs.Answer) -> None:
        """Take what the client sent, or what came of its recording; tell it what is wrong."""
        try:
            if isinstance(event, inputs.ClientFrame):
                self._client_frame(event)
            else:
                self._hearing.decoded(event, self._timers.now)
        except RemoteProtocolError as error:
            self._out.log(Event.CLIENT_REJECTED, code=error.code)
            self._client.tell_fault(error)

    def _client_frame(self, event: inputs.ClientFrame) -> None:
        size = len(event.payload)
        self.tally.came(Side.CLIENT, size)
        decode = frames.decode if event.is_text else frames.decode_binary
        frame = decode(event.payload, self._limits)
        match frame:
            case frames.ConfigFrame(data=data):
                self._take_config(config.parse(data), size)
            case frames.Ping(data=data):
                self._client.tell(replies.pong(data))
            case frames.Interrupt():
                self._conversation.silence()
            case frames.Resume():
                self._resume(frame)
            case frames.Audio():
                if (sound := self._hearing.take(frame, self._timers.now)) is not None:
                    self._take_content(sound, size)
            case _:
                self._take_content(frame, size)

    def _resume(self, frame: frames.Resume) -> None:
        """The client has been here before, it says."""
        if not self._client.is_v1:
            raise RemoteProtocolError(
                ErrorCode.NOT_SUPPORTED,
                "resume needs a WebSocket with the subprotocol livegate.v1",
            )
        if self.tally.frames[Side.CLIENT] > 1:
            raise RemoteProtocolError(ErrorCode.BAD_FRAME, "resume has to be the first frame")
        self._returning_from = frame.seq
        self._awaits_token = True
        self._out.resume(frame)

    def _token_answered(self, event: inputs.TokenOpened | inputs.TokenRefused) -> None:
        """Nobody has that client's session any more: this one takes its place."""
        self._awaits_token = False
        if isinstance(event, inputs.TokenOpened):
            self._client.go_on(self._returning_from, Return.TOKEN)
            self._leg.restore(event)
        else:
            self._client.go_on(self._returning_from, Return.REFUSED)
            lost = "the token is unknown or has expired: the conversation starts anew"
            self._client.tell_loss(lost)

    def _upstream_frame(self, payload: bytes) -> None:
        self.tally.came(Side.UPSTREAM, len(payload))
        try:
            messages = gemini.decode(payload)
        except ValueError:
            self._out.log(Event.UPSTREAM_UNREADABLE, bytes=len(payload))
            return
        has_answered = has_turned = has_handle = False
        go_away: gemini.GoAway | None = None
        for message in messages:
            if self._leg.is_live:
                has_turned |= self._conversation.hear(message)
                has_answered |= isinstance(message, conversation.ANSWERS)
                has_handle |= isinstance(message, gemini.Resumable)
                go_away = message if isinstance(message, gemini.GoAway) else go_away
            elif isinstance(message, gemini.SetupComplete) and self._leg.phase is Phase.SETUP:
                self._leg.set_up()
        if has_answered:
            self._leg.answered()
        # Only now: the handle for what the message says may have come with it.
        if go_away is not None:
            self._leg.go_away(go_away.time_left_s)
        self._leg.settle(has_turned=has_turned, has_handle=has_handle)

    def _deadline_reached(self) -> None:
        for timer in self._timers.expired:
            if not self._timers.take(timer):
                continue  # one before it has changed all
            self._out.log(Event.TIMER_EXPIRED, timer=timer.name.lower())
            match timer:
                case Timer.FLUSH if self._flow.reading.client:
                    self._take_content(frames.AudioEnd(is_said=False), 0)
                case Timer.FLUSH:  # it is we who do not listen
                    self._timers.set(Timer.FLUSH, self._timers.now + self._limits.flush_after_s)
                case Timer.AWAY:
                    self._leg.end(Trigger.CLIENT_GONE, 1006)
                case Timer.ANSWER:
                    self._conversation.answer_late()
                case Timer.CALL:
                    self._conversation.call_late()
                case _:
                    self._leg.expired(timer)

    def _shut_down(self) -> None:
        if self._leg.phase is not Phase.NEW:
            self._client.say_goodbye(self._conversation.turns.number)
        self._leg.end(Trigger.SHUTDOWN, 1012)

    def _finish(self, trigger: Trigger, code: int) -> None:
        self._hearing.stop()
        ending: dict[str, Scalar] = {"code": code, "why": trigger.name.lower()}
        if self._client.is_away:
            ending["away"] = True
        turns = self._conversation.turns.completed
        totals = {"turns": turns, **self.tally.totals(self._timers.now)}
        self._out.log(Event.SESSION_CLOSED, **ending, **totals)

    # The line: content and config, in order

    def _take_config(self, delta: Delta, size: int) -> None:
        if delta.fault and not self._terms.size and not self._line.has_config:
            raise RemoteProtocolError(ErrorCode.BAD_CONFIG, delta.fault)
        self._line.push(delta, size)
        self._leg.step(Trigger.CONFIG)
        if self._leg.phase is Phase.DIALING:
            self._leg.absorb()

    def _take_content(self, frame: frames.Content, size: int) -> None:
        if not self._hearing.admits(frame, self._timers.now, self._terms.plan):
            return
        self._leg.step(Trigger.CONTENT)
        if self._leg.phase is Phase.REFUSED:
            self._hearing.drop()
            raise RemoteProtocolError(
                ErrorCode.SETUP_REFUSED, "Gemini refused the last config: send a better one first"
            )
        self._line.push(frame, max(size, uplink.least_size(frame)))

    def _advance(self) -> None:
        """Give Gemini what is in line, up to a config that needs another link."""
        while self._leg.is_live and (item := self._line.head) is not None:
            if not isinstance(item, Delta):
                if self._hearing.awaits(item):
                    return
                self._line.take()
                self._leg.was_used()
                self._conversation.deliver(item)
            elif self._terms.with_(item).setup == self._terms.plan.setup:
                self._terms.absorb(item, self._line.pop())
                self._leg.answer_configs()
            elif self._leg.may_relink:
                self._leg.step(Trigger.RELINK)
            else:
                self._leg.change_waits()
                return
