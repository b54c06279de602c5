from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import PretrainedInit

from m2det_mmdet.apis import M2DetError, train
from m2det_mmdet.checkpoints import sources
from m2det_mmdet.checkpoints.pretrained import (
    Pretrained,
    fetch_pretrained,
    pretrained_of,
    without_covered,
)

PRETRAINED = {'type': 'Pretrained', 'checkpoint': 'torchvision://resnet18'}
URL = 'https://download.pytorch.org/models/resnet18-f37072fd.pth'
# A port that nothing listens to.
NOWHERE = 'http://127.0.0.1:9/net.pth'


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    return tmp_path / 'hub' / 'checkpoints'


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({'backbone': {'init_cfg': PRETRAINED}}, ('backbone.init_cfg', None)),
        (
            {'neck': [{}, {'inner': {'init_cfg': [{'type': 'Normal'}, PRETRAINED]}}]},
            ('neck.1.inner.init_cfg', None),
        ),
        (
            {'init_cfg': {'type': PretrainedInit, 'checkpoint': 'x.pth'}},
            ('init_cfg', 'x.pth'),
        ),
        ({'pretrained': 'torchvision://resnet18'}, ('pretrained', None)),
        ({'teacher_ckpt': 'https://x/y.pth'}, ('teacher_ckpt', 'https://x/y.pth')),
    ],
)
def test_every_way_of_naming_weights_is_found(
    settings: dict, expected: tuple[str, str | None]
) -> None:
    place, checkpoint = expected

    found = list(pretrained_of(settings))
    assert found == [Pretrained(place, checkpoint or 'torchvision://resnet18')]


def test_what_names_no_file_is_left_alone() -> None:
    settings = {
        'backbone': {'type': 'TIMMBackbone', 'pretrained': True, 'init_cfg': None},
        'text': {'pretrained': 'bert-base-uncased'},
        'head': {'init_cfg': {'type': 'Normal', 'std': 0.01}},
    }

    assert list(pretrained_of(settings)) == []


def test_what_a_checkpoint_replaces_is_not_fetched() -> None:
    model = {
        'type': 'M2Det',
        'backbone': {'init_cfg': PRETRAINED},
        'neck': {'init_cfg': PRETRAINED},
        'bbox_head': {'init_cfg': PRETRAINED},
    }
    expected = {
        'backbone.a': torch.zeros(2),
        'backbone.b': torch.zeros(1),
        'neck.a': torch.zeros(1),
        'bbox_head.a': torch.zeros(3),
    }
    # A head of other classes, and a neck that is not there.
    weights = {**expected, 'bbox_head.a': torch.zeros(2)}
    del weights['neck.a']

    kept = without_covered(model, weights, expected)

    assert kept == {
        'type': 'M2Det',
        'backbone': {'init_cfg': None},
        'neck': {'init_cfg': PRETRAINED},
        'bbox_head': {'init_cfg': PRETRAINED},
    }
    assert model['backbone'] == {'init_cfg': PRETRAINED}


def test_what_is_in_the_cache_is_not_downloaded(empty_cache: Path) -> None:
    empty_cache.mkdir(parents=True)
    (empty_cache / 'net.pth').touch()

    fetch_pretrained({'backbone': {'init_cfg': {**PRETRAINED, 'checkpoint': NOWHERE}}})


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        (NOWHERE, rf'{NOWHERE} cannot be downloaded \(.*put it at .*/net\.pth; or '),
        ('x.pth', r'The checkpoint x\.pth does not exist; or '),
        ('torchvision://resnet19', 'There is no model .* did you mean resnet1'),
    ],
)
def test_weights_that_cannot_be_had_end_in_one_sentence(
    name: str, reason: str, trained: SimpleNamespace, tmp_path: Path
) -> None:
    options = {
        'model.backbone.init_cfg': {'type': 'Pretrained', 'checkpoint': name},
        # The data come later.
        'train_dataloader.dataset.data_root': str(tmp_path / 'none'),
    }

    with pytest.raises(M2DetError, match=reason) as info:
        train(trained.config, work_dir=tmp_path / 'work', options=options)

    message = str(info.value)
    assert message.startswith('model.backbone.init_cfg names weights that are not here')
    assert message.endswith(
        'from a checkpoint of the whole model (--from NAME, or load_from in the '
        'config) or from random weights (model.backbone.init_cfg=None).'
    )
    assert '\n' not in message
    assert not (tmp_path / 'work').exists()


def test_with_a_whole_checkpoint_nothing_is_downloaded(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    options = {
        'model.backbone.init_cfg': {'type': 'Pretrained', 'checkpoint': NOWHERE},
        'load_from': trained.checkpoint,
        'train_cfg.val_interval': 9,
    }

    result = train(trained.config, work_dir=tmp_path, options=options)

    assert result.epochs == 1


def test_a_name_of_torchvision_leads_to_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr(sources, 'fetch', lambda url, path, **_: asked.append(url))

    fetch_pretrained({'backbone': {'init_cfg': PRETRAINED}})

    assert asked == [URL]
