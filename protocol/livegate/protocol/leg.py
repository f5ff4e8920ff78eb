"""A session's leg to Gemini: which link there is, and when another takes its place."""

from typing import Final

from livegate.protocol import config, gemini, inputs, replies, verdicts
from livegate.protocol.commands import Event
from livegate.protocol.config import Delta
from livegate.protocol.conversation import Conversation
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.inputs import Side
from livegate.protocol.link import Link
from livegate.protocol.memory import Loss
from livegate.protocol.parts import Parts
from livegate.protocol.states import CLOCKED, Phase, Trigger, next_phase
from livegate.protocol.timers import Timer, pause
from livegate.protocol.verdicts import Stage

_LINKED: Final = frozenset({Phase.LIVE, Phase.HANDOVER})


class Leg:
    """Opens links, one after the other, and closes them.

    Args:
        parts: Of the same session.
        conversation: What is said on them.
        seed: Makes pauses differ between sessions.
    """

    def __init__(self, parts: Parts, conversation: Conversation, seed: int) -> None:
        self._limits = parts.limits
        self._timers = parts.timers
        self._flow = parts.flow
        self._line = parts.line
        self._out = parts.out
        self._terms = parts.terms
        self._client = parts.client
        self._hearing = parts.hearing
        self._conversation = conversation
        self._memory = conversation.memory
        self._seed = seed
        self._link = Link()
        self._greeting = replies.CONNECTED
        """What the client is told at the next setupComplete, if anything."""
        self._is_seeded = False
        """The newest link was set up to be told what was said before."""
        self._session_since = 0.0
        """When what Gemini takes for one session began."""
        self.phase = Phase.NEW
        self.ending: tuple[Trigger, int] | None = None
        """What ended the session, and the client's close code."""
        self.failures = 0
        """Links that came to nothing for a reason that may pass."""

    @property
    def is_linked(self) -> bool:
        """Whether a link is open or being opened."""
        return self._link.is_there

    @property
    def is_live(self) -> bool:
        """Whether Gemini listens."""
        return self.phase in _LINKED

    # Phases

    def step(self, trigger: Trigger) -> None:
        """Change the phase as the table says, and do what entering one takes."""
        before, self.phase = self.phase, next_phase(self.phase, trigger)
        if self.phase is before:
            return
        entered = self.phase.name.lower()
        self._out.log(Event.PHASE_CHANGED, trigger=trigger.name.lower(), phase=entered)
        if self.phase is Phase.DIALING:
            self._dial()
        elif self.phase is Phase.UNLINKED:
            self._hang_up()
        if self.phase in (Phase.UNLINKED, Phase.REFUSED):
            self._link.forgive()
        for timer, phases in CLOCKED.items():
            if self.phase not in phases:
                self._timers.stop(timer)

    def end(self, trigger: Trigger, code: int) -> None:
        """End the session; the client has been told, or has gone."""
        if self._link.is_there:
            self._out.close_upstream()
        self._timers.clear()
        self.ending = trigger, code
        self.step(trigger)

    def reject(self, trigger: Trigger, refusal: Refusal) -> None:
        """Tell the client why the session cannot go on, and end it."""
        self._client.dismiss(refusal, self._conversation.turns.number)
        self.end(trigger, refusal.close)

    def _dial(self) -> None:
        """Open a link for the config next in line, in place of the one there is."""
        if self._link.is_there:
            self._link.forgive()  # it was good enough until now
        self._hang_up()
        self.absorb()
        now = self._timers.now
        self._link.dial(now)
        until = now + self._limits.setup_s
        if self._link.failing_since is not None:
            until = min(until, self._link.failing_since + self._limits.retrying_s)
        self._timers.set(Timer.SETUP, until)
        self._out.open_upstream()

    def _hang_up(self) -> None:
        """Close the link, if there is one."""
        if self._link.is_there:
            self._out.close_upstream()
            self._link_ended()

    def _link_ended(self) -> bool:
        """Take note that the link is no more; return whether an answer was owed on it."""
        self._link.is_there = False
        self._flow.forget(Side.UPSTREAM)
        self._flow.add(Side.UPSTREAM, self._line.size + self._terms.size)
        return self._conversation.link_ended()

    # Configs

    def absorb(self) -> None:
        """Put the configs at the head of the line in force."""
        while isinstance(delta := self._line.head, Delta):
            self._terms.absorb(delta, self._line.pop())

    def answer_configs(self) -> None:
        """Tell the client what became of each config that Gemini has accepted now."""
        plan = self._terms.plan
        self._flow.sent(Side.UPSTREAM, self._terms.size)
        answered = self._terms.accept()
        for delta in answered:
            if delta.fault:
                self._client.tell_error(ErrorCode.BAD_CONFIG, delta.fault)
                continue
            self._out.log(Event.CONFIG_APPLIED, model=plan.model, **plan.labels)
            if "model" in delta.values and (retired := plan.clamped.get("model")):
                self._client.tell(replies.system(f"{retired.why}: using {retired.got}"))
            report = config.report(delta, plan, is_v1=self._client.is_v1)
            self._client.tell(replies.config_success(report))
        if answered:
            self._client.seal(self._memory)

    # A link begins

    def restore(self, event: inputs.TokenOpened) -> None:
        """Go on with a conversation that was held elsewhere."""
        self._terms.restore(event.config)
        self._memory.adopt(event.handle, event.model)
        self._greeting = ""
        self._client.seal(self._memory)  # at once, so that the client can come back from now on
        self.step(Trigger.CONFIG)

    def opened(self) -> None:
        """The WebSocket is open: send the setup."""
        self.step(Trigger.LINK_OPENED)
        plan = self._terms.plan
        handle = self._memory.handle_for(plan.model)
        self._is_seeded = handle is None and bool(self._conversation.history)
        setup = gemini.encode_setup(plan.setup, handle, is_seeded=self._is_seeded)
        self._out.send_upstream(setup)

    def set_up(self) -> None:
        """Gemini accepted the setup: tell the client."""
        self.step(Trigger.SETUP_COMPLETE)
        now = self._timers.now
        ms = round((now - self._link.dialled_at) * 1000)
        self._out.log(Event.UPSTREAM_OPENED, model=self._terms.plan.model, ms=ms)
        self._link.refusals, self._link.ready_at = 0, now
        if not self._memory.is_resuming or self._session_due <= now:
            self._session_since = now
        self._timers.set(Timer.AGE, min(now + self._limits.link_age_s, self._session_due))
        if self._greeting:
            self._client.tell(replies.system(self._greeting))
            self._greeting = ""
        loss, lost = self._memory.accepted(is_seeded=self._is_seeded)
        if loss is not Loss.NOTHING:
            self._client.tell_loss(loss.value)
        if lost:
            self._out.log(Event.INPUT_LOST, frames=lost.frames, audio_s=round(lost.audio_s, 3))
        if self._is_seeded:
            self._conversation.seed()
        self.answer_configs()

    @property
    def _session_due(self) -> float:
        return self._session_since + self._limits.gemini_session_s

    def was_used(self) -> None:
        """Take note that something was said on the link, by either side."""
        self._link.is_used = True

    def answered(self) -> None:
        """Take note that Gemini has said something of an answer on it."""
        self._link.is_used = True
        self._link.prove()

    # Another takes its place

    @property
    def may_relink(self) -> bool:
        """Whether nobody is owed an answer and another link would know all that was said."""
        return self._conversation.is_between_turns and self._conversation.is_saved

    def go_away(self, time_left_s: float) -> None:
        """Gemini will end the link."""
        self._out.log(Event.UPSTREAM_WENT_AWAY, s=round(time_left_s))
        left_s = max(0.0, time_left_s - self._limits.go_away_margin_s)
        self._is_to_end(Trigger.GO_AWAY, left_s)

    def _is_to_end(self, trigger: Trigger, within_s: float) -> None:
        self._link.ends_at = min(self._link.ends_at, self._timers.now + within_s)
        self._await_boundary(trigger)
        self.settle(has_turned=False, has_handle=False)

    def change_waits(self) -> None:
        """The config next in line needs another link, as soon as may be."""
        if not self._link.is_changing:
            self._link.is_changing = True
            self._await_boundary(Trigger.CHANGE_WAITS)

    def _await_boundary(self, trigger: Trigger) -> None:
        """Wait for the answer's end; or only for the handle that Gemini sends soon after it."""
        self.step(trigger)
        until = self._link.ends_at
        if self._link.is_changing:
            wait_s = (
                self._limits.handle_s if self._conversation.is_idle else self._limits.handover_s
            )
            until = min(until, self._timers.now + wait_s)
        self._timers.set(Timer.HANDOVER, until)

    def settle(self, *, has_turned: bool, has_handle: bool) -> None:
        """Let another link take this one's place if this is the moment.

        Args:
            has_turned: An answer has begun or ended.
            has_handle: A handle came. Between two answers, however much sound comes from an open
                microphone, there is no better moment than this.
        """
        if self.phase is not Phase.HANDOVER:
            return
        is_between = self._conversation.is_between_turns
        is_moment = has_handle and is_between and self._memory.is_covered
        if not (self.may_relink or is_moment):
            if has_turned and self._link.is_changing:
                self._await_boundary(Trigger.CHANGE_WAITS)
        elif self._line or self._link.is_used:
            self.step(Trigger.RELINK)
        else:
            self.step(Trigger.LINK_UNUSED)

    # A link ends

    def gone(self, code: int, reason: str) -> None:
        """Gemini has ended the link."""
        stage = self._stage
        verdict = verdicts.judge(code, reason, stage)
        event = Event.UPSTREAM_LOST if self.is_live else Event.UPSTREAM_FAILED
        self._out.log(event, code=code, reason=reason)
        sentence = verdict.sentence(code, reason, self._terms.plan.model)
        is_owed = self._link_ended()
        match verdict.trigger:
            case Trigger.HANDLE_REFUSED:
                self._forget_handle()
            case Trigger.LINK_LOST:
                self._lost(sentence, is_owed=is_owed)
            case Trigger.LINK_DENIED:
                self.reject(verdict.trigger, Refusal(verdict.code, sentence))
            case Trigger.LINK_REFUSED:
                self._refused(verdict.code, sentence)
            case _:
                if stage is not Stage.NEW:
                    self._resume_failed()
                self._failed(Trigger.LINK_FAILED, sentence)

    def _resume_failed(self) -> None:
        """Gemini ended the link, and did not say that it was for the handle: it may have been."""
        self._link.refusals += 1
        if self._link.refusals >= self._limits.resume_tries:
            self._memory.forget()

    @property
    def _stage(self) -> Stage:
        if self.is_live:
            return Stage.LIVE
        if self.phase is not Phase.SETUP or not self._memory.is_resuming:
            return Stage.NEW
        return Stage.CHANGED if self._terms.is_changed else Stage.RESUMED

    def dial_failed(self, fault: inputs.Fault) -> None:
        """The link could not be opened."""
        self._out.log_fault(fault)
        self._link_ended()
        sentence = f"cannot reach Gemini: {fault.value}"
        if fault is inputs.Fault.FORBIDDEN:
            self.reject(Trigger.LINK_DENIED, Refusal(ErrorCode.KEY_REFUSED, sentence))
        else:
            self._failed(Trigger.LINK_FAILED, sentence)

    def expired(self, timer: Timer) -> None:
        """A timer of the link has expired."""
        match timer:
            case Timer.GRACE:
                self.step(Trigger.GRACE_OVER)
            case Timer.SETUP:
                self._hang_up()
                waited_s = self._timers.now - self._link.dialled_at
                late = f"Gemini was not ready within {waited_s:.3g} s"
                self._failed(Trigger.SETUP_LATE, late)
            case Timer.AGE:
                self._is_to_end(Trigger.LINK_OLD, self._limits.handover_s)
            case Timer.HANDOVER if self._line or self._link.is_used:
                self.step(Trigger.HANDOVER_LATE)
            case Timer.HANDOVER:
                self.step(Trigger.LINK_UNUSED)
            case _:
                self.step(Trigger.RETRY_DUE)

    def _forget_handle(self) -> None:
        """Gemini does not know the conversation, or cannot go on with it: it starts anew."""
        self._memory.forget()
        self.step(Trigger.HANDLE_REFUSED)

    def _lost(self, sentence: str, *, is_owed: bool) -> None:
        """The link ended after its setup; what was owed on it is lost."""
        link = self._link
        if is_owed:
            lost = f"{sentence}; the running answer is lost: ask again"
            self._client.tell_error(ErrorCode.UPSTREAM_LOST, lost)
            self._greeting = replies.RECONNECTED
        if not self._line.has_sound:
            self._hearing.drop()
        if self._timers.now - link.dialled_at >= self._limits.retrying_s:
            link.prove()
        if not (self._line or link.is_used):
            self.step(Trigger.LINK_UNUSED)
        elif link.is_proven:
            self.step(Trigger.LINK_LOST)
        else:
            self._failed(Trigger.LINK_BROKEN, sentence)

    def _failed(self, trigger: Trigger, sentence: str) -> None:
        """A link came to nothing, for a reason that may pass: try again, but not for ever."""
        self.failures += 1
        now, link = self._timers.now, self._link
        is_broken = trigger is Trigger.LINK_BROKEN
        since = link.fail(now, is_broken=is_broken)
        pause_s = pause(self._limits, self._seed, link.failures)
        is_hopeless = now + pause_s >= since + self._limits.retrying_s
        is_wanted = self._line or self._greeting or self._terms.size
        if not is_wanted and (is_hopeless or not is_broken):
            self.step(Trigger.LINK_UNUSED)
        elif is_hopeless:
            tried = f"no try has succeeded for {now - since:.0f} s, " if link.failures > 1 else ""
            gone = f"{sentence}; {tried}come back in a while"
            refusal = Refusal(ErrorCode.UPSTREAM_UNAVAILABLE, gone)
            self.reject(Trigger.UNREACHABLE, refusal)
        else:
            if now >= since + self._limits.notice_s and not link.is_told:
                link.is_told = True
                self._client.tell(replies.system(f"{sentence}; trying again"))
                self._greeting = self._greeting or replies.RECONNECTED
            self._timers.set(Timer.RETRY, now + pause_s)
            self.step(trigger)

    def _refused(self, code: ErrorCode, sentence: str) -> None:
        """Gemini refused the setup, and would again: every config in it, and content, hears why."""
        self._flow.sent(Side.UPSTREAM, self._terms.size)
        sentence += self._drop_content()
        faults = [delta.fault for delta in self._terms.roll_back()]
        for fault in faults if "" in faults else [*faults, ""]:
            known = (ErrorCode.BAD_CONFIG, fault) if fault else (code, sentence)
            self._client.tell_error(*known)
        self.step(Trigger.LINK_REFUSED)
        if isinstance(self._line.head, Delta):
            self.step(Trigger.CONFIG)

    def _drop_content(self) -> str:
        """Throw away what waits in line but configs; return what to tell the client of it."""
        self._hearing.drop()
        return "; what was sent meanwhile was dropped" if self._line.drop_content() else ""
