"""What of a conversation another link would know."""

from livegate.protocol.memory import Loss, Memory


def test_handle_is_for_its_model() -> None:
    """A handle resumes on the model that it came from, and on no other."""
    memory = Memory()
    memory.renew("h-1", "a", is_idle=True)
    assert (memory.handle_for("b"), memory.is_resuming) == (None, False)
    assert (memory.handle_for("a"), memory.is_resuming) == ("h-1", True)
    memory.forget()
    assert (memory.handle_for("a"), memory.is_resuming) == (None, False)


def test_handle_ends_with_its_conversation() -> None:
    """A link that starts anew makes the handle of the conversation before worthless."""
    memory = Memory()
    memory.spoke()
    memory.renew("h-1", "a", is_idle=True)
    memory.handle_for("b")
    assert memory.accepted() is Loss.ALL
    assert (memory.handle_for("a"), memory.is_resuming) == (None, False)


def test_covered() -> None:
    """What was said is covered by a handle from between two turns, until more is said."""
    memory = Memory()
    found = [memory.is_covered]
    memory.spoke()
    for is_idle in (False, True, False):
        memory.renew("h-1", "a", is_idle=is_idle)
        found.append(memory.is_covered)
    memory.spoke()
    assert [*found, memory.is_covered] == [True, False, True, True, False]
