"""What a session gives its shell to do, collected while it handles one input."""

from livegate.protocol import commands, frames, inputs
from livegate.protocol.commands import LEVELS, Command, Event, Scalar
from livegate.protocol.errors import CLOSES
from livegate.protocol.flow import Flow
from livegate.protocol.inputs import Fault, Side
from livegate.protocol.replies import Reply


class Outbox:
    """Commands in the order they were given, with every byte counted as in flight."""

    def __init__(self, flow: Flow, session_id: str) -> None:
        self._flow = flow
        self._session_id = session_id
        self._commands: list[Command] = []
        self.client_link = 0
        """The client's socket; 0 while it has none."""
        self.upstream_link = 0

    def take(self) -> list[Command]:
        """Return what was collected, and begin anew."""
        taken, self._commands = self._commands, []
        return taken

    def concerns(self, event: inputs.Input, *, is_linked: bool) -> bool:
        """Whether an input is about a socket that the session still has.

        Args:
            event: What happened.
            is_linked: The newest link is open or being opened.
        """
        match event:
            case inputs.ClientFrame() | inputs.ClientGone() | inputs.Sent(side=Side.CLIENT):
                # The number of the socket is what keeps one that was replaced from being heard.
                return event.link == self.client_link
            case inputs.UpstreamOpened() | inputs.UpstreamFrame() | inputs.UpstreamGone():
                return is_linked and event.link == self.upstream_link
            case inputs.DialFailed() | inputs.Sent():
                return is_linked and event.link == self.upstream_link
            case _:
                return True

    def reply(self, reply: Reply) -> None:
        """Send a frame; without a client's socket it waits elsewhere, and counts."""
        self._flow.add(Side.CLIENT, len(reply.payload))
        if self.client_link:
            turn = reply.turn if reply.is_sound else 0
            self._commands.append(
                commands.SendClient(self.client_link, reply.payload, reply.is_text, turn=turn)
            )

    def drop_sound(self, turn: int) -> None:
        """Take back what is queued of a turn's sound."""
        if self.client_link:
            self._commands.append(commands.DropSound(self.client_link, turn))

    def close_client(self, code: int) -> None:
        """Close the client's socket after all that was sent."""
        if self.client_link:
            meaning = CLOSES[code].meaning
            self._commands.append(commands.CloseClient(self.client_link, code, meaning))

    def open_upstream(self) -> None:
        """Dial Gemini for the link of the next number."""
        self.upstream_link += 1
        self._commands.append(commands.OpenUpstream(self.upstream_link))

    def send_upstream(self, payload: bytes) -> None:
        """Send a message on the link."""
        self._flow.add(Side.UPSTREAM, len(payload))
        self._commands.append(commands.SendUpstream(self.upstream_link, payload))

    def close_upstream(self) -> None:
        """Close the link, or give up dialling it."""
        self._commands.append(commands.CloseUpstream(self.upstream_link))

    def decode(self, step: commands.Decode) -> None:
        """Have a piece of a recording decoded."""
        self._commands.append(step)

    def stop_decoding(self, job: int) -> None:
        """Have a recording forgotten."""
        self._commands.append(commands.StopDecoding(job))

    def resume(self, frame: frames.Resume) -> None:
        """Have a token looked up."""
        self._commands.append(commands.Resume(frame.token, frame.seq))

    def seal(self, seal: commands.Seal) -> None:
        """Have a token made."""
        self._commands.append(seal)

    def log_fault(self, fault: Fault) -> None:
        """Write to the log why a link could not be opened; quietly, if nobody has tried."""
        if fault is Fault.RESTING:
            self.log(Event.UPSTREAM_HELD_OFF)
        else:
            self.log(Event.UPSTREAM_FAILED, fault=fault.name.lower())

    def log(self, event: Event, **fields: Scalar) -> None:
        """Write a line to the log."""
        whose: dict[str, Scalar] = {"session": self._session_id, "link": self.upstream_link}
        self._commands.append(commands.Log(LEVELS[event], event, {**whose, **fields}))
