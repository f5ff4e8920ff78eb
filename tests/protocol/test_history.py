"""The conversation as text, for a Gemini that has forgotten it."""

from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol.history import MODEL, USER, History


def test_pieces_are_joined() -> None:
    """Pieces of one turn are one text, whoever says something in between."""
    history = History(1000)
    for role, text in [(USER, "Hel"), (USER, "lo"), (MODEL, "Hi"), (USER, "so"), (MODEL, "!")]:
        history.said(role, text)
    assert history.turns == [(USER, "Hello"), (MODEL, "Hi"), (USER, "so"), (MODEL, "!")]


def test_turns_are_told_apart() -> None:
    """Two turns of one speaker in a row stay two."""
    history = History(1000)
    for text in ("one", "two"):
        history.said(USER, text)
        history.ended()
    assert history.turns == [(USER, "one"), (USER, "two")]


def test_silence_is_nothing() -> None:
    """White space alone is no turn, and a history of nothing else is none."""
    history = History(1000)
    assert not history
    for text in (" ", "\n"):
        history.said(USER, text)
        history.ended()
    assert not history
    assert history.turns == []
    history.said(MODEL, " Hi. ")
    assert history
    assert history.turns == [(MODEL, "Hi.")]


def test_oldest_is_forgotten() -> None:
    """The latest text is kept, as many bytes of it as are allowed."""
    history = History(10)
    for text in ("first", "five!", "x"):
        history.said(USER, text)
        history.ended()
    assert history.turns == [(USER, "five!"), (USER, "x")]
    history.said(USER, "\N{EURO SIGN}" * 3)
    assert history.turns == [(USER, "x"), (USER, "\N{EURO SIGN}" * 3)]


def test_long_turn_is_kept_in_part() -> None:
    """Of a turn longer than all that may be kept, the end is."""
    history = History(3000)
    for number in range(50):
        history.said(MODEL, f"{number:04}" * 50)
    ((role, text),) = history.turns
    assert role == MODEL
    assert text.endswith("0049" * 50)
    assert 1500 < len(text) <= 3000


def test_long_text_is_kept_in_part() -> None:
    """So it is with one text, cut between two characters; what was before is forgotten."""
    history = History(11)
    history.said(MODEL, "before")
    history.said(USER, "\u00e9" * 100)
    assert history.turns == [(USER, "\u00e9" * 5)]
    history.said(MODEL, "short")
    assert history.turns == [(MODEL, "short")]


@given(
    st.lists(st.tuples(st.sampled_from([USER, MODEL]), st.text(max_size=200), st.booleans())),
    st.integers(0, 5000),
)
def test_history(said: list[tuple[str, str, bool]], most: int) -> None:
    """What is kept is the end of what was said, in order and within its bounds."""
    history = History(most)
    for role, text, has_ended in said:
        history.said(role, text)
        if has_ended:
            history.ended()
    kept = history.turns
    assert sum(len(text.encode()) for _, text in kept) <= most
    assert words("".join(text for _, text, _ in said)).endswith(words("".join(t for _, t in kept)))
    assert bool(history) == bool(kept)


def words(text: str) -> str:
    """Return a text without its white space."""
    return "".join(text.split())
