"""The errors of this package: one sentence for a person each."""

import re


class M2DetError(Exception):
    """One sentence: what is wrong, with the value that is, and what to do about it."""


def sentence_of(error: Exception) -> str:
    """Return the sentence of an error, also of one that a data loader's worker raised.

    Such an error arrives as the text of its traceback.
    """
    text = str(error).strip()
    if not text.startswith('Caught '):
        return text
    return re.sub(r'^[\w.]+Error: ', '', text.splitlines()[-1])
