"""Systems whose doings are tampered with, for the machine to notice."""

from collections.abc import Callable
from typing import Any

import pytest

from livegate.protocol.testing.machine import GatewayMachine
from livegate.protocol.testing.systems import CoreSystem, SystemUnderTest
from livegate.protocol.transcript import ClientGets, GeminiGets, Observation

Tamper = Callable[[list[Observation]], list[Observation]]


def is_frame(seen: Observation, *types: str) -> bool:
    """Whether the client gets a frame of one of these types."""
    frame: Any = seen.expected if isinstance(seen, ClientGets) else {}
    type_ = "audio" if isinstance(frame, bytes) else frame.get("type")
    return type_ in types


def is_message(seen: Observation, key: str) -> bool:
    """Whether Gemini gets a message with this in it."""
    return isinstance(seen, GeminiGets) and key in str(seen.expected)


def without(wrong: Callable[[Observation], bool]) -> Tamper:
    """Return what loses some of what a gateway does."""
    return lambda seen: [one for one in seen if not wrong(one)]


def twice(wrong: Callable[[Observation], bool]) -> Tamper:
    """Return what does some things twice."""
    return lambda seen: [one for each in seen for one in ([each] * (1 + wrong(each)))]


def changed(type_: str, **fields: object) -> Tamper:
    """Return what says something else in some frames."""

    def change(seen: Observation) -> Observation:
        if not is_frame(seen, type_):
            return seen
        frame: Any = seen.expected if isinstance(seen, ClientGets) else {}
        return ClientGets({**frame, **fields})

    return lambda seen: [change(one) for one in seen]


def tampered(inner: Callable[[], SystemUnderTest], tamper: Tamper) -> type[GatewayMachine]:
    """Return a machine for a system whose doings are tampered with."""

    class Machine(GatewayMachine):
        def new_system(self) -> SystemUnderTest:
            system = inner()
            output = system.output
            system.output = lambda: tamper(output())  # type: ignore[method-assign] # a wrong system
            return system

    return Machine


def noticed(scene: Callable[[GatewayMachine], None], tamper: Tamper, words: str) -> GatewayMachine:
    """Play a scene on a core that is tampered with; return the machine, which has to say so.

    Raises:
        AssertionError: It said something else.
        Failed: It said nothing.
    """
    machine = tampered(CoreSystem, tamper)()

    def play() -> None:
        scene(machine)
        machine.teardown()

    with pytest.raises(AssertionError, match=words):
        play()
    return machine
