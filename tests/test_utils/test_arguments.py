"""What a caller gives of another kind than an argument takes is a sentence."""

from pathlib import Path
from typing import Any

import pytest

from m2det_mmdet.utils.arguments import (
    check_callable,
    check_mapping,
    check_path,
    check_paths,
    texts_of,
)
from m2det_mmdet.utils.errors import M2DetError


@pytest.mark.parametrize(
    ('value', 'texts'),
    [
        ('ab', ('ab',)),
        (Path('a/b'), ('a/b',)),
        (['a', Path('b')], ('a', 'b')),
        ((x for x in 'ab'), ('a', 'b')),
        ([], ()),
    ],
)
def test_one_text_or_several_become_texts(value: Any, texts: tuple[str, ...]) -> None:
    assert texts_of('inputs', value) == texts


@pytest.mark.parametrize('value', [None, 5, b'a', {'a': 1}, object()])
def test_what_holds_no_texts_is_a_sentence(value: object) -> None:
    with pytest.raises(M2DetError, match='inputs must be a text or a list of texts'):
        texts_of('inputs', value)


@pytest.mark.parametrize('value', [[5], ['a', None], [['a']]])
def test_a_series_of_something_else_is_a_sentence(value: object) -> None:
    with pytest.raises(M2DetError, match='inputs must hold texts, got'):
        texts_of('inputs', value)


@pytest.mark.parametrize('value', [5, 'a', ['a'], {5: 'a'}])
def test_what_is_no_dictionary_of_texts_is_a_sentence(value: object) -> None:
    with pytest.raises(M2DetError, match='options must be a dictionary with texts'):
        check_mapping('options', value)
    check_mapping('options', {'a.b': 5})
    check_mapping('options', None)


def test_what_cannot_be_called_is_a_sentence() -> None:
    with pytest.raises(M2DetError, match='on_event must be a function, got 5'):
        check_callable('on_event', 5)
    check_callable('on_event', print)
    check_callable('on_event', None)


@pytest.mark.parametrize('value', [5, b'a', ['a'], True])
def test_what_is_no_path_is_a_sentence(value: object) -> None:
    with pytest.raises(M2DetError, match='out must be a path, got'):
        check_paths(data=None, out=value)
    with pytest.raises(M2DetError, match='data must be a path, got None'):
        check_path('data', None)
    check_paths(data=Path('a'), out='b', work_dir=None)
