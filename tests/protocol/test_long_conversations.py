"""Hours of conversation, over many links: nothing is lost, or it is told."""

import random
from typing import Final

import pytest

from livegate.protocol.memory import Loss
from livegate.protocol.states import Phase
from simulated import Habits, Simulation


def chance(seed: int) -> random.Random:
    """Return what comes by chance, the same in every run."""
    return random.Random(seed)  # noqa: S311 - no secret


def some(rng: random.Random) -> Habits:
    """Return a Gemini that takes its time, now more, now less."""
    return Habits(
        dial_s=lambda: rng.uniform(0.02, 0.3),
        setup_s=lambda: rng.uniform(0.05, 0.5),
        think_s=lambda: rng.uniform(0.1, 3.0),
        speak_s=lambda: rng.uniform(0.05, 2.0),
        handle_s=lambda: rng.uniform(0.0, 0.3),
    )


def talk(one: Simulation, rng: random.Random, number: int) -> list[str]:
    """Have the client ask two things, and say one; return what it has to read."""
    asked = [f"{number}-{part}" for part in "ab"]
    for text in asked:
        one.run(rng.uniform(15, 90))
        one.ask(text)
    one.run(rng.uniform(15, 90))
    for _ in range(rng.randint(1, 30)):
        one.speak()
        one.run(0.1)
    one.send({"type": "audio_end"})
    return [f"About {asked[0]}", f"About {asked[1]}", "I hear."]


@pytest.mark.parametrize("seed", range(2))
def test_a_day(seed: int) -> None:
    """In 24 hours Gemini ends 144 links, and the client notices nothing of it."""
    rng = chance(seed)
    one = Simulation(some(rng), seed=seed)
    wanted: list[str] = []
    for number in range(144):
        wanted += talk(one, rng, number)
        one.run((number + 1) * 600.0 - one.now - rng.uniform(100, 200))
        asks_late = rng.random() < 0.5
        if asks_late:
            one.ask(f"{number}-late")
            wanted.append(f"About {number}-late")
            one.run(rng.uniform(0, 5))
        one.leave(50.0)
        one.run((number + 1) * 600.0 - one.now)
    assert one.now == 24 * 3600
    assert one.set_up > 144
    assert one.heard == one.known == one.said
    assert one.answers == wanted
    assert set(one.ends) == {"COMPLETE"}
    assert set(one.notices) == {"Connected to Gemini Live"}
    assert (one.lost, one.logged, one.seeds, one.errors) == ([], {}, [], {})


ACTIONS: Final = (
    *("ask", "ask", "speak", "speak", "speak", "end", "show"),
    *("leave", "lose", "config"),
)


def act(one: Simulation, rng: random.Random, number: int) -> None:
    """Have something happen."""
    match rng.choice(ACTIONS):
        case "ask":
            one.ask(f"text {number}")
        case "speak":
            for _ in range(rng.randint(1, 20)):
                one.speak()
                one.run(rng.uniform(0, 0.2))
        case "show":
            one.show()
        case "end":
            one.send({"type": "audio_end"})
        case "leave":
            one.leave(rng.uniform(0, 20))
        case "lose":
            one.lose()
        case _:
            one.send({"type": "config", "data": {"temperature": rng.random()}})


class Fortune:
    """Fails now and then, but never twice in a row."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._has_failed = False

    def smiles(self) -> bool:
        """Return whether it goes well this time."""
        self._has_failed = not self._has_failed and self._rng.random() < 0.1
        return not self._has_failed


def hasty(rng: random.Random) -> Habits:
    """Return a Gemini that is quick, mostly."""
    return Habits(
        dial_s=lambda: rng.uniform(0.02, 0.3),
        setup_s=lambda: rng.uniform(0.05, 0.5),
        think_s=lambda: rng.uniform(0.1, 1.0),
        speak_s=lambda: rng.uniform(0.01, 0.5),
        handle_s=lambda: rng.uniform(0.0, 0.3),
        dials=Fortune(rng).smiles,
        accepts=Fortune(rng).smiles,
    )


@pytest.mark.parametrize("seed", range(4))
def test_hand_overs(seed: int) -> None:
    """Whenever links end, all is heard once and in order, or its loss is told: 4 x 250 of them."""
    rng = chance(seed)
    one = Simulation(hasty(rng), seed=seed)
    one.ask("the first")
    one.run(10)
    number = 0
    while one.set_up <= 250:
        number += 1
        act(one, rng, number)
        one.run(rng.uniform(0, 3))
        assert one.session.phase is not Phase.CLOSED
    one.run(60)
    assert one.heard == one.said
    lost = set(one.lost)
    assert len(lost) == len(one.lost) > 100
    assert one.known == [said for said in one.said if said not in lost]
    assert one.logged.keys() == one.losses.keys()
    for link, (texts, audio_s) in one.losses.items():
        assert one.logged[link][0] == texts
        assert one.logged[link][1] == pytest.approx(audio_s, abs=0.001)
    told = one.notices[Loss.LATEST.value]
    assert sum(texts > 0 for texts, _ in one.losses.values()) <= told <= one.set_up
    assert set(one.errors) == {"upstream_lost"}
    assert set(one.ends) == {"COMPLETE", "LOST"}
    assert one.seeds == []


@pytest.mark.parametrize("seed", range(2))
def test_forgetful(seed: int) -> None:
    """A Gemini that forgets all is told all texts again, in order, and the client hears of it."""
    rng = chance(seed)
    one = Simulation(some(rng), seed=seed)
    for number in range(20):
        for part in "ab":
            one.ask(f"{number}-{part}")
            one.run(rng.uniform(10, 20))
        one.forget()
        one.lose()
        one.run(10)
        assert one.seeds[-1] == one.said
        assert one.notices[Loss.SOUND.value] == number + 1
    assert one.heard == one.said
    assert one.answers == [f"About {text}" for text in one.said]
