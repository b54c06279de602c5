"""Batches of changing size, also in a training that was resumed."""

from mmdet.models.data_preprocessors import BatchSyncRandomResize
from mmdet.registry import MODELS
from mmengine.logging import MessageHub

from ...checkpoints.errors import UnresumableError
from ...utils.texts import shown
from ...utils.values import is_count

SIZE = 'batch_size_in_pixels'
# Of a side, in pixels: no training has larger images.
_LARGEST = 2**14


@MODELS.register_module(name='BatchSyncRandomResize', force=True)
class ResumableBatchSyncRandomResize(BatchSyncRandomResize):
    """mmdet's resize of whole batches, whose present size is in the checkpoints.

    mmdet's keeps the size for itself: a training that was resumed begins with that of
    the images, until the next one is drawn. Arguments, sizes and boxes are mmdet's.

    Raises:
        UnresumableError: If a checkpoint has a size that is none.
    """

    @property
    def _input_size(self) -> tuple[int, int] | None:
        """Height and width of the batches, pixels; ``None`` before the first one."""
        size = MessageHub.get_current_instance().get_info(SIZE, None)
        if size is None:
            return None
        is_pair = isinstance(size, list | tuple) and len(size) == 2
        if not (is_pair and all(is_count(x) and 0 < x <= _LARGEST for x in size)):
            raise UnresumableError(f'message_hub.runtime_info.{SIZE}', shown(size))
        return tuple(size)

    @_input_size.setter
    def _input_size(self, size: tuple[int, int] | None) -> None:
        # The parent's constructor knows of no size: that of a run is left as it is.
        if size is not None:
            hub = MessageHub.get_current_instance()
            hub.update_info(SIZE, tuple(int(x) for x in size))
