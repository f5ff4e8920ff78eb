"""What both shells share: nothing here awaits a runtime's own primitives."""
