import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.files import (
    check_output,
    partial_path,
    remove_leftovers,
    write_whole,
    writing,
)


def test_a_link_stands_for_its_file(tmp_path: Path) -> None:
    target, link = tmp_path / 'target', tmp_path / 'link'
    link.symlink_to(target)

    write_whole(check_output(link, force=False), lambda file: file.write(b'new'))

    assert link.is_symlink()
    assert target.read_bytes() == b'new'
    with pytest.raises(M2DetError, match=r'link exists: .* --force'):
        check_output(link, force=False)
    assert check_output(link, force=True) == target


@pytest.mark.parametrize('force', [True, False])
def test_only_files_are_replaced(tmp_path: Path, force: bool) -> None:
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)

    with pytest.raises(M2DetError, match='pipe is no regular file'):
        check_output(pipe, force=force)
    with pytest.raises(M2DetError, match='is a folder'):
        check_output(tmp_path, force=force)
    (tmp_path / 'file').touch()
    with pytest.raises(M2DetError, match='file is no folder that takes files'):
        check_output(tmp_path / 'file' / 'new' / 'out', force=force)
    assert check_output(tmp_path / 'new' / 'out', force=force).name == 'out'


def _full_disk_of_torch() -> RuntimeError:
    """What torch raises while it handles the system's error."""
    error = RuntimeError('unexpected pos 1 vs 2')
    error.__context__ = OSError(errno.ENOSPC, 'No space left on device')
    return error


@pytest.mark.parametrize(
    'error', [OSError(errno.ENOSPC, 'No space left on device'), _full_disk_of_torch()]
)
def test_a_failed_write_leaves_what_was_there(tmp_path: Path, error: Exception) -> None:
    out = tmp_path / 'out'
    out.write_text('old')

    def fail(file: BinaryIO) -> None:
        file.write(b'half')
        raise error

    with pytest.raises(M2DetError, match=r'out cannot be written \(.* No space left'):
        write_whole(out, fail)
    assert os.listdir(tmp_path) == ['out']
    assert out.read_text() == 'old'


@pytest.mark.parametrize(
    'error',
    [
        OSError(errno.ENOMEM, 'Cannot allocate memory'),
        FileNotFoundError(errno.ENOENT, 'No such file or directory', '/other/in'),
        PermissionError(errno.EACCES, 'Permission denied', '/other/in'),
        RuntimeError('a tensor has no storage'),
    ],
)
def test_an_error_that_is_not_of_the_file_passes(
    tmp_path: Path, error: Exception
) -> None:
    def fail(file: BinaryIO) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        write_whole(tmp_path / 'out', fail)
    assert raised.value is error
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('name', ['out', 'out/in', '.', 'beside'])
def test_an_error_of_the_file_names_it(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(M2DetError, match=r'out cannot be written \(.*denied'),
        writing(tmp_path / 'out', tmp_path / 'beside'),
    ):
        raise PermissionError(errno.EACCES, 'Permission denied', str(tmp_path / name))


def test_the_folder_is_made(tmp_path: Path) -> None:
    out = tmp_path / 'a' / 'b' / 'out'
    write_whole(out, lambda file: file.write(b'x'))

    assert out.read_bytes() == b'x'
    with pytest.raises(M2DetError, match='cannot be written'):
        write_whole(out / 'below', lambda file: file.write(b'x'))


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / 'loop'
    loop.symlink_to(loop)
    with pytest.raises(M2DetError, match=r'loop cannot be followed .*: give another'):
        write_whole(check_output(loop, force=True), lambda file: file.write(b'x'))


def _ended_process() -> int:
    child = subprocess.Popen([sys.executable, '-c', ''])
    child.wait()
    return child.pid


def test_leftovers_of_killed_processes_alone_are_removed(tmp_path: Path) -> None:
    ended, hexes = _ended_process(), '0123abcd'
    gone = {
        f'.out.{ended}.{hexes}.partial',
        f'.out.{ended}.{hexes}.partial.mp4',
        f'.out.{os.getpid()}.{hexes}.partial',
        partial_path(tmp_path / 'out', '.mp4').name,
    }
    left = {
        f'.out.{os.getppid()}.{hexes}.partial',  # that process lives
        f'.other.{ended}.{hexes}.partial',
        f'.out.{ended}.partial',
        f'out.{ended}.{hexes}.partial',
        'out',
    }
    for name in gone | left:
        (tmp_path / name).touch()

    remove_leftovers([tmp_path / 'out', tmp_path / 'absent' / 'out'])

    assert {*os.listdir(tmp_path)} == left


def test_what_a_killed_write_leaves_is_removed(tmp_path: Path) -> None:
    code = (
        'import os, signal, sys; from pathlib import Path\n'
        'from m2det_mmdet.utils.files import write_whole\n'
        'def die(file): os.kill(os.getpid(), signal.SIGKILL)\n'
        'write_whole(Path(sys.argv[1]), die)'
    )
    subprocess.run([sys.executable, '-c', code, tmp_path / 'out'], check=False)
    assert len(os.listdir(tmp_path)) == 1

    remove_leftovers([tmp_path / 'out'])

    assert os.listdir(tmp_path) == []


def test_threads_may_write_one_file(tmp_path: Path) -> None:
    def outer(file: BinaryIO) -> None:
        write_whole(tmp_path / 'out', 'inner')
        file.write(b'outer')

    write_whole(tmp_path / 'out', outer)

    assert os.listdir(tmp_path) == ['out']
    assert (tmp_path / 'out').read_text() == 'outer'
