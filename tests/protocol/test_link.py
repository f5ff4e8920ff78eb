"""How a link fares, and what is remembered of those before it."""

from math import inf

import attrs

from livegate.protocol.link import Link


def test_dialled() -> None:
    """Each link begins anew; what failed before is not forgotten with it."""
    link = Link()
    assert not link.is_there
    link.fail(3.0, is_broken=True)
    link.refusals, link.is_told = 1, True
    link.is_used = link.is_proven = link.is_changing = True
    link.ends_at = 9.0
    link.dial(5.0)
    assert link == Link(
        is_there=True,
        dialled_at=5.0,
        ends_at=inf,
        failures=1,
        refusals=1,
        failing_since=3.0,
        is_told=True,
    )


def test_failures() -> None:
    """Failures in a row are counted, from when the first of them was dialled."""
    link = Link()
    for since in (3.0, 4.0, 5.0):
        link.dial(since)
        assert link.fail(since + 0.5, is_broken=False) == 3.0
    assert (link.failures, link.failing_since) == (3, 3.0)


def test_broken() -> None:
    """The time in which a link was there is none in which Gemini could not be reached."""
    link = Link()
    link.dial(3.0)
    assert link.fail(4.0, is_broken=True) == 4.0
    link.dial(5.0)
    link.ready_at = 6.0
    assert link.fail(16.0, is_broken=True) == 14.0


def test_proven() -> None:
    """A link that works makes what failed before forgotten; so does nobody's needing one."""
    link = Link(failures=2, failing_since=3.0, is_told=True)
    other = attrs.evolve(link)
    link.prove()
    assert link == Link(is_proven=True)
    other.forgive()
    assert other == Link()
