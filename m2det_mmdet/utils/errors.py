"""The errors of this package: one sentence for a person each."""


class M2DetError(Exception):
    """One sentence: what is wrong, with the value that is, and what to do about it."""
