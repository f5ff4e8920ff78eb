"""A state machine that plays both peers of a gateway, and checks all that it promises."""

from typing import Final

import hypothesis.strategies as st
from hypothesis.stateful import rule

from livegate.protocol.testing import moments
from livegate.protocol.testing.scenes import Scenes

_SETTLING: Final = 100
_LATE_S: Final = 121.0
"""Longer than a session waits for its client."""


class GatewayMachine(Scenes):
    """Both peers of one session, a jumping clock, and a model that says what is owed.

    Run it on your own gateway:

        class MyMachine(GatewayMachine):
            def new_system(self):
                return MySystem()  # a `SystemUnderTest`

        TestMine = MyMachine.TestCase

    A failure carries the conversation as a transcript, which `play` plays again.
    """

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 2.0, 8.0, 11.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        """The clock jumps, if it is not everybody's."""
        self._let_pass(seconds)

    @moments.asked
    @rule(seconds=st.sampled_from([25.0, 31.0, 61.0]))
    def gemini_is_silent(self, seconds: float) -> None:
        """Gemini does not answer."""
        self._wait(seconds)

    @moments.called
    @rule(seconds=st.sampled_from([100.0, 121.0]))
    def client_is_silent(self, seconds: float) -> None:
        """The client does not answer a call."""
        self._wait(seconds)

    @moments.ready
    @rule(seconds=st.sampled_from([485.0, 485.0, 545.0, 3305.0]))
    def nothing_happens(self, seconds: float) -> None:
        """The link grows old."""
        self._wait(seconds)

    def teardown(self) -> None:
        """From here on all goes well; then nothing is owed any more."""
        try:
            if not self.failure:
                self._come_back()
                if self.model.is_open:
                    self.ping("the last")
                self._settle()
        finally:
            self.system.close()

    def _come_back(self) -> None:
        """Let a client that is away be back, if it can be told whether there is a session."""
        if self.model.is_away and self.model.may_return:
            self.client_returns(lost=0)
        while self.model.is_away:
            self._wait(_LATE_S)

    def _settle(self) -> None:
        has_waited = False
        for _ in range(_SETTLING):
            if self.model.is_over:
                return
            if self.model.link.state == "dialling":
                self.gemini_opens()
            elif self.model.link.state == "open":
                self.gemini_accepts()
            elif not self.model.is_owing and (has_waited or not self.system.plays_gemini):
                break
            elif not self.model.is_owing:
                self._wait(5.0)
                has_waited = True
            elif self.model.link.state == "ready":
                self.gemini_completes()
                self._wait(1.5)
            elif not self._wait(self.patience_s) and not self.system.plays_gemini:
                break
        with self._telling():
            self.model.settled()
