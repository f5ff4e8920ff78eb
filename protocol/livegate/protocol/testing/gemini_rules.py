"""The rules by which Gemini plays."""

from typing import Final

import hypothesis.strategies as st
from hypothesis.stateful import rule

from livegate.protocol import transcript
from livegate.protocol.inputs import Fault
from livegate.protocol.testing import moments, strategies
from livegate.protocol.testing.answers import Said
from livegate.protocol.testing.stage import Stage
from livegate.protocol.testing.strategies import LinkEnd

_LONG_PAUSE_S: Final = 8.5


class GeminiRules(Stage):
    """Gemini opens and ends links, answers, or does not."""

    @moments.dialling
    @rule()
    def gemini_opens(self) -> None:
        """The dial succeeds."""
        self._whole.gemini_opens()
        self._do(transcript.GeminiOpens())

    @moments.dialling
    @rule()
    def gemini_serves(self) -> None:
        """The dial succeeds, and Gemini accepts the setup."""
        self.gemini_opens()
        self.gemini_accepts()

    @moments.dialling
    @rule(fault=strategies.faults())
    def gemini_fails(self, fault: Fault) -> None:
        """The dial fails."""
        self._whole.gemini_fails(is_denied=fault is Fault.FORBIDDEN)
        self._do(transcript.GeminiUnreachable(fault))

    @moments.dialling
    @rule(fault=strategies.faults(), tries=st.sampled_from([2, 3, 3, 12]))
    def gemini_is_away(self, fault: Fault, tries: int) -> None:
        """Gemini is out of reach for some time."""
        for _ in range(tries):
            if self.model.link.state == "dialling":
                self.gemini_fails(fault)
                self._wait(_LONG_PAUSE_S)

    @moments.opened
    @rule()
    def gemini_accepts(self) -> None:
        """Gemini accepts the setup."""
        self._whole.gemini_accepts()
        self._do(transcript.GeminiSends(b'{"setupComplete":{}}'))

    @moments.ready
    @rule(said=strategies.messages())
    def gemini_says(self, said: Said) -> None:
        """Gemini sends one message, with contents that it has not sent before."""
        self._say(self._anew(said))

    @moments.ready
    @rule(pieces=st.integers(1, 3), is_last=st.sampled_from([False, False, True]))
    def gemini_speaks(self, pieces: int, *, is_last: bool) -> None:
        """Gemini sends sound, and perhaps says that it was the last of this answer."""
        for _ in range(pieces):
            self._say(self._anew(Said(sounds=("",))))
        if is_last:
            self._say(Said(is_generated=True))

    @moments.ready
    @rule(has_handle=st.sampled_from([True, True, False]))
    def gemini_completes(self, *, has_handle: bool = True) -> None:
        """Gemini ends its answer, and mostly gives the handle that it gives then."""
        self._say(Said(is_complete=True))
        if has_handle:
            self._say(Said(handle=f"handle-{self._next()}"))

    @moments.ready
    @rule(calls=st.sampled_from([(), (), ("call",)]), has_handle=st.booleans())
    def gemini_answers(self, calls: tuple[str, ...], *, has_handle: bool) -> None:
        """Gemini gives a whole answer, and may wait for a function then."""
        self._say(self._anew(Said(sounds=("",), transcript="all", calls=calls)))
        self.gemini_completes(has_handle=has_handle)

    @moments.ready
    @rule(handle=st.booleans())
    def gemini_hears(self, *, handle: bool) -> None:
        """Gemini tells what it has heard, and perhaps gives a handle at any moment."""
        self._say(self._anew(Said(heard="all", handle="handle" if handle else "")))

    @moments.ready
    @rule(left_s=st.sampled_from(strategies.TIMES_LEFT_S), handle=st.sampled_from(["", "handle"]))
    def gemini_goes_away(self, left_s: float, handle: str) -> None:
        """Gemini says that it will end the link, and perhaps how to go on."""
        self._say(self._anew(Said(goes_away_s=left_s, handle=handle)))

    @moments.ready
    @rule()
    def gemini_is_interrupted(self) -> None:
        """Gemini hears the user speak, whether it has begun to answer or not."""
        self._say(Said(is_interrupted=True))

    @moments.linked
    @rule(payload=strategies.gemini_nonsense())
    def gemini_babbles(self, payload: bytes) -> None:
        """Gemini sends what nobody understands."""
        self._whole.gemini_babbles()
        self._do(transcript.GeminiSends(payload))

    @moments.linked
    @rule(end=strategies.link_ends())
    def gemini_closes(self, end: LinkEnd) -> None:
        """Gemini ends the link."""
        self._whole.gemini_closes(end.kind)
        self._do(transcript.GeminiCloses(end.code, end.reason))

    @moments.linked
    @rule()
    def gemini_dies(self) -> None:
        """The link breaks."""
        self.gemini_closes(strategies.end_of("gone"))

    @moments.resuming
    @rule()
    def gemini_forgets(self) -> None:
        """Gemini does not know the conversation that it is to resume."""
        self.gemini_closes(strategies.end_of("forgotten"))

    # How it is done

    def _anew(self, said: Said) -> Said:
        """Return a message like this one, told apart from all others."""
        return said.renamed(self._next(), self.model.answers.calls)

    def _say(self, said: Said) -> None:
        if self.model.link.state == "ready":
            self._whole.gemini_says(said)
            self._do(transcript.GeminiSends(said.payload()))
