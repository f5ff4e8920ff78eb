"""Pages for browsers, as package data."""
