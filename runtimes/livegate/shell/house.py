"""What a gateway says of itself to whoever asks without a WebSocket."""

import importlib.resources

import attrs

from livegate.protocol.hello import Hello
from livegate.shell.gateway import Gateway


@attrs.frozen(kw_only=True)
class House:
    """A gateway, as one request sees it."""

    gateway: Gateway
    hello: Hello
    """Who asks, and for whom."""
    socket_path: str
    mounted_at: str = ""
    page: bytes | None

    @property
    def wrong_host(self) -> str | None:
        """The `Host` that was asked for, if the gateway does not go by it; else None."""
        return None if self.gateway.admission.is_named(self.hello) else self.hello.host

    @property
    def may_see_metrics(self) -> bool:
        """Whether who asks may see the metrics: with a token, where clients need one."""
        return self.gateway.admission.knows(self.hello)

    @property
    def unready(self) -> str:
        """Why the gateway takes no new sessions; empty if it does."""
        return self.gateway.unready

    def metrics(self) -> bytes:
        """Return the gateway's metrics."""
        return self.gateway.metrics.page()


def page(name: str) -> bytes:
    """Return a page of `livegate.pages`.

    Raises:
        FileNotFoundError: There is none of this name.
    """
    return importlib.resources.files("livegate.pages").joinpath(name).read_bytes()
