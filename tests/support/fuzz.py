"""A random walk over everything that can happen to a session, with every promise checked.

    python tests/support/fuzz.py --minutes 20
    python tests/support/fuzz.py --seed 1234        one session again, by its number

Prints how often each cell of Phase x Trigger was hit. Fails on a broken promise, and, in a run of
20 minutes or more, on a cell that was hit fewer than 1,000 times.
"""

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Final

import attrs

import strategies as pools
from livegate.protocol import SessionOptions
from livegate.protocol.inputs import Side
from livegate.protocol.states import TRANSITIONS, Phase
from livegate.protocol.testing.recordings import FORMS, Shape, pieces_of
from world import LIMITS, Cell, World, counted_cells

ENOUGH: Final = 1000
_LONG_MINUTES: Final = 20


@attrs.frozen
class Move:
    """Something that may happen now."""

    weight: float
    may: Callable[[World], bool]
    do: Callable[[World, random.Random], None]


def _speaks(world: World) -> bool:
    return world.may_speak


def _frame(world: World, rng: random.Random) -> None:
    payload, is_text = rng.choice(pools.FRAMES)
    world.frame(payload, is_text=is_text)


def _record(world: World, rng: random.Random) -> None:
    shape = Shape(
        samples=rng.choice((4, 52, 13_004)),
        says_size=rng.random() < 0.7,
        cuts=tuple(sorted(rng.random() for _ in range(rng.randrange(3)))),
        head=0,
        forms=tuple(rng.randrange(len(FORMS)) for _ in range(3)),
    )
    world.record(pieces_of(shape, len(world.history), may_cut_head=False))


def _junk(world: World, rng: random.Random) -> None:
    payload, is_text = rng.choice(pools.JUNK)
    if rng.random() < 0.5 and len(payload) < ENOUGH:
        at = rng.randrange(len(payload) + 1)
        payload = payload[:at] + rng.randbytes(2)
    world.junk(payload, is_text=is_text)


def _gemini_junk(rng: random.Random) -> bytes:
    payload = rng.choice(pools.GEMINI_JUNK + pools.GEMINI)
    at = rng.randrange(len(payload) + 1)
    damaged = payload[:at] + rng.randbytes(1) + payload[at:]
    return damaged.replace(b"THOUGHT", b"")  # it may be none any more


def _send(world: World, rng: random.Random, side: Side) -> None:
    world.send(side, rng.choice((1, 100, 10_000, 10**9)))


def _step(world: World) -> None:
    """Let Gemini take the next link, or let the pause pass."""
    if world.link_state == "dialling":
        world.open_link()
    elif world.link_state == "open" and world.may_hear:
        world.accept_setup()
    else:
        world.reach_deadline()


def _break_links(world: World, rng: random.Random) -> None:
    """Gemini takes each link and breaks it, whether or not anything was asked on it."""
    for _ in range(rng.choice((3, 40))):
        if world.is_over:
            return
        if world.link_state == "ready":
            if world.may_speak and rng.random() < 0.9:
                world.text()
            if world.may_speak and rng.random() < 0.3:
                world.config({"temperature": rng.randrange(20) / 10}, is_good=True)
            world.lose_link(1006, "")
        else:
            _step(world)


def _renew(world: World, rng: random.Random) -> None:
    """An answer ends, and so does the link; the next one may not come about."""
    for payload in pools.ENDING:
        if world.may_hear and world.link_state == "ready":
            world.hear(payload)
    if world.link_state == "dialling":
        world.open_link()
    if world.link_state == "open" and rng.random() < 0.5:
        world.lose_link(1006, "")


def _never_end(world: World, rng: random.Random) -> None:
    """An answer does not end, though the link grows old, or has to end."""
    for payload in rng.sample(pools.ENDLESS, 2):
        if world.may_hear and world.link_state == "ready":
            world.hear(payload)
    world.pass_time(481.0)


def _end(world: World, rng: random.Random) -> None:
    rng.choice((world.leave, world.shut_down, world.dismiss, world.move))()


MOVES: Final = (
    Move(8, _speaks, lambda world, _: world.text()),
    Move(8, _speaks, lambda world, rng: world.config(rng.choice(pools.CONFIGS), is_good=True)),
    Move(
        1, _speaks, lambda world, rng: world.config(rng.choice(pools.BAD_CONFIGS), is_good=False)
    ),
    Move(14, _speaks, _frame),
    Move(2, _speaks, _record),
    Move(
        5,
        lambda world: world.may_speak and bool(world.rest),
        lambda world, _: world.record(world.rest),
    ),
    Move(14, lambda world: bool(world.steps), lambda world, _: world.decode()),
    Move(3, _speaks, _junk),
    Move(
        14, lambda world: world.may_hear, lambda world, rng: world.hear(rng.choice(pools.GEMINI))
    ),
    Move(2, lambda world: world.may_hear, lambda world, rng: world.hear_junk(_gemini_junk(rng))),
    Move(12, lambda world: world.link_state == "dialling", lambda world, _: world.open_link()),
    Move(
        2,
        lambda world: world.link_state == "dialling",
        lambda world, rng: world.fail_dial(rng.choice(pools.FAULTS)),
    ),
    Move(
        12,
        lambda world: world.link_state == "open" and world.may_hear,
        lambda world, _: world.accept_setup(),
    ),
    Move(
        2,
        lambda world: world.link_state in ("open", "ready"),
        lambda world, rng: world.lose_link(*rng.choice(pools.CLOSES)),
    ),
    Move(
        3,
        lambda world: world.link_state == "open",
        lambda world, _: world.lose_link(1007, "Request contains an invalid argument."),
    ),
    Move(0.3, lambda world: world.link_state != "", _break_links),
    Move(0.5, lambda world: world.link_state == "ready", _renew),
    Move(0.3, lambda world: world.link_state == "ready", _never_end),
    Move(1, lambda world: world.link > 0, lambda world, _: world.replay_old_link()),
    Move(
        6, lambda world: world.client.size > 0, lambda world, rng: _send(world, rng, Side.CLIENT)
    ),
    Move(
        6,
        lambda world: world.upstream.size > 0,
        lambda world, rng: _send(world, rng, Side.UPSTREAM),
    ),
    Move(
        4,
        lambda _: True,
        lambda world, rng: world.pass_time(rng.choice((0.01, 0.5, 1.1, 3.0, 11.0, 31.0, 70.0))),
    ),
    Move(
        0.3,
        lambda world: world.link_state == "ready",
        lambda world, rng: world.pass_time(rng.choice((121.0, 481.0, 541.0, 3301.0))),
    ),
    Move(
        3,
        lambda world: world.session.deadline is not None,
        lambda world, _: world.reach_deadline(),
    ),
    Move(1, lambda _: True, lambda world, _: world.wake_early()),
    Move(12, lambda world: world.session.phase is Phase.REFUSED, _end),
)


def walk(seed: int) -> World:
    """Play one session to its end or for some hundred moves, and settle it."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
    has_key = rng.random() > 0.02
    world = World(SessionOptions(limits=LIMITS, has_key=has_key), seed=seed)
    if rng.random() < 0.02:
        world.shut_down()
        return world
    world.join()
    weights = [move.weight for move in MOVES]
    length = rng.choice((3, 30, 150))
    for _ in range(length):
        if world.is_over:
            return world
        [move] = rng.choices(MOVES, weights)
        if move.may(world):
            move.do(world, rng)
    if not world.is_over and rng.random() < 0.5:
        _end(world, rng)
    world.settle()
    return world


def main() -> int:
    """Run for as long as asked; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, help="play this one session only")
    asked = parser.parse_args()
    cells: Counter[Cell] = Counter()
    valid = invalid = handled = sessions = 0
    first = random.SystemRandom().randrange(2**48) if asked.seed is None else asked.seed
    print(f"first seed {first}")
    began = time.monotonic()
    until = began + 60 * asked.minutes
    with counted_cells(cells):
        while sessions == 0 or (asked.seed is None and time.monotonic() < until):
            try:
                world = walk(first + sessions)
            except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
                traceback.print_exc()
                print(f"failed: --seed {first + sessions}")
                return 1
            sessions += 1
            valid += world.valid
            invalid += world.invalid
            handled += len(world.history)
    return _report(
        cells,
        asked.minutes,
        f"{sessions} sessions, {handled} inputs, "
        f"{handled / (time.monotonic() - began):.0f} a second; "
        f"{valid / max(1, valid + invalid):.0%} of the peers' messages valid",
    )


def _report(cells: Counter[Cell], minutes: float, summary: str) -> int:
    rare = 0
    for phase, row in TRANSITIONS.items():
        for trigger in row:
            count = cells[phase, trigger]
            rare += count < ENOUGH
            mark = "" if count >= ENOUGH else "  fewer than 1,000"
            print(f"{phase.name:9} {trigger.name:15} {count:10}{mark}")
    print(summary)
    return int(bool(rare) and minutes >= _LONG_MINUTES)


if __name__ == "__main__":
    sys.exit(main())
