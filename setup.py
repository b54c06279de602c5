"""Build the package; its metadata is in ``pyproject.toml``.

Where mim looks for ``configs/``, ``tools/`` and ``model-index.yml``:

- in ``<package>/.mim`` of an installed wheel: they are copied there when one is built;
- in an editable install, in the repository.

openmim reads the place of either from the first line of ``top_level.txt``, onedl-mim
that of an editable install from ``direct_url.json``.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.dist_info import dist_info
from setuptools.command.egg_info import egg_info

ROOT = Path(__file__).resolve().parent
PACKAGE = 'm2det_mmdet'
COMMAND = 'm2det_command'
MIM_FOLDERS = ('configs', 'tools')
MIM_FILES = ('model-index.yml',)


class BuildWithMim(build_py):
    """Copies what mim needs into the build directory, never into the sources."""

    def run(self) -> None:
        """Build as usual, then fill ``.mim``."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, PACKAGE, '.mim')
        ignore = shutil.ignore_patterns('__pycache__')
        for name in MIM_FOLDERS:
            shutil.copytree(ROOT / name, mim / name, ignore=ignore, dirs_exist_ok=True)
        for name in MIM_FILES:
            shutil.copy2(ROOT / name, mim / name)


class PackageFirst(egg_info):
    """Names the package first in ``top_level.txt``, before the command's module."""

    def run(self) -> None:
        """Write the metadata as usual, then amend it."""
        super().run()
        top_level = Path(self.egg_info, 'top_level.txt')
        top_level.write_text(f'{PACKAGE}\n{COMMAND}\n', encoding='utf-8')


class MetadataForOpenmim(dist_info):
    """Names the repository first in ``top_level.txt`` of an editable install.

    openmim joins that line to site-packages, which an absolute path survives; it
    finds no editable install that pip makes otherwise.
    """

    def run(self) -> None:
        """Write the metadata as usual, then amend it."""
        super().run()
        if 'editable_wheel' in self.distribution.commands:
            top_level = Path(self.dist_info_dir, 'top_level.txt')
            top_level.write_text(f'{ROOT}\n{PACKAGE}\n', encoding='utf-8')


# A build folder in the repository would offer files of earlier builds to the next wheel
# and a second copy of each config to mim, which searches the repository by base name.
with TemporaryDirectory() as build_base:
    setup(
        packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
        py_modules=[COMMAND],
        cmdclass={
            'build_py': BuildWithMim,
            'dist_info': MetadataForOpenmim,
            'egg_info': PackageFirst,
        },
        options={'build': {'build_base': build_base}},
    )
