"""Tests for gateways: what peers may say, and a machine that checks what must come of it.

The pure half of `livegate.testing`, which is the public name.
"""
