"""What only FFmpeg decodes, by PyAV; `pip install 'livegate[audio]'`."""

from livegate.media.codecs import Coded
from livegate.media.files import File
from livegate.protocol.media.decoder import Decoder


def new_decoder() -> Decoder:
    """Return a decoder for every kind of recording."""
    return Decoder(new_codec=Coded, open_other=File)
