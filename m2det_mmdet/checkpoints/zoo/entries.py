"""The weights that there are, and the facts on each."""

from dataclasses import dataclass
from pathlib import Path

EMBEDDED = Path(__file__).with_name('weights')


@dataclass(frozen=True, kw_only=True)
class ZooEntry:
    """Weights that have a name.

    Attributes:
        name: The name.
        config: Name of the config that they fit.
        data: What they were trained on.
        training: How they were trained: by which command, or by whom.
        ap: Box AP, from 0 to 1.
        measured: What the AP was measured on, and by whom if not here.
        classes: The classes that they know, in the order of the labels.
        licence: SPDX identifier of their licence.
        size: Bytes of the file; ``None`` if it is not known here.
        sha256: SHA-256 of the file; likewise.
        url: Address to download from; ``None`` for a file of the package.
        convert_from: Page that leads to a checkpoint of other code, which has to be
            downloaded by hand and converted; ``None`` for weights that load by name.
    """

    name: str
    config: str
    data: str
    training: str
    ap: float
    measured: str
    classes: str
    licence: str
    size: int | None = None
    sha256: str | None = None
    url: str | None = None
    convert_from: str | None = None

    @property
    def place(self) -> str:
        """Where the weights are, in a few words."""
        if self.convert_from is not None:
            return 'to convert'
        return 'in the package' if self.url is None else 'download'


_ALL = (
    ZooEntry(
        name='m2det_r18_scenes',
        config='m2det_r18_scenes',
        data='3,000 generated scenes (`m2det scenes data/scenes`)',
        training='`m2det train m2det_r18_scenes --cfg-options train_cfg.max_epochs=30 '
        'train_cfg.val_interval=30 param_scheduler.1.T_max=30`',
        ap=0.671,
        measured='the 200 scenes of their val split',
        classes='disc, square, triangle, striped, checkered, dotted, car, robot, '
        'flower, paw',
        licence='Apache-2.0',
        size=1_637_152,
        sha256='a73e70fa08d66b40672a45ad5a408452dea99af6fbc4cb2febb57dcb608fc999',
    ),
    ZooEntry(
        name='m2det_vgg_512_release',
        config='m2det_vgg_512_release',
        data="COCO; by the authors' configs train2014 and valminusminival2014",
        training="by M2Det's authors",
        ap=0.378,
        measured='val2017, by a third party',
        classes='the 80 of COCO',
        licence='MIT',
        convert_from='https://github.com/VDIGPKU/M2Det#pre-trained-files',
    ),
)
ENTRIES = {entry.name: entry for entry in _ALL}
