"""The images that a training did without are told at its end."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from m2det_mmdet.engine.hooks import SkippedImagesHook
from m2det_mmdet.engine.hooks import skipped_images_hook as module
from m2det_mmdet.engine.runner import _skips_images


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hook says; two processes take part."""
    messages: list[str] = []

    def note(message: str, logger: str, level: int) -> None:
        assert (logger, level) == ('current', logging.WARNING)
        messages.append(message)

    monkeypatch.setattr(module, 'print_log', note)
    monkeypatch.setattr(module, 'checked_datasets', lambda dataset: [dataset])
    monkeypatch.setattr(
        module, 'all_gather_object', lambda own: [own, ['b.jpg', 'c.jpg'] * bool(own)]
    )
    return messages


def test_images_are_counted_once_over_all_processes(
    said: list[str], tmp_path: Path
) -> None:
    dataset = SimpleNamespace(skipped=[])
    loader = SimpleNamespace(dataset=dataset)
    runner = SimpleNamespace(train_dataloader=loader, work_dir=str(tmp_path))
    hook = SkippedImagesHook()

    hook.after_train_epoch(runner)
    assert said == []
    dataset.skipped = ['c.jpg', 'a\n.jpg']
    hook.after_train_epoch(runner)
    hook.after_train_epoch(runner)
    assert len(said) == 1
    hook.after_train(runner)

    assert len(said) == 2
    assert ': 3, as a' in said[1]
    listed = (tmp_path / 'skipped_images.txt').read_text().splitlines()
    assert len(listed) == 3
    assert listed[1:] == ['b.jpg', 'c.jpg']


@pytest.mark.parametrize(
    ('dataset', 'hooks', 'is_added'),
    [
        ({'type': 'CheckedCocoDataset', 'unreadable': 'skip'}, [], True),
        ({'type': 'RepeatDataset', 'dataset': {'unreadable': 'skip'}}, [], True),
        ({'unreadable': 'skip'}, [{'type': 'SkippedImagesHook'}], False),
        ({'unreadable': 'stop'}, [], False),
        ({}, [], False),
    ],
)
def test_a_training_that_may_skip_gets_the_hook(
    dataset: dict, hooks: list, is_added: bool
) -> None:
    cfg = Config({'train_dataloader': {'dataset': dataset}, 'custom_hooks': hooks})

    assert _skips_images(cfg) is is_added
