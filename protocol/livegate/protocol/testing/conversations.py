"""Whole conversations, for tests without a state machine."""

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from livegate.protocol import transcript
from livegate.protocol.testing import strategies
from livegate.protocol.testing.systems import CoreSystem
from livegate.protocol.transcript import ClientGets, Stimulus, TimePasses

Step = Stimulus | TimePasses
_BEGINNING: Final[tuple[Step, ...]] = (
    transcript.ClientOpens(),
    strategies.frame(
        type="config", data={"response_modalities": ["TEXT", "AUDIO"], "events": "all"}
    ),
    transcript.GeminiOpens(),
    transcript.GeminiSends(b'{"setupComplete":{}}'),
)


def conversations(*, min_size: int = 1, max_size: int = 30) -> st.SearchStrategy[list[Step]]:
    """Return what both peers do, and how time passes, on a link that holds.

    A client connects with sound and all events, Gemini accepts; then either says whatever the
    protocol allows, and now and then nonsense.

    Args:
        min_size: The fewest steps after that.
        max_size: The most.
    """
    turns: list[Step] = [
        strategies.frame(type="text", text="Hello"),
        transcript.GeminiSends(b'{"serverContent":{"outputTranscription":{"text":"Hi."}}}'),
        transcript.GeminiSends(b'{"serverContent":{"turnComplete":true}}'),
    ]
    steps: st.SearchStrategy[Step] = st.one_of(
        st.sampled_from(turns),
        strategies.client_frames().filter(lambda one: b'"config"' not in one.payload),
        strategies.gemini_messages().map(transcript.GeminiSends),
        strategies.nonsense(),
        strategies.gemini_nonsense().map(transcript.GeminiSends),
        st.sampled_from([0.1, 1.0, 5.0]).map(TimePasses),
    )
    return st.lists(steps, min_size=min_size, max_size=max_size).map(
        lambda rest: [*_BEGINNING, *rest]
    )


def gateway_frames() -> st.SearchStrategy[list[object]]:
    """Return the frames of a whole session, decoded, as a client gets them from livegate.

    They are not made up, but what the core answers in a conversation: their order is always one
    that can happen. Give them to a client's handler to see whether it copes.
    """
    return conversations().map(_frames_of)


def _frames_of(steps: Sequence[Step]) -> list[object]:
    system = CoreSystem()
    for step in steps:
        if isinstance(step, TimePasses):
            system.advance(step.seconds)
        else:
            system.feed(step)
    return [seen.expected for seen in system.output() if isinstance(seen, ClientGets)]
