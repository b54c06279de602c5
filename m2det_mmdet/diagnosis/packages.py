"""The packages that m2det needs or uses: which there are, and from where they come.

Nothing is imported here but Python's own modules; :mod:`.imports` tries the packages.
"""

import json
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ..compat.environment import TESTED, installed_versions
from .findings import Finding, State

_FAST = "`pip install 'm2det[fast]'`"


class Package(NamedTuple):
    """A package.

    Attributes:
        name: As people call it.
        module: What is imported of it.
        distributions: Names under which pip knows it, the first one ours.
        gain: What an optional package is good for; empty for one that m2det needs.
        fix: How to install it, if not by its name.
        needs: Packages without which it cannot be imported.
    """

    name: str
    module: str
    distributions: tuple[str, ...]
    gain: str = ''
    fix: str = ''
    needs: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        """Name of its folder."""
        return self.module.partition('.')[0]

    @property
    def broken(self) -> State:
        """How an installation is where it is there and fails."""
        return State.PROBLEM if self.gain else State.STOP

    @property
    def installation(self) -> str:
        """How to install it."""
        return self.fix or f'`pip install {self.distributions[0]}`'


REBUILD_MMCV = (
    'install mmcv anew for this PyTorch: `pip install --force-reinstall '
    '--no-build-isolation --no-deps onedl-mmcv`, or `mim install mmcv` on the '
    'open-mmlab line'
)
_LINE = "`pip install 'm2det[onedl]'`"
_BUILT_TOGETHER = (
    'install the torchvision that was built for this PyTorch, from the index that '
    'PyTorch came from'
)
_OPENCV = (
    'opencv-python',
    'opencv-python-headless',
    'opencv-contrib-python',
    'opencv-contrib-python-headless',
)
_ALL = (
    Package('NumPy', 'numpy', ('numpy',)),
    Package('Pillow', 'PIL.Image', ('pillow',)),
    Package('OpenCV', 'cv2', _OPENCV, needs=('NumPy',)),
    Package('PyTorch', 'torch', ('torch',)),
    Package('pycocotools', 'pycocotools.mask', ('pycocotools',), needs=('NumPy',)),
    Package('safetensors', 'safetensors.torch', ('safetensors',), needs=('PyTorch',)),
    Package('filelock', 'filelock', ('filelock',)),
    Package('imagehash', 'imagehash', ('imagehash',), needs=('NumPy', 'Pillow')),
    Package('matplotlib', 'matplotlib', ('matplotlib',), needs=('NumPy',)),
    Package(
        'MMEngine',
        'mmengine',
        ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
        fix=_LINE,
        needs=('NumPy', 'OpenCV', 'PyTorch'),
    ),
    Package(
        'MMCV',
        'mmcv',
        ('onedl-mmcv', 'mmcv', 'mmcv-lite'),
        fix=_LINE,
        needs=('MMEngine',),
    ),
    Package(
        'MMDetection',
        'mmdet',
        ('onedl-mmdetection', 'mmdet'),
        fix=_LINE,
        needs=('MMCV',),
    ),
    Package('numba', 'numba', ('numba',), 'soft-NMS is faster on a CPU', _FAST),
    Package(
        'faster-coco-eval',
        'faster_coco_eval',
        ('faster-coco-eval',),
        "COCO's figures take less time",
        _FAST,
    ),
    Package(
        'Triton',
        'triton',
        ('triton', 'triton-windows'),
        'soft-NMS is faster on a GPU; PyTorch for CUDA brings it',
        needs=('PyTorch',),
    ),
    Package(
        'torchvision',
        'torchvision',
        ('torchvision',),
        'timm can be imported',
        _BUILT_TOGETHER,
        needs=('PyTorch',),
    ),
    Package(
        'timm',
        'timm',
        ('timm',),
        'backbones are networks of timm (`TimmBackbone`)',
        "`pip install 'm2det[timm]'`",
        needs=('PyTorch', 'torchvision'),
    ),
    Package(
        'grad-cam',
        'pytorch_grad_cam',
        ('grad-cam',),
        'detectors without levels are explained by heat maps',
        "`pip install 'm2det[cam]'`",
        needs=('NumPy', 'OpenCV', 'PyTorch', 'torchvision'),
    ),
    Package(
        'supervision',
        'supervision',
        ('supervision',),
        'results turn into its detections',
        needs=('NumPy', 'OpenCV'),
    ),
    Package(
        'SAHI',
        'sahi',
        ('sahi',),
        'large images are predicted in tiles',
        needs=('NumPy', 'OpenCV', 'PyTorch'),
    ),
    Package(
        'trackers',
        'trackers',
        ('trackers',),
        'the objects of a video are followed',
        needs=('NumPy', 'OpenCV', 'supervision'),
    ),
)
PACKAGES = {package.name: package for package in _ALL}


def versions_of(package: Package) -> dict[str, str]:
    """Return the versions of the distributions that are there of a package."""
    return installed_versions(package.distributions)


def describe(package: Package) -> tuple[str, bool]:
    """Say which versions there are, and whether they are those that were tested."""
    versions = versions_of(package)
    if not versions:
        return 'of unknown version', True
    # Several are one package under several names: OpenCV.
    words = ', '.join(
        version if name == package.distributions[0] else f'{version} ({name})'
        for name, version in versions.items()
    )
    for name, version in versions.items():
        if TESTED.get(name, version) != version.partition('+')[0]:
            return f'{words}, tested with {TESTED[name]}', False
    return words, True


def place_in_the_way(package: Package) -> Path | None:
    """Folder or file that Python imports in the place of an installed package."""
    spec = find_spec(package.top)
    names = list(versions_of(package))
    if spec is None or not names:
        return None
    distribution = metadata.distribution(names[0])
    found = _place(spec.origin, spec.submodule_search_locations)
    if found is None or is_editable(distribution):
        return None
    return None if found.resolve().is_relative_to(root_of(distribution)) else found


def leftover(package: Package) -> Path | None:
    """Folder without ``__init__.py`` that passes for a package of that name."""
    spec = find_spec(package.top)
    if spec is None or spec.origin is not None:
        return None
    return _place(None, spec.submodule_search_locations)


def _place(origin: str | None, folders: object) -> Path | None:
    for folder in folders or ():
        return Path(folder)
    return None if origin is None else Path(origin)


def is_editable(distribution: metadata.Distribution) -> bool:
    """Whether a distribution is a folder of sources elsewhere."""
    # Beside the sources setuptools leaves a folder without that list.
    return (
        distribution.read_text('RECORD') is None or _sources(distribution) is not None
    )


def root_of(distribution: metadata.Distribution) -> Path:
    """Folder that holds the modules of a distribution."""
    return (_sources(distribution) or Path(distribution.locate_file(''))).resolve()


def _sources(distribution: metadata.Distribution) -> Path | None:
    """Folder that an editable installation leads to."""
    said = json.loads(distribution.read_text('direct_url.json') or '{}')
    if not said.get('dir_info', {}).get('editable'):
        return None
    return Path(url2pathname(urlsplit(said['url']).path))


def reinstallation(distribution: str) -> str:
    """Return the command that installs the same version of a distribution anew."""
    wanted = f'{distribution}=={metadata.version(distribution)}'
    return f"`pip install --force-reinstall --no-deps '{wanted}'`"


def broken(package: Package, how: str) -> Finding:
    """Return the finding that a package is there and cannot be used.

    Args:
        package: The package.
        how: What happens when it is imported, as a clause without a subject.
    """
    hiding = place_in_the_way(package)
    if hiding is not None:
        found = f'{hiding} is in the place of the installed one, and {how}'
        fix = f'take {hiding.parent} out of PYTHONPATH, or rename {hiding}'
        return Finding(package.name, package.broken, found, fix)
    return Finding(package.name, package.broken, how, _repair(package, how))


def _repair(package: Package, how: str) -> str:
    if 'libGL' in how:
        return (
            '`pip uninstall opencv-python opencv-python-headless`, then `pip install '
            'opencv-python-headless`, which needs no display'
        )
    if 'torchvision::' in how:
        return _BUILT_TOGETHER
    if 'cannot open shared object file' in how:
        return "install the library that the error names, by the system's packages"
    names = list(versions_of(package))
    return reinstallation(names[0]) if names else package.installation
