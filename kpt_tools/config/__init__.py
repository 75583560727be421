"""The configuration of each command: one frozen dataclass each, the one definition of its defaults."""
