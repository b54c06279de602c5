"""The weights that have a name."""

from ..checkpoints.zoo import ENTRIES, ZooEntry, find_entry
from ..utils.errors import our_errors


def list_weights() -> list[ZooEntry]:
    """List the weights that have a name.

    A name stands for a checkpoint wherever one is expected, except for weights that
    have to be converted first: their ``convert_from`` says where they are to be had.
    """
    return list(ENTRIES.values())


@our_errors()
def show_weights(name: str) -> ZooEntry:
    """Return what is known of the weights of a name.

    Raises:
        M2DetError: If there are none of that name.
    """
    return find_entry(name)
