"""Clients that come back: what their tokens say, and who waits for them here.

What was missed is kept by the session itself; the number of the client's socket there is the
fencing epoch, since nothing that comes from an older one is heard. This is the rest of the store:
who has which session, in this process alone. Another process has the token.
"""

import time
from collections.abc import Callable
from secrets import token_bytes
from typing import TypeVar

import attrs

from livegate.protocol import commands, inputs
from livegate.protocol.admission import Visit
from livegate.shell.seals import ID_BYTES, LIFETIME_S, Sealed, Seals, TooLargeError

_T = TypeVar("_T")


@attrs.frozen
class _Waiting:
    """A session that a client can come back to."""

    visit: Visit
    member: object
    """What drives it."""


class Returns:
    """The tokens of one gateway.

    Args:
        seals: Make them.
        clock: The wall clock, in Unix seconds.
    """

    def __init__(self, seals: Seals, clock: Callable[[], float] = time.time) -> None:
        self._seals = seals
        self._clock = clock
        self._ids: dict[Visit, bytes] = {}
        self._waiting: dict[bytes, _Waiting] = {}

    def seal(self, visit: Visit, member: object, asked: commands.Seal) -> inputs.Sealed:
        """Return a token for the client of a session.

        Args:
            visit: The session.
            member: What drives it.
            asked: What goes into it.
        """
        id_ = self._ids.setdefault(visit, token_bytes(ID_BYTES))
        self._waiting[id_] = _Waiting(visit, member)
        sealed = Sealed(
            id=id_,
            name=visit.ticket.client,
            model=asked.model,
            handle=asked.handle,
            config=asked.config,
            expires_at=int(self._clock()) + LIFETIME_S,
        )
        try:
            return inputs.Sealed(self._seals.seal(sealed))
        except TooLargeError:  # then it is good in this process alone
            return inputs.Sealed(self._seals.seal(attrs.evolve(sealed, handle=None, config={})))

    def find(
        self, visit: Visit, asked: commands.Resume, kind: type[_T]
    ) -> _T | inputs.TokenOpened | inputs.TokenRefused:
        """Return what drives the session of a client that is back, or what its token says.

        Args:
            visit: What it began here.
            asked: Has the token.
            kind: What can take over its WebSocket.
        """
        sealed = self._seals.unseal(asked.token, name=visit.ticket.client, now=self._clock())
        if sealed is None:
            return inputs.TokenRefused()
        waiting = self._waiting.get(sealed.id)
        if waiting is not None and not waiting.visit.is_over and isinstance(waiting.member, kind):
            return waiting.member
        # Whoever comes with the same token finds this session then: it has taken that one's place.
        self._ids[visit] = sealed.id
        return inputs.TokenOpened(sealed.model, sealed.handle, sealed.config)

    def forget(self, visit: Visit) -> None:
        """Forget a session that has ended."""
        id_ = self._ids.pop(visit, b"")
        waiting = self._waiting.get(id_)
        if waiting is not None and waiting.visit is visit:
            del self._waiting[id_]
