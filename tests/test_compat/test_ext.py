import importlib
import importlib.util
import pkgutil
import subprocess
import sys
from pathlib import Path

import mmcv.ops
import pytest
from mmcv.utils import collect_env

from m2det_mmdet.compat import ext

# Where mmcv is compiled, none of this takes effect.
STAND_IN = isinstance(importlib.util.find_spec(ext.NAME).loader, ext.PortableExtLoader)
needs_stand_in = pytest.mark.skipif(not STAND_IN, reason='mmcv is compiled')


def run(code: str, *paths: Path) -> subprocess.CompletedProcess:
    setup = f'import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n'
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', setup + code],
        capture_output=True,
        text=True,
        check=False,
    )


def test_install_twice_adds_one_finder_at_the_end() -> None:
    ext.install()

    finders = [isinstance(f, ext.PortableExtFinder) for f in sys.meta_path]
    assert finders.count(True) == 1


@needs_stand_in
def test_spec_is_found_by_those_who_look_for_it() -> None:
    assert importlib.util.find_spec('mmcv._ext').origin == ext.__name__
    if hasattr(pkgutil, 'find_loader'):
        assert mmcv.utils.ext_loader.check_ops_exist()


def test_finder_knows_one_name_only() -> None:
    finder = ext.PortableExtFinder()

    assert finder.find_spec('mmcv._ext') is not None
    assert finder.find_spec('mmcv._extra') is None
    assert finder.find_spec('_ext') is None


@needs_stand_in
def test_absent_operator_exists_and_explains_itself_when_called() -> None:
    module = importlib.import_module('mmcv._ext')

    assert hasattr(module, 'deform_conv_forward')
    with pytest.raises(
        NotImplementedError, match=r"'deform_conv_forward'.*mim install"
    ):
        module.deform_conv_forward(1, weight=2)


@needs_stand_in
@pytest.mark.parametrize('name', ['__wrapped__', '__path__', '_private'])
def test_private_names_do_not_exist(name: str) -> None:
    assert not hasattr(importlib.import_module('mmcv._ext'), name)


@needs_stand_in
def test_collect_env_answers() -> None:
    env = collect_env()

    assert 'portable' in env['MMCV Compiler']
    assert env['MMCV CUDA Compiler'] == 'not available'


@pytest.mark.slow
@needs_stand_in
def test_a_failed_import_before_does_no_harm_and_the_log_says_so_once() -> None:
    done = run("""
import logging
logging.basicConfig(level='INFO')
for name in ('mmcv.ops', 'mmdet.models'):
    try:
        __import__(name)
    except ImportError as error:
        print(error)
import m2det_mmdet.compat
m2det_mmdet.compat.install()
import mmcv.ops, mmdet.apis, mmdet.datasets, mmdet.models
print(mmcv.ops.nms.__name__)
""")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("No module named 'mmcv._ext'") == 2
    assert done.stderr.count('mmcv has no compiled operators') == 1


FAKE_MMCV = {
    'works': ('NAME = "compiled"', 'print(mmcv._ext.NAME)', 'compiled'),
    'broken': (
        'raise ImportError("undefined symbol: _ZN2at")',
        '',
        'undefined symbol: _ZN2at',
    ),
}


@pytest.mark.parametrize('kind', FAKE_MMCV)
def test_an_extension_that_exists_always_wins(kind: str, tmp_path: Path) -> None:
    source, use, expected = FAKE_MMCV[kind]
    package = tmp_path / 'mmcv'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / '_ext.py').write_text(source)
    compat = Path(ext.__file__).parent
    # By file: importing the package would import the real mmcv.
    code = f"""
import importlib.util
spec = importlib.util.spec_from_file_location('ext', {str(compat / 'ext.py')!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.install()
import mmcv._ext
{use}
"""
    done = run(code, tmp_path)

    assert expected in done.stdout + done.stderr
