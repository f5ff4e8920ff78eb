"""The heart: one client's conversation with Gemini, as a pure state machine.

A shell tells a `Session` what happened and does what it answers; nothing else passes between
them. Content and config go through one line, in the order they came: what is at its head waits
until there is a live link to give it to, so a config changes exactly the content behind it.
"""

from typing import assert_never

from livegate.protocol import config, frames, gemini, inputs, replies, uplink, verdicts
from livegate.protocol.commands import Command, Event
from livegate.protocol.config import Delta
from livegate.protocol.errors import FATAL, ErrorCode, LocalProtocolError, RemoteProtocolError
from livegate.protocol.flow import Flow, Reading
from livegate.protocol.inputs import Side
from livegate.protocol.line import Line
from livegate.protocol.memory import Loss, Memory
from livegate.protocol.options import SessionOptions
from livegate.protocol.outbox import Outbox
from livegate.protocol.replies import Reply
from livegate.protocol.speech import Speech
from livegate.protocol.states import CLOCKED, Phase, Trigger, Turn, TurnTrigger, next_phase
from livegate.protocol.terms import Terms
from livegate.protocol.timers import Timer, TimerTable, pause
from livegate.protocol.turns import Turns
from livegate.protocol.uplink import Uplink


class Session:
    """One client's conversation.

    Args:
        options: What the operator decided.
        seed: Makes pauses differ between sessions; drawn by the shell.
    """

    def __init__(self, options: SessionOptions, *, seed: int) -> None:
        self._options = options
        self._limits = options.limits
        self._seed = seed
        self._phase = Phase.NEW
        self._turns = Turns(options.limits)
        self._terms = Terms(options)
        self._memory = Memory()
        self._line = Line()
        self._flow = Flow(options.limits)
        self._timers = TimerTable()
        self._speech = Speech(options.limits, self._timers)
        self._uplink = Uplink(options.limits)
        self._out = Outbox(self._flow, options.session_id)
        self._has_started = False
        self._now = self._started_at = self._dialled_at = 0.0
        self._is_linked = False
        """The newest link is open or being opened."""
        self._is_proven = False
        """Gemini has said something on it."""
        self._failures = 0
        """Links in a row on which it never did."""
        self._greeting = replies.CONNECTED
        """What the client is told at the next setupComplete, if anything."""

    # What a shell uses

    def start(self, now: float) -> list[Command]:
        """Begin the session; `now` is the shell's monotonic clock, in seconds.

        Raises:
            LocalProtocolError: It has begun already.
        """
        if self._has_started:
            raise LocalProtocolError("start() called twice")
        self._has_started = True
        self._now = self._started_at = now
        return []

    def handle(self, event: inputs.Input, now: float) -> list[Command]:
        """Take note of what happened and return what to do, in order.

        Raises:
            LocalProtocolError: The shell broke the contract. No payload raises anything.
        """
        if not self._has_started:
            raise LocalProtocolError("handle() called before start()")
        if self._phase is Phase.CLOSED:
            return []
        self._now = now
        if self._out.concerns(event, is_linked=self._is_linked):
            self._dispatch(event)
        return self._out.take()

    @property
    def deadline(self) -> float | None:
        """When to handle `DeadlineReached`; may change with each input."""
        return self._timers.next

    @property
    def reading(self) -> Reading:
        """Which sides the shell may read from now; may change with each input."""
        return self._flow.reading

    @property
    def phase(self) -> Phase:
        """How the session stands with Gemini. For logs and tests; shells must not branch on it."""
        return self._phase

    @property
    def turn(self) -> Turn:
        """Who owes whom an answer. For logs and tests; shells must not branch on it."""
        return self._turns.state

    # Inputs

    def _dispatch(self, event: inputs.Input) -> None:
        match event:
            case inputs.ClientFrame():
                self._client_frame(event)
            case inputs.UpstreamFrame(payload=payload):
                self._upstream_frame(payload)
            case inputs.Sent(side=side, size=size):
                self._flow.sent(side, size)
            case inputs.DeadlineReached():
                for timer in self._timers.take_expired(self._now):
                    self._out.log(Event.TIMER_EXPIRED, timer=timer.name.lower())
                    self._expired(timer)
            case inputs.ClientOpened():
                self._client_opened(event)
            case inputs.UpstreamOpened():
                self._step(Trigger.LINK_OPENED)
                self._send_setup()
            case inputs.UpstreamGone(code=code, reason=reason):
                self._upstream_gone(code, reason)
            case inputs.DialFailed(fault=fault):
                self._dial_failed(fault)
            case inputs.ClientGone(code=code):
                self._end(Trigger.CLIENT_GONE, code)
            case inputs.ShutdownRequested():
                self._shut_down()
            case _:
                assert_never(event)

    def _client_opened(self, event: inputs.ClientOpened) -> None:
        self._out.client_link = event.link
        self._out.log(Event.CLIENT_ACCEPTED, peer=event.peer)
        if self._options.has_key:
            self._timers.set(Timer.GRACE, self._now + self._options.grace_s)
            self._step(Trigger.CLIENT_OPENED)
        else:
            self._reject(Trigger.NO_KEY, ErrorCode.NO_API_KEY, "No API key configured")

    def _client_frame(self, event: inputs.ClientFrame) -> None:
        size = len(event.payload)
        self._flow.came(Side.CLIENT, size)
        decode = frames.decode if event.is_text else frames.decode_binary
        try:
            frame = decode(event.payload, self._limits)
            match frame:
                case frames.ConfigFrame(data=data):
                    self._take_config(config.parse(data), size)
                case frames.Ping(data=data):
                    self._reply(replies.pong(data))
                case frames.Interrupt():
                    self._silence(self._turns.hush())
                case _:
                    self._take_content(frame, size)
        except RemoteProtocolError as error:
            self._out.log(Event.CLIENT_REJECTED, code=error.code)
            self._reply(replies.error(error.code, error.message))

    def _upstream_frame(self, payload: bytes) -> None:
        self._flow.came(Side.UPSTREAM, len(payload))
        try:
            messages = gemini.decode(payload)
        except ValueError:
            self._out.log(Event.UPSTREAM_UNREADABLE, bytes=len(payload))
            return
        has_turned = False
        for message in messages:
            if self._phase in (Phase.LIVE, Phase.HANDOVER):
                has_turned |= self._hear(message)
            elif isinstance(message, gemini.SetupComplete) and self._phase is Phase.SETUP:
                self._set_up()
        # Only now: the handle for what the message says may have come with it.
        if self._phase is Phase.HANDOVER and self._may_relink:
            self._step(Trigger.RELINK)
        elif self._phase is Phase.HANDOVER and has_turned:
            self._await_boundary()

    def _expired(self, timer: Timer) -> None:
        match timer:
            case Timer.GRACE:
                self._step(Trigger.GRACE_OVER)
            case Timer.SETUP:
                late = f"Gemini was not ready within {self._limits.setup_s:g} s; send again"
                self._fail(Trigger.SETUP_LATE, ErrorCode.UPSTREAM_UNAVAILABLE, late)
            case Timer.HANDOVER:
                self._step(Trigger.HANDOVER_LATE)
            case Timer.RETRY:
                self._step(Trigger.RETRY_DUE)
                self._resume_line()
            case Timer.FLUSH if self._flow.reading.client:
                self._take_content(frames.AudioEnd(is_said=False), 0)
            case Timer.FLUSH:  # it is we who do not listen
                self._timers.set(Timer.FLUSH, self._now + self._limits.flush_after_s)
            case _:
                assert_never(timer)

    def _shut_down(self) -> None:
        if self._phase is not Phase.NEW:
            self._out.drop_sound(self._turns.number)
            self._reply(replies.system("the gateway is restarting: connect again"))
            self._out.close_client(1012)
        self._end(Trigger.SHUTDOWN, 1012)

    # The line: content and config, in order

    def _take_config(self, delta: Delta, size: int) -> None:
        if delta.fault and not self._terms.size and not self._line.has_config:
            raise RemoteProtocolError(ErrorCode.BAD_CONFIG, delta.fault)
        self._hold(delta, size)
        self._step(Trigger.CONFIG)
        if self._phase is Phase.DIALING:
            self._absorb()
        self._advance()

    def _take_content(self, frame: frames.Content, size: int) -> None:
        is_manual = not self._terms.plan.detects_activity
        if not self._speech.admits(frame, self._now, may_pause=is_manual):
            return
        self._step(Trigger.CONTENT)
        if self._phase is Phase.REFUSED:
            self._speech.forget()
            raise RemoteProtocolError(
                ErrorCode.SETUP_REFUSED, "Gemini refused the last config: send a better one first"
            )
        self._hold(frame, max(size, uplink.least_size(frame)))
        self._advance()

    def _hold(self, item: frames.Content | Delta, size: int) -> None:
        size = max(size, self._limits.held_item_bytes)
        self._line.push(item, size)
        self._flow.add(Side.UPSTREAM, size)

    def _advance(self) -> None:
        """Give Gemini what is in line, up to a config that needs another link."""
        while self._phase is Phase.LIVE and (item := self._line.head) is not None:
            if not isinstance(item, Delta):
                self._flow.sent(Side.UPSTREAM, self._line.pop().size)
                self._deliver(item)
            elif self._terms.with_(item).setup == self._terms.plan.setup:
                self._terms.absorb(item, self._line.pop().size)
                self._answer_configs()
            elif self._may_relink:
                self._step(Trigger.RELINK)
            else:
                self._step(Trigger.CHANGE_WAITS)

    @property
    def _may_relink(self) -> bool:
        """Whether nobody is owed an answer and another link would know all that was said."""
        return self._turns.state is Turn.IDLE and self._memory.is_covered

    def _absorb(self) -> None:
        """Put the configs at the head of the line in force."""
        while isinstance(delta := self._line.head, Delta):
            self._terms.absorb(delta, self._line.pop().size)

    def _deliver(self, frame: frames.Content) -> None:
        """Send content to Gemini."""
        try:
            if isinstance(frame, frames.ToolResponse):
                self._turns.settle(frame)
            messages = self._uplink.encode(frame, self._terms.plan)
        except RemoteProtocolError as error:
            self._reply(replies.error(error.code, error.message))
            return
        for message in messages:
            self._out.send_upstream(message)
        if not messages:
            return  # the end of an activity that had not begun
        self._memory.spoke()
        if uplink.asks(frame, self._terms.plan):
            self._turns.step(TurnTrigger.ASK)

    def _resume_line(self) -> None:
        """Open a link if anything waits for one."""
        if self._line:
            is_config = isinstance(self._line.head, Delta)
            self._step(Trigger.CONFIG if is_config else Trigger.CONTENT)

    def _drop_content(self) -> str:
        """Throw away what waits in line but configs; return what to tell the client of it."""
        dropped = self._line.drop_content()
        self._flow.sent(Side.UPSTREAM, dropped)
        self._speech.forget()
        return "; what was sent meanwhile was dropped" if dropped else ""

    # The link to Gemini

    def _step(self, trigger: Trigger) -> None:
        """Change the phase as the table says, and do what entering one takes."""
        before, self._phase = self._phase, next_phase(self._phase, trigger)
        if self._phase is before:
            return
        entered = self._phase.name.lower()
        self._out.log(Event.PHASE_CHANGED, trigger=trigger.name.lower(), phase=entered)
        if self._phase is Phase.DIALING:
            self._dial()
        elif self._phase is Phase.HANDOVER:
            self._await_boundary()
        elif self._phase is Phase.RETRYING:
            self._failures += 1
            self._timers.set(
                Timer.RETRY, self._now + pause(self._limits, self._seed, self._failures)
            )
        for timer, phases in CLOCKED.items():
            if self._phase not in phases:
                self._timers.stop(timer)

    def _dial(self) -> None:
        """Open a link for the config next in line, in place of the one there is."""
        self._hang_up()
        self._absorb()
        self._is_linked, self._is_proven = True, False
        self._dialled_at = self._now
        self._timers.set(Timer.SETUP, self._now + self._limits.setup_s)
        self._out.open_upstream()

    def _hang_up(self) -> None:
        """Close the link, if there is one."""
        if self._is_linked:
            self._out.close_upstream()
            self._link_ended()

    def _link_ended(self) -> None:
        self._is_linked = False
        self._uplink.link_ended()
        self._flow.forget(Side.UPSTREAM)
        self._flow.add(Side.UPSTREAM, self._line.size + self._terms.size)
        for reply in self._turns.link_ended():
            self._reply(reply)

    def _await_boundary(self) -> None:
        """Wait for the answer's end; or only for the handle that Gemini sends soon after it."""
        is_idle = self._turns.state is Turn.IDLE
        wait_s = self._limits.handle_s if is_idle else self._limits.handover_s
        self._timers.set(Timer.HANDOVER, self._now + wait_s)

    def _send_setup(self) -> None:
        plan = self._terms.plan
        handle = self._memory.handle_for(plan.model)
        self._out.send_upstream(gemini.encode_setup(plan.setup, handle))

    def _set_up(self) -> None:
        """Gemini accepted the setup: tell the client, and give Gemini what waits."""
        self._step(Trigger.SETUP_COMPLETE)
        ms = round((self._now - self._dialled_at) * 1000)
        self._out.log(Event.UPSTREAM_OPENED, model=self._terms.plan.model, ms=ms)
        if self._greeting:
            self._reply(replies.system(self._greeting))
            self._greeting = ""
        loss = self._memory.accepted()
        if loss is not Loss.NOTHING:
            notice = replies.context_lost(loss.value)
            is_asked_for = replies.is_wanted(notice, self._terms.plan)
            self._reply(notice if is_asked_for else replies.system(loss.value))
        self._answer_configs()
        self._advance()

    def _answer_configs(self) -> None:
        """Tell the client what became of each config that Gemini has accepted now."""
        plan = self._terms.plan
        self._flow.sent(Side.UPSTREAM, self._terms.size)
        for delta in self._terms.accept():
            if delta.fault:
                self._reply(replies.error(ErrorCode.BAD_CONFIG, delta.fault))
                continue
            self._out.log(Event.CONFIG_APPLIED, model=plan.model, **plan.labels)
            if "model" in delta.values and (retired := plan.clamped.get("model")):
                self._reply(replies.system(f"{retired.why}: using {retired.got}"))
            self._reply(replies.config_success(config.report(delta, plan)))

    def _hear(self, message: gemini.Message) -> bool:
        """Pass on one message of Gemini, or act on it; return whether the turn has changed."""
        match message:
            case gemini.Resumable(handle=handle):
                is_idle = self._turns.state is Turn.IDLE and not self._speech.is_speaking
                self._memory.renew(handle, self._terms.plan.model, is_idle=is_idle)
            case gemini.GoAway(time_left_s=time_left_s):
                self._step(Trigger.GO_AWAY)
                self._out.log(Event.UPSTREAM_WENT_AWAY, s=round(time_left_s))
            case gemini.Interrupted():
                self._silence(self._turns.cut_off())
            case (
                gemini.Sound() | gemini.ModelText() | gemini.OutputTranscript() | gemini.ToolCall()
            ):
                self._memory.spoke()
            case _:
                pass
        before = self._turns.state
        for reply in self._turns.hear(message, self._terms.plan):
            self._reply(reply)
        has_ended = isinstance(message, gemini.TurnComplete)
        if has_ended:
            self._out.log(Event.TURN_COMPLETED, turn=self._turns.completed)
        has_turned = has_ended or self._turns.state is not before
        if has_turned:
            self._is_proven, self._failures = True, 0
        return has_turned

    def _upstream_gone(self, code: int, reason: str) -> None:
        is_set_up = self._phase in (Phase.LIVE, Phase.HANDOVER)
        verdict = verdicts.judge(
            code, reason, is_set_up=is_set_up, is_resuming=self._memory.is_resuming
        )
        event = Event.UPSTREAM_LOST if is_set_up else Event.UPSTREAM_FAILED
        self._out.log(event, code=code, reason=reason)
        is_answering = self._turns.state is not Turn.IDLE
        self._link_ended()
        if verdict.trigger is Trigger.HANDLE_REFUSED:
            self._memory.forget()
            self._step(Trigger.HANDLE_REFUSED)
        elif verdict.trigger is Trigger.LINK_LOST:
            self._lose(verdict.sentence(code, reason), is_answering=is_answering)
        elif verdict.trigger is Trigger.LINK_DENIED:
            self._reject(verdict.trigger, verdict.code, verdict.sentence(code, reason))
        else:
            self._fail(verdict.trigger, verdict.code, verdict.sentence(code, reason))

    def _dial_failed(self, fault: inputs.Fault) -> None:
        self._out.log(Event.UPSTREAM_FAILED, fault=fault.name.lower())
        self._link_ended()
        sentence = f"cannot reach Gemini: {fault.value}"
        if fault is inputs.Fault.FORBIDDEN:
            self._reject(Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED, sentence)
        else:
            self._fail(Trigger.LINK_FAILED, ErrorCode.UPSTREAM_UNAVAILABLE, sentence)

    def _lose(self, sentence: str, *, is_answering: bool) -> None:
        """The link ended in mid-session; what waits in line opens another."""
        lost = "; the running answer is lost" if is_answering else ""
        self._reply(replies.error(ErrorCode.UPSTREAM_LOST, sentence + lost))
        if not self._line.has_sound:
            self._speech.forget()
        self._greeting = replies.RECONNECTED
        self._step(Trigger.LINK_LOST if self._is_proven else Trigger.LINK_BROKEN)
        if self._phase is Phase.UNLINKED:
            self._resume_line()

    def _fail(self, trigger: Trigger, code: ErrorCode, sentence: str) -> None:
        """The link was never set up: every config that waited for it, and content, hears why.

        A config that Gemini refused is taken back; one that it has not seen stays.
        """
        self._hang_up()
        self._flow.sent(Side.UPSTREAM, self._terms.size)
        is_refused = trigger is Trigger.LINK_REFUSED
        configs = self._terms.roll_back() if is_refused else self._terms.give_up()
        sentence += self._drop_content()
        faults = [delta.fault for delta in configs]
        for fault in faults if "" in faults else [*faults, ""]:
            known = (ErrorCode.BAD_CONFIG, fault) if fault else (code, sentence)
            self._reply(replies.error(*known))
        self._step(trigger)
        if is_refused:
            self._resume_line()

    # The client

    def _silence(self, turn: int) -> None:
        """Take back the sound of a turn that is not to be heard any further."""
        self._out.drop_sound(turn)
        self._reply(replies.interrupted(turn))

    def _reply(self, reply: Reply) -> None:
        self._out.reply(reply, self._terms.plan)

    def _reject(self, trigger: Trigger, code: ErrorCode, sentence: str) -> None:
        """Tell the client why the session cannot go on, and end it."""
        self._out.drop_sound(self._turns.number)
        self._reply(replies.error(code, sentence))
        self._out.close_client(FATAL[code])
        self._end(trigger, FATAL[code])

    def _end(self, trigger: Trigger, code: int) -> None:
        if self._is_linked:
            self._out.close_upstream()
        self._step(trigger)
        self._timers.clear()
        self._out.log(
            Event.SESSION_CLOSED,
            code=code,
            s=round(self._now - self._started_at, 3),
            turns=self._turns.completed,
            **self._flow.totals,
        )
