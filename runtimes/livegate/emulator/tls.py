"""A certificate for the emulator, made for one run."""

import ssl
from pathlib import Path

import attrs


@attrs.frozen
class Certificate:
    """Files in a folder that goes away with the emulator."""

    ca_file: Path
    """What clients have to trust: the file for SSL_CERT_FILE."""
    chain_file: Path
    """The server's certificate and private key."""

    def server_context(self) -> ssl.SSLContext:
        """Return the server's side of TLS."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain_file)
        return context


def certificate(folder: Path) -> Certificate:
    """Make a certificate for localhost, and the authority that vouches for it.

    Raises:
        ImportError: trustme is missing; the text names the extra.
    """
    try:
        import trustme  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ImportError(
            "TLS needs trustme to make a certificate: pip install 'livegate[testing]'"
        ) from None
    authority = trustme.CA()
    made = Certificate(folder / "ca.pem", folder / "server.pem")
    authority.cert_pem.write_to_path(str(made.ca_file))
    issued = authority.issue_cert("localhost", "127.0.0.1", "::1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(made.chain_file))
    return made
