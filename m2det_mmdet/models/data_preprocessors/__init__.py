"""What is done to batches of images."""

from .sync_resize import ResumableBatchSyncRandomResize

__all__ = ['ResumableBatchSyncRandomResize']
