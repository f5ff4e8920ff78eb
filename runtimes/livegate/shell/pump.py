"""Between a session and the loops that do its I/O: synchronous, the same for each runtime."""

import math
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import attrs

from livegate.protocol import Session, commands, inputs
from livegate.shell import logs
from livegate.shell.target import CLOSE_GRACE_S, FAREWELL_S

_T = TypeVar("_T")


class Bell(Protocol):
    """Wakes the loop that waits for it; rung early, it is remembered."""

    def ring(self) -> None:
        """Wake the loop."""

    async def heard(self) -> None:
        """Wait until it has rung since it was last heard."""


@attrs.frozen
class Outbox(Generic[_T]):
    """What one writing loop has to do, in order. The session bounds what is in it."""

    bell: Bell
    items: deque[_T] = attrs.field(factory=deque)  # pyright: ignore[reportUnknownVariableType]

    def put(self, item: _T) -> None:
        """Add work, and wake the loop."""
        self.items.append(item)
        self.bell.ring()


class Shell(Protocol):
    """What a pump needs done at once."""

    def open_link(self, link: int) -> None:
        """Begin to dial Gemini."""

    def hang_up(self, link: int) -> None:
        """Give a link the grace to send what it has and close; or give up dialling it."""

    def end_client(self, grace_s: float) -> None:
        """Give the client's socket so long to send what it has and close."""


class Pump:
    """Feeds a session, and sorts what it answers into outboxes."""

    def __init__(
        self,
        session: Session,
        shell: Shell,
        clock: Callable[[], float],
        new_bell: Callable[[], Bell],
    ) -> None:
        self.client: Outbox[commands.SendClient | commands.CloseClient] = Outbox(new_bell())
        self.links: dict[int, Outbox[commands.SendUpstream | commands.CloseUpstream]] = {}
        self.may_read = new_bell()
        self.alarm = new_bell()
        self.alarm_at = math.inf
        """Until when the clock loop sleeps; it is woken only for something earlier."""
        self.is_over = False
        """The client is gone: there is nothing more to do for it."""
        self._session = session
        self._shell = shell
        self._clock = clock
        self._new_bell = new_bell

    def feed(self, event: inputs.Input) -> None:
        """Tell the session what happened, and do what it answers."""
        before = self._session.reading
        for command in self._session.handle(event, self._clock()):
            self._do(command)
        match event:
            case inputs.ClientGone():
                self.is_over = True
                self.client.bell.ring()
                self._shell.end_client(CLOSE_GRACE_S)
            case inputs.UpstreamGone(link=link):
                self._do(commands.CloseUpstream(link))
            case _:
                pass
        if self._session.reading != before:
            self.may_read.ring()
        if self.deadline < self.alarm_at:
            self.alarm.ring()

    @property
    def deadline(self) -> float:
        """When to feed `DeadlineReached`: infinity if never."""
        deadline = self._session.deadline
        return math.inf if deadline is None else deadline

    @property
    def may_read_client(self) -> bool:
        """Whether the next message of the client is welcome."""
        return self._session.reading.client

    @property
    def may_read_upstream(self) -> bool:
        """Whether the next message of Gemini is welcome."""
        return self._session.reading.upstream

    def _do(self, command: commands.Command) -> None:
        match command:
            case commands.SendClient():
                self.client.put(command)
            case commands.CloseClient():
                self.client.put(command)
                self._shell.end_client(FAREWELL_S)
            case commands.SendUpstream(link=link):
                self.links[link].put(command)
            case commands.CloseUpstream(link=link):
                self.links[link].put(command)
                self._shell.hang_up(link)
            case commands.OpenUpstream(link=link):
                self.links[link] = Outbox(self._new_bell())
                self._shell.open_link(link)
            case commands.DropSound(link=link, turn=turn):
                self.feed(inputs.Sent(inputs.Side.CLIENT, link, self._drop_sound(turn)))
            case commands.Log():
                logs.write(command)

    def _drop_sound(self, turn: int) -> int:
        """Take the sound up to this turn out of the client's outbox; return its bytes."""
        kept, dropped = list[commands.SendClient | commands.CloseClient](), 0
        for item in self.client.items:
            if isinstance(item, commands.SendClient) and 0 < item.turn <= turn:
                dropped += len(item.payload)
            else:
                kept.append(item)
        self.client.items.clear()
        self.client.items.extend(kept)
        return dropped
