"""Batch norm on maps that are too small to train it."""

from torch import nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm


def check_statistics(module: nn.Module, num_images: int, size: tuple[int, int]) -> None:
    """Raise if batch norm would train on one cell of one image.

    Synchronised batch norm passes: it sees the images of other processes too.

    Args:
        module: A layer with its norm.
        num_images: Number of images in the batch.
        size: Cells ``(height, width)`` of the layer's map.

    Raises:
        ValueError: If a batch norm in ``module`` trains on a single value per channel.
    """
    if num_images > 1 or tuple(size) != (1, 1):
        return
    for norm in module.modules():
        synchronised = isinstance(norm, SyncBatchNorm)
        if isinstance(norm, _BatchNorm) and norm.training and not synchronised:
            raise ValueError(
                'A batch of one image cannot train batch norm on the smallest scale, '
                'which has one cell: use a batch_size of two or more with '
                'drop_last=True in train_dataloader, a larger input, or another '
                'norm_cfg.'
            )
