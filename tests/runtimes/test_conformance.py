"""The same conversations over real sockets, on both runtimes, plain and TLS."""
