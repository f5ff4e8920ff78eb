"""Two ends of a cable, each a machine of its own to the kernel, and scissors.

Needs Linux, root, and `ip` of iproute2:

    with netns.cable() as cable:
        with cable.near.entered():
            listening = socket.create_server((cable.near.address, 0))
        server = subprocess.Popen(cable.near.command("livegate", "serve", "--host", ...))
        with cable.far.entered():
            client = socket.create_connection(listening.getsockname())
        cable.cut()
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

import attrs
import pytest

_TOOLS: Final = ("ip", "nsenter", "unshare")
_NEAR: Final = "192.0.2.1"  # RFC 5737, TEST-NET-1
_FAR: Final = "192.0.2.2"
_FAR_MAC: Final = "02:00:00:00:00:02"
_HOLD: Final = ("unshare", "--net", "sh", "-c", "echo; read _")
"""Keeps a namespace until its input ends, with us at the latest."""


@attrs.frozen
class End:
    """A network namespace, with one address, at one end of the cable."""

    address: str
    namespace: Path

    def command(self, *words: str) -> tuple[str, ...]:
        """Return the command that runs another one at this end."""
        return ("nsenter", f"--net={self.namespace}", "--", *words)

    @contextlib.contextmanager
    def entered(self) -> Generator[None, None, None]:
        """Let this thread be at this end; a socket stays where it was opened."""
        with (
            Path("/proc/thread-self/ns/net").open("rb") as home,
            self.namespace.open("rb") as here,
        ):
            _enter(here.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


@attrs.frozen
class Cable:
    """What joins the two ends."""

    near: End
    far: End

    def cut(self) -> None:
        """Let the far end vanish: it hears nothing more, and nothing tells the near end."""
        _ip(self.far, "address flush dev cable")

    def mend(self) -> None:
        """Have it back."""
        _ip(self.far, f"address add {_FAR}/24 dev cable")


@contextlib.contextmanager
def cable() -> Generator[Cable, None, None]:
    """Lay a cable for as long as the block runs; skip the test where that is not allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces need Linux and root")
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            pytest.skip(f"this machine has no {tool}")
    with _end(_NEAR) as near, _end(_FAR) as far:
        try:
            _ip(
                near,
                "link set lo up",
                f"link add name cable type veth peer name cable address {_FAR_MAC}"
                f" netns {far.namespace.parts[2]}",
                f"address add {_NEAR}/24 dev cable",
                "link set cable up",
                # As of a router's: it is there, whatever becomes of the host behind it.
                f"neighbour replace {_FAR} lladdr {_FAR_MAC} dev cable nud permanent",
            )
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine has no virtual cables: {error.stderr}")
        _ip(far, "link set lo up", f"address add {_FAR}/24 dev cable", "link set cable up")
        yield Cable(near, far)


@contextlib.contextmanager
def _end(address: str) -> Generator[End, None, None]:
    with subprocess.Popen(  # noqa: S603 - tests run what they name
        _HOLD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        if not holder.stdout.readline():
            _, said = holder.communicate()
            pytest.skip(f"no network namespaces here: {said}")
        yield End(address, Path(f"/proc/{holder.pid}/ns/net"))


def _ip(end: End, *lines: str) -> None:
    """Have `ip` of iproute2 do something at one end."""
    subprocess.run(  # noqa: S603 - tests run what they name
        end.command("ip", "-batch", "-"),
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )


def _enter(namespace: int) -> None:
    """setns(2), which Python has from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
