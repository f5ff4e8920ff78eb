"""Where recordings are decoded on trio."""

import trio
from livegate.protocol.commands import Decode
from livegate.protocol.inputs import Answer
from livegate.protocol.media.decoder import Decoder
from livegate.shell.decoding import is_quick, step


async def decoded(decoder: Decoder, command: Decode) -> Answer:
    """Do one step of a recording; what may take long is done in a worker thread."""
    if is_quick(command):
        return step(decoder, command)
    return await trio.to_thread.run_sync(step, decoder, command, abandon_on_cancel=True)
