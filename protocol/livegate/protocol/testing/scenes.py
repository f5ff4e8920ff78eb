"""What seldom happens by chance: rules that are several others in a row."""

import hypothesis.strategies as st
from hypothesis.stateful import rule

from livegate.protocol.testing import moments, recordings, strategies
from livegate.protocol.testing.answers import Said
from livegate.protocol.testing.client_rules import ClientRules
from livegate.protocol.testing.recordings import Shape
from livegate.protocol.testing.wishes import Wish


class Scenes(ClientRules):
    """Both peers play what takes several steps, or time, to matter."""

    @moments.talking
    @rule(
        first=strategies.forms(),
        second=strategies.forms(),
        rate=st.sampled_from([24_000, 16_000]),
        is_asked=st.booleans(),
        then=st.sampled_from(["", "completes", "is interrupted", "is silent"]),
    )
    def form_changes_amid_answer(
        self, first: Wish, second: Wish, rate: int, then: str, *, is_asked: bool
    ) -> None:
        """The client wants sound in another form while Gemini speaks; the rate may change, too."""
        self.config(first)
        if is_asked and self._may_talk:
            self.text(0)
        self.gemini_speaks(1, is_last=False)
        self._say(self._anew(Said(sounds=("",), rate=rate)))
        if self._may_talk:
            self.config(second)
        self.gemini_speaks(1, is_last=False)
        if then == "completes":
            self.gemini_completes()
        elif then == "is interrupted":
            self.gemini_is_interrupted()
        elif then == "is silent":
            self._wait(31.0)

    @moments.talking
    @rule(seconds=st.sampled_from([25.0, 100.0]))
    def result_comes_in_parts(self, seconds: float) -> None:
        """The client says that there is more to a result, and takes its time for that."""
        self._say(self._anew(Said(calls=("call",))))
        self._wait(seconds)
        if self.model.is_open and self.model.is_flowing:
            self.result("last", goes_on=True)
        self._wait(seconds)

    @moments.talking
    @rule(
        is_by_hand=st.booleans(),
        seconds=st.sampled_from([0.0, 485.0]),
        left_s=st.sampled_from(strategies.TIMES_LEFT_S),
    )
    def speech_meets_the_end(self, seconds: float, left_s: float, *, is_by_hand: bool) -> None:
        """The link has to end while the client speaks, by hand or not."""
        if is_by_hand and not self.model.answers.terms.is_manual:
            self.config(strategies.BY_HAND)
            self._wait(1.0)
        if self.model.link.state == "dialling":
            self.gemini_serves()
        if not self._may_talk:
            return
        self.gemini_completes()
        if is_by_hand and self.model.is_flowing:
            self.activity(is_start=True)
        self.sound(strategies.DECLARED, is_long=False)
        if seconds:
            self._wait(seconds)
        elif self.model.link.state == "ready":
            self.gemini_goes_away(left_s, "")
        if self._may_talk:
            self.sound(strategies.DECLARED, is_long=False)

    @moments.talking
    @rule()
    def link_breaks_amid_answers(self) -> None:
        """Gemini has begun to answer two questions on a new link when that is lost, too."""
        self.gemini_dies()
        if self.model.link.state == "dialling":
            self.gemini_serves()
        for _ in range(2):
            if self._may_talk:
                self.text(0)
        if self.model.link.state == "ready":
            self.gemini_speaks(1, is_last=False)
            self.gemini_dies()

    @moments.refusable
    @rule(shape=recordings.shapes(), seconds=st.sampled_from([0.0, 2.0]))
    def recording_meets_a_refusal(self, shape: Shape, seconds: float) -> None:
        """Gemini refuses the setup while a recording waits; the client goes on with a better one."""
        self.recording(shape, 0.0)
        self.gemini_closes(strategies.end_of("refused"))
        if self.model.is_open and self.model.has_room:
            self.config(Wish({}, {}, frozenset()))
        if self.model.link.state == "dialling":
            self.gemini_serves()
        if self._may_talk:
            self.sound(strategies.DECLARED, is_long=False)
            self._wait(seconds)

    @moments.talking
    @rule(times=st.sampled_from([2, 3, 3]))
    def resuming_fails(self, times: int) -> None:
        """Links that are to go on with the conversation end before they are ready."""
        self.gemini_completes()
        self.text(0)
        for _ in range(1 + times):
            if self.model.link.state in ("open", "ready"):
                self.gemini_closes(strategies.end_of("gone"))
                self._wait(8.5)
            if self.model.link.state == "dialling":
                self.gemini_opens()

    @property
    def _may_talk(self) -> bool:
        """Whether both are there, and the client may say more."""
        model = self.model
        return model.is_open and model.has_room and model.link.state == "ready"
