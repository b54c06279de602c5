"""The signs by which checkpoints of other code are known."""

from collections.abc import Iterable
from typing import NamedTuple


class ForeignCode(NamedTuple):
    """Code whose checkpoints have other names than ours.

    Attributes:
        owner: Whose it is, as messages say it.
        sign: How a name begins that only its checkpoints have.
    """

    owner: str
    sign: str


M2DET_RELEASE = ForeignCode("M2Det's authors", 'unet1.')
REFINEDET_PORT = ForeignCode("RefineDet's PyTorch port", 'arm_conf.')


def foreign_owner(names: Iterable[str]) -> str | None:
    """Tell whose code made a checkpoint with tensors of these names, if not ours."""
    for name in names:
        for code in (M2DET_RELEASE, REFINEDET_PORT):
            if name.startswith(code.sign):
                return code.owner
    return None
