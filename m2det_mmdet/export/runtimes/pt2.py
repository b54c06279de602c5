"""Files of torch.export, run by PyTorch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from ...ops.failures import reason_of
from ..errors import ExportError
from ..graph import output_names
from ..programs import quiet_exporter
from .exported import check_images, metadata_in, on
from .pt2_archive import check_archive, metadata_text


class Pt2File:
    """A file of torch.export.

    Args:
        path: The file.
        threads: Threads of a CPU; as many as PyTorch takes by default.
        device: ``'cpu'``, ``'cuda'``, ...

    Raises:
        ExportError: If it is none of ours or cannot be read, or would run code.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, device: str = 'cpu'
    ) -> None:
        self.path = path
        self.metadata = metadata_in(metadata_text(path), path)
        check_archive(path)
        self._threads, self._device = threads, torch.device(device)
        self.runtime = f'PyTorch {torch.__version__}, {on(device, threads)}'
        try:
            with quiet_exporter():
                program = torch.export.load(path)
                if self._device.type != 'cpu':
                    from torch.export.passes import move_to_device_pass

                    program = move_to_device_pass(program, self._device)
                # Guards are Python code from the file.
                self._module = program.module(check_guards=False)
        except Exception as error:
            raise ExportError(
                f'{path} cannot be read ({reason_of(error)}): it is damaged, or of '
                'another version of PyTorch; export the detector again.'
            ) from error

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the graph; see :class:`.ExportedFile`."""
        check_images(self, images)
        try:
            with torch.no_grad(), _threads(self._threads):
                inputs = torch.from_numpy(images).to(self._device)
                found = [x.cpu().numpy() for x in self._module(inputs)]
        except Exception as error:
            raise ExportError(
                f'{self.path} fails with images {images.shape} of {images.dtype} '
                f'({reason_of(error)}).'
            ) from error
        return dict(zip(output_names(len(found)), found, strict=True))


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Let PyTorch compute with a number of threads, while the block runs."""
    former = torch.get_num_threads()
    torch.set_num_threads(number or former)
    try:
        yield
    finally:
        torch.set_num_threads(former)
