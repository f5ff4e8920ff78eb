"""A third shell, on threads and blocking sockets: docs/embedding.md goes through it.

Run it: python examples/own_shell.py --emulator (or with GEMINI_API_KEY set, without).
"""

import os
import sys
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from secrets import randbits
from socket import SHUT_RDWR
from threading import Condition
from time import monotonic

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.sync.connection import Connection
from websockets.sync.server import serve

from livegate.emulator import Emulator
from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.inputs import Side
from livegate.shell.decoding import new_decoder

GEMINI = "wss://generativelanguage.googleapis.com"
PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
Leg = tuple[Side, int]
CLIENT: Leg = (Side.CLIENT, 1)


class Shell:
    """One session; whoever holds `changed` may use it, and wakes all who wait for a change."""

    def __init__(self, client: Connection, url: str, key: str) -> None:
        self.session, self.changed = Session(SessionOptions(), seed=randbits(64)), Condition()
        self.url, self.key, self.is_over = url, key, False
        self.decoder = new_decoder()
        self.sockets: dict[Leg, Connection] = {CLIENT: client}
        self.outboxes = defaultdict[Leg, deque[commands.Command]](deque)

    def run(self) -> None:
        """Serve the client until it has gone, or the session has closed it."""
        with ThreadPoolExecutor(8) as self.threads:
            with self.changed:
                self.work = [
                    self.threads.submit(loop, *CLIENT) for loop in (self.read, self.write)
                ]
                self.session.start(monotonic())
                self.feed(inputs.ClientOpened(1, str(self.sockets[CLIENT].remote_address[0])))
                while not self.is_over:
                    deadline = self.session.deadline
                    self.changed.wait(None if deadline is None else deadline - monotonic())
                    self.feed(inputs.DeadlineReached())
            wait(self.work, timeout=5)
            for socket in [*self.sockets.values()]:
                with suppress(OSError):  # it has closed; who has not is cut
                    socket.socket.shutdown(SHUT_RDWR)
        for one in self.work:
            one.result()  # a bug is nobody's to hide

    def feed(self, event: inputs.Input) -> None:
        """Tell the session what happened, and do what it answers."""
        with self.changed:
            for command in self.session.handle(event, monotonic()):
                match command:
                    case commands.SendClient():
                        self.outboxes[CLIENT].append(command)
                    case commands.CloseClient():
                        self.outboxes[CLIENT].append(command)
                        self.is_over = True
                    case commands.DropSound(turn=turn):
                        self.drop_sound(turn)
                    case commands.OpenUpstream(link=link):
                        self.work.append(self.threads.submit(self.dial, link))
                    case commands.SendUpstream(link=link) | commands.CloseUpstream(link=link):
                        self.outboxes[Side.UPSTREAM, link].append(command)
                    case commands.Decode():
                        step = self.threads.submit(self.decode, command)
                        step.add_done_callback(lambda one: one.result())  # a bug is loud
                    case commands.StopDecoding(job=job):
                        self.decoder.stop(job)
                    case commands.Seal() | commands.Resume():
                        pass  # for clients of livegate.v1, which this shell lets nobody be
                    case commands.Log(event=name, fields=fields):
                        print(name, dict(fields))
            self.changed.notify_all()

    def decode(self, command: commands.Decode) -> None:
        """Do one step of a recording; what it asks for next comes after that."""
        self.feed(self.decoder.step(command))

    def drop_sound(self, turn: int) -> None:
        """Take the sound of this turn, and of those before, out of the client's outbox."""
        for one in [*self.outboxes[CLIENT]]:
            if isinstance(one, commands.SendClient) and 0 < one.turn <= turn:
                self.outboxes[CLIENT].remove(one)
                self.feed(inputs.Sent(*CLIENT, len(one.payload)))

    def dial(self, link: int) -> None:
        """Open a link to Gemini, and carry messages both ways until it ends."""
        url = f"{self.url}{PATH}?key={self.key}"  # a header would go along with a redirect
        opened = connect(
            url, compression=None, proxy=None, ping_interval=None, close_timeout=1,
            max_size=2**24, max_queue=1,
        )  # fmt: skip
        with ExitStack() as stack:
            try:
                self.sockets[Side.UPSTREAM, link] = stack.enter_context(opened)
            except (OSError, InvalidHandshake):
                self.feed(inputs.DialFailed(link, inputs.Fault.NETWORK))
                return
            self.feed(inputs.UpstreamOpened(link))
            self.work.append(self.threads.submit(self.write, Side.UPSTREAM, link))
            self.read(Side.UPSTREAM, link)

    def read(self, side: Side, link: int) -> None:
        """Take one message after the other, whenever the session wants one, until the end."""
        socket = self.sockets[side, link]
        try:
            while True:
                with self.changed:
                    while not (self.is_over or getattr(self.session.reading, side.value)):
                        self.changed.wait()
                message = socket.recv()
                payload = message.encode() if isinstance(message, str) else message
                if side is Side.CLIENT:
                    self.feed(inputs.ClientFrame(link, payload, isinstance(message, str)))
                else:
                    self.feed(inputs.UpstreamFrame(link, payload))
        except ConnectionClosed:
            pass  # by whichever side
        finally:
            code, reason = socket.close_code or 1006, socket.close_reason or ""
            with self.changed:
                self.outboxes[side, link].append(commands.CloseUpstream(link))
                if side is Side.CLIENT:
                    self.is_over = True
                    self.feed(inputs.ClientGone(link, code, reason))
                else:
                    self.feed(inputs.UpstreamGone(link, code, reason.replace(self.key, "[key]")))

    def write(self, side: Side, link: int) -> None:
        """Send what is in an outbox, in order, until the socket is to be closed."""
        socket, outbox = self.sockets[side, link], self.outboxes[side, link]
        while True:
            with self.changed:
                self.changed.wait_for(lambda: outbox)
                command = outbox.popleft()
            match command:
                case commands.SendClient(payload=payload) | commands.SendUpstream(payload=payload):
                    with suppress(ConnectionClosed):  # the reader tells of it
                        socket.send(payload, text=getattr(command, "is_text", True))
                    self.feed(inputs.Sent(side, link, len(payload)))
                case commands.CloseClient(code=code, reason=reason):
                    return socket.close(code, reason)
                case _:
                    return socket.close()


if __name__ == "__main__":
    with Emulator() as played, ThreadPoolExecutor(1) as threads:
        is_played = "--emulator" in sys.argv
        url, key = (played.url, "any") if is_played else (GEMINI, os.environ["GEMINI_API_KEY"])
        port = int(os.environ.get("PORT", "8000"))
        with serve(
            lambda client: Shell(client, url, key).run(), "localhost", port,
            compression=None, max_size=2**25, max_queue=1, close_timeout=1,
        ) as server:  # fmt: skip
            listening = threads.submit(server.serve_forever)  # Ctrl+C waits for its end
            with suppress(KeyboardInterrupt):
                print(f"ws://localhost:{server.socket.getsockname()[1]}", flush=True)
                listening.result()
