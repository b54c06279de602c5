import errno
import json
import os
import re
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from m2det_mmdet.datasets.coco import DatasetError
from m2det_mmdet.utils.errors import (
    M2DetError,
    explain,
    mendable,
    our_errors,
    sentence_of,
)

HERE = str(Path(__file__).resolve())


def caught(function: object, *args: object) -> Exception:
    """Return what a call raises."""
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError('Nothing was raised.')


def module_of(path: Path, text: str) -> ModuleType:
    """Run a file as a module; what it defines are its attributes."""
    path.write_text(text)
    module = ModuleType(path.stem)
    exec(compile(text, path, 'exec'), module.__dict__)
    return module


def test_an_error_of_another_has_type_and_place(tmp_path: Path) -> None:
    file = tmp_path / 'neck.py'
    neck = module_of(file, 'def build():\n    return 1 / 0\n')

    assert explain(caught(neck.build)) == (
        f'ZeroDivisionError: division by zero ({file}:2)'
    )


def test_an_error_without_a_text_shows_its_line(tmp_path: Path) -> None:
    file = tmp_path / 'neck.py'
    neck = module_of(file, '\ndef build(maps):\n    assert len(maps) == 3\n')

    assert explain(caught(neck.build, [])) == (
        f'AssertionError: `assert len(maps) == 3` ({file}:3)'
    )
    assert explain(IndexError()) == 'IndexError'


def test_a_place_in_a_library_comes_with_the_one_that_led_there(
    tmp_path: Path,
) -> None:
    file = tmp_path / 'neck.py'
    text = 'import json\ndef build():\n    return json.loads("{")\n'

    found = explain(caught(module_of(file, text).build))

    place = rf'json/decoder\.py:\d+, called by {re.escape(str(file))}:3'
    assert re.fullmatch(rf'JSONDecodeError: Expecting .* \({place}\)', found)


def test_a_cause_is_named() -> None:
    def fail() -> NoReturn:
        try:
            {}['maps']
        except KeyError as error:
            raise RuntimeError('The neck fails\n' + 'and fails ' * 100) from error

    found = explain(caught(fail))

    assert found.startswith('RuntimeError: The neck fails and fails ')
    assert "..., caused by KeyError: 'maps' (" in found
    assert found.count('\n') == 0
    assert len(found) < 500


def test_an_error_that_arose_while_another_was_handled_names_that(
    tmp_path: Path,
) -> None:
    file = tmp_path / 'neck.py'
    text = (
        'def build():\n try:\n  import no_neck\n except ImportError:\n  raise TypeError'
    )

    assert explain(caught(module_of(file, text).build)) == (
        "TypeError, caused by ModuleNotFoundError: No module named 'no_neck' "
        f'({file}:3)'
    )


class Broken(Dataset):
    """Raises in the process that loads it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> NoReturn:
        raise self.error


def from_worker(error: Exception) -> Exception:
    """Return what arrives of an error that a worker raises."""
    return caught(next, iter(DataLoader(Broken(error), num_workers=1)))


def test_an_error_of_a_worker_has_the_place_where_it_was_raised() -> None:
    (line,) = [
        number
        for number, text in enumerate(Path(HERE).read_text().splitlines(), start=1)
        if text == '        raise self.error'
    ]

    found = explain(from_worker(ZeroDivisionError('by zero')))

    assert found == f'ZeroDivisionError: by zero ({HERE}:{line})'


def test_our_own_error_of_a_worker_is_its_sentence() -> None:
    error = from_worker(DatasetError('The image a.jpg does not exist.'))

    assert sentence_of(error) == 'The image a.jpg does not exist.'
    assert mendable(error) == explain(error) == 'The image a.jpg does not exist.'


@pytest.mark.parametrize(
    ('error', 'sentence'),
    [
        (M2DetError('No.'), 'No.'),
        (FileNotFoundError('The file a does not exist.'), 'The file a does not exist.'),
        (OSError(errno.ENOSPC, 'No space left'), '[Errno 28] No space left'),
        (OSError('of a library'), None),
        (BrokenPipeError(errno.EPIPE, 'Broken pipe'), None),
        (KeyError('x'), None),
        (TypeError("f() got an unexpected keyword argument 'x'"), None),
    ],
)
def test_some_errors_can_be_mended(error: Exception, sentence: str | None) -> None:
    assert mendable(error) == sentence


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (MemoryError(), ''),
        (MemoryError('Unable to allocate 7 TiB.'), ' (Unable to allocate 7 TiB)'),
        (
            torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB'),
            ' (CUDA out of memory. Tried to allocate 2 GiB)',
        ),
        (RuntimeError('std::bad_alloc'), ' (std::bad_alloc)'),
    ],
)
def test_too_little_memory_is_one_sentence(error: Exception, said: str) -> None:
    assert mendable(error) == (
        f'There is not enough memory{said}: take a smaller batch or smaller images, or '
        'close other programs.'
    )


def test_memory_that_was_asked_for_in_vain_is_told() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 60)
    assert mendable(error.value).startswith('There is not enough memory (')


def test_a_file_is_named_that_cannot_be_opened(tmp_path: Path) -> None:
    missing = tmp_path / 'a.json'

    assert mendable(caught(json.load, missing.open)) is None
    assert mendable(caught(missing.open)) == f'No such file or directory: {missing}'
    assert mendable(caught(os.listdir, HERE)) == f'Not a directory: {HERE}'


def test_our_sentences_are_lines_of_signs_that_are_seen() -> None:
    assert str(M2DetError('There is no a\0b\nc\ud800.')) == (
        'There is no a\ufffdb\ufffdc\ufffd.'
    )


@pytest.mark.parametrize('name', ['a\0b', '\ud800x'])
def test_a_path_that_no_file_can_have_is_a_sentence(name: str) -> None:
    told = 'no file can have: give another'
    with pytest.raises(M2DetError, match=told), our_errors():
        os.stat(name)
