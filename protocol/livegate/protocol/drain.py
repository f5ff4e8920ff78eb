"""How sessions are ended when a process is about to: in waves, not all at once.

Clients that are told to come back come back at once, to whoever is left (Phoenix, socket drainer).
"""

import hashlib
from typing import Final

WAVE: Final = 50
"""Sessions that are told together."""
STEP_S: Final = 0.25
"""The pause between two waves, unless there are too many of them."""


def waves(sessions: int, within_s: float, seed: int) -> list[float]:
    """Return when to tell each wave of `WAVE` sessions, in seconds from now; the first at once.

    Args:
        sessions: How many there are.
        within_s: The last wave is told before so many seconds have passed.
        seed: Shifts each wave by up to half a step, so that processes that end together differ.
    """
    count = -(-sessions // WAVE)
    step_s = min(STEP_S, within_s / max(count, 1))
    return [
        step_s * (number - _share(seed, number) / 2 if number else 0) for number in range(count)
    ]


def _share(seed: int, number: int) -> float:
    """Return a number from 0 to 1, the same for the same arguments."""
    key = (seed % 2**64).to_bytes(8)
    drawn = hashlib.blake2b(number.to_bytes(8), key=key, digest_size=2).digest()
    return int.from_bytes(drawn) / 2**16
