"""What of a conversation another link would know."""

from typing import Final

import pytest

from livegate.protocol.memory import Loss, Memory, Unsaved

TAIL_S: Final = 2.0
TEXT: Final = Unsaved(frames=1)


@pytest.fixture
def memory() -> Memory:
    """Nothing was said."""
    return Memory(TAIL_S)


def renew(memory: Memory, *, is_idle: bool = True) -> None:
    """Have a handle come from model `a`."""
    memory.renew("h-1", "a", is_idle=is_idle)


def resumed(memory: Memory) -> tuple[Loss, Unsaved]:
    """Have another link of `a` set up with the handle; return what it does not know."""
    assert memory.handle_for("a") == "h-1"
    return memory.accepted(is_seeded=False)


def anew(memory: Memory, *, is_seeded: bool) -> tuple[Loss, Unsaved]:
    """Have a link of another model set up; return what it does not know."""
    assert memory.handle_for("b") is None
    return memory.accepted(is_seeded=is_seeded)


def test_handle_is_for_its_model(memory: Memory) -> None:
    """A handle resumes on the model that it came from, and on no other."""
    renew(memory)
    assert not memory.is_resuming
    assert (memory.handle_of("b") is not None, memory.handle_for("b"), memory.is_resuming) == (
        False,
        None,
        False,
    )
    assert (memory.handle_of("a") is not None, memory.handle_for("a"), memory.is_resuming) == (
        True,
        "h-1",
        True,
    )
    memory.forget()
    assert (memory.handle_of("a") is not None, memory.handle_for("a"), memory.is_resuming) == (
        False,
        None,
        False,
    )


@pytest.mark.parametrize("is_seeded", [False, True])
def test_handle_ends_with_its_conversation(memory: Memory, *, is_seeded: bool) -> None:
    """A link that starts anew makes the handle of the conversation before worthless."""
    memory.heard()
    renew(memory)
    assert anew(memory, is_seeded=is_seeded) == (
        Loss.SOUND if is_seeded else Loss.ALL,
        Unsaved(),
    )
    assert memory.handle_for("a") is None


def test_nothing_to_forget(memory: Memory) -> None:
    """Where nothing was said nothing is lost; nor is it twice, but for what was told as text."""
    assert anew(memory, is_seeded=False) == (Loss.NOTHING, Unsaved())
    memory.heard()
    assert anew(memory, is_seeded=False)[0] is Loss.ALL
    assert anew(memory, is_seeded=False)[0] is Loss.NOTHING
    memory.told(TEXT)
    assert anew(memory, is_seeded=True) == (Loss.SOUND, TEXT)
    assert anew(memory, is_seeded=True) == (Loss.SOUND, Unsaved())
    assert anew(memory, is_seeded=False) == (Loss.ALL, Unsaved())


def test_covered(memory: Memory) -> None:
    """What was said is covered by a handle from between two turns, until more is said."""
    found = [memory.is_covered]
    memory.heard()
    for is_idle in (False, True, False):
        renew(memory, is_idle=is_idle)
        found.append(memory.is_covered)
    memory.heard()
    assert [*found, memory.is_covered] == [True, False, True, True, False]


def test_answer_unsaved(memory: Memory) -> None:
    """What Gemini said after the handle is forgotten, and the client hears of it."""
    renew(memory)
    memory.heard()
    assert resumed(memory) == (Loss.LATEST, Unsaved())
    assert resumed(memory) == (Loss.NOTHING, Unsaved())


def test_text_unsaved(memory: Memory) -> None:
    """What was told after the handle is counted, once."""
    memory.told(TEXT)
    memory.ended()
    renew(memory)
    memory.told(TEXT)
    memory.told(Unsaved(audio_s=0.5))
    memory.ended()
    assert resumed(memory) == (Loss.LATEST, Unsaved(1, 0.5))
    assert memory.is_covered
    assert resumed(memory) == (Loss.NOTHING, Unsaved())


def test_handle_while_an_answer_runs(memory: Memory) -> None:
    """A handle from within a turn is kept, but what was said counts as not covered still."""
    memory.told(TEXT)
    renew(memory, is_idle=False)
    assert not memory.is_covered
    assert resumed(memory) == (Loss.LATEST, TEXT)


@pytest.mark.parametrize(
    ("spoken_s", "loss"),
    [(0.5, Loss.NOTHING), (TAIL_S, Loss.NOTHING), (TAIL_S + 0.1, Loss.LATEST)],
)
def test_open_microphone(memory: Memory, spoken_s: float, loss: Loss) -> None:
    """Sound between an answer's end and its handle is counted; of a little of it nobody hears."""
    memory.told(TEXT)
    memory.told(Unsaved(audio_s=7.0))
    memory.ended()
    memory.told(Unsaved(audio_s=spoken_s))
    renew(memory)
    assert memory.is_covered
    assert resumed(memory) == (loss, Unsaved(audio_s=spoken_s))


def test_open_microphone_at_two_handles(memory: Memory) -> None:
    """Sound from before an answer's end is covered by the next handle at the latest."""
    memory.ended()
    memory.told(Unsaved(audio_s=0.5))
    renew(memory)
    memory.told(Unsaved(audio_s=0.25))
    renew(memory)
    assert memory.is_covered
    assert resumed(memory) == (Loss.NOTHING, Unsaved(audio_s=0.75))
    memory.told(Unsaved(audio_s=0.25))
    memory.ended()
    renew(memory)
    assert resumed(memory) == (Loss.NOTHING, Unsaved())


def test_picture_after_an_answer(memory: Memory) -> None:
    """A picture after an answer is not covered by the handle that is on its way."""
    memory.ended()
    memory.told(Unsaved(audio_s=0.25))
    memory.told(TEXT)
    renew(memory)
    assert not memory.is_covered
    assert resumed(memory) == (Loss.LATEST, Unsaved(1, 0.25))


def test_unsaved() -> None:
    """What is lost adds up."""
    assert Unsaved(1, 0.5) + Unsaved(2, 0.25) == Unsaved(3, 0.75)
    assert [bool(one) for one in (Unsaved(), Unsaved(1), Unsaved(0, 0.1))] == [False, True, True]
