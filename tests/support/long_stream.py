"""Decodes a recording of hours, as fast as can be; prints how much memory that has taken so far.

python tests/support/long_stream.py FORM HOURS
"""

import resource
import sys
from pathlib import Path

from endless import FORMS, PIECE_S
from livegate.protocol.commands import Decode
from livegate.protocol.inputs import Answer, Decoded
from livegate.protocol.media.kinds import HEAD_BYTES, begins
from livegate.shell.decoding import new_decoder

REPORT_S = 600


def resident_kb() -> int:
    """Return how much memory this process has now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 1024


def main(form: str, hours: float) -> None:
    """Decode, and print (seconds of sound, KiB) every ten minutes."""
    decoder = new_decoder()
    given_s = 0.0
    kind = None
    pieces = FORMS[form]()
    while given_s < hours * 3600:
        reported = given_s // REPORT_S
        for piece in (next(pieces) for _ in range(round(REPORT_S / PIECE_S / 10))):
            kind = kind or begins(piece[:HEAD_BYTES])
            assert kind is not None
            answer: Answer = decoder.step(Decode(1, kind, piece))
            while True:
                assert isinstance(answer, Decoded), answer
                given_s += len(answer.pcm) / (2 * answer.rate)
                if not answer.has_more:
                    break
                answer = decoder.step(Decode(1, kind))
        if given_s // REPORT_S > reported:
            print(round(given_s), resident_kb(), flush=True)
    decoder.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
