"""Where a damaged WebM recording goes on: the next beginning that is no accident."""

import re
from typing import Final

from livegate.protocol.media import ebml

# Another recording; a Cluster and what may stand first in it (RFC 9559 section 5.1.3); a block of
# the track that is heard, alone or in a group, whose flags are neither lacing nor reserved
# (section 10.2). Such a block is smaller than 1 MiB, and its size written in at most four bytes.
_SIZE: Final = b"(?:%b)" % b"|".join(
    b"[\\x%02x-\\x%02x].{%d}" % (0x80 >> more, (0x100 >> more) - 1, more) for more in range(8)
)
_BLOCK_SIZE: Final = rb"(?:[\x81-\xfe]|[\x40-\x7f].|[\x20-\x2f]..|\x10[\x00-\x0f]..)"
_RECORDING: Final = rb"\x1a\x45\xdf\xa3%b\x42" % _SIZE
_CLUSTER: Final = rb"\x1f\x43\xb6\x75%b[\xe7\xbf\xec\xab\xa7]" % _SIZE
_BLOCK: Final = rb"(?:\xa3|\xa0%b\xa1)%b%b..[\x00\x01\x08\x09\x80\x81\x88\x89]"
_LONGEST: Final = 13
"""Bytes of the longest of these, but for the number of the track."""


class Beginnings:
    """What a recording can go on with, of whose tracks the one of this number is heard."""

    def __init__(self, number: int | None) -> None:
        kinds = [_RECORDING]
        self._longest = _LONGEST
        if number is not None:
            written = ebml.written(number)
            block = _BLOCK % (_BLOCK_SIZE, _BLOCK_SIZE, re.escape(written))
            kinds += [_CLUSTER, block]
            self._longest += len(written)
        self._pattern = re.compile(b"|".join(kinds), re.DOTALL)

    def after(self, data: bytearray, at: int) -> tuple[int, bool]:
        """Return the place from `at` on where the next one is, and True.

        Or the place from which on that depends on what comes, and False.
        """
        open_from = max(at, len(data) - self._longest + 1)
        match = self._pattern.search(data, at)
        if match is None or match.start() >= open_from:
            return open_from, False
        return match.start(), True
