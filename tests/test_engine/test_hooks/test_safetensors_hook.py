from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from m2det_mmdet.apis import predict, train
from m2det_mmdet.checkpoints.loading import load_with_config
from m2det_mmdet.engine.hooks import SafetensorsHook


def _checkpoint(path: Path, value: float) -> str:
    meta = {'dataset_meta': {'classes': ('a',)}, 'cfg': 'model = dict()'}
    weights = {'module.w': torch.tensor([value])}
    torch.save({'meta': meta, 'state_dict': weights, 'optimizer': {}}, path)
    return str(path)


@pytest.fixture
def runner(tmp_path: Path) -> SimpleNamespace:
    hub = MessageHub(f'safetensors {tmp_path}')
    hub.update_info('last_ckpt', _checkpoint(tmp_path / 'epoch_2.pth', 2.0))
    return SimpleNamespace(message_hub=hub, work_dir=str(tmp_path), rank=0)


def test_the_best_checkpoint_comes_first(
    runner: SimpleNamespace, tmp_path: Path
) -> None:
    SafetensorsHook().after_train(runner)
    loaded, config = load_with_config(str(tmp_path / 'last.safetensors'), 'cpu')
    assert loaded['state_dict'] == {'w': torch.tensor([2.0])}
    assert loaded['meta'] == {'dataset_meta': {'classes': ['a']}}
    assert config == 'model = dict()'
    assert not (tmp_path / 'best.safetensors').exists()

    best = _checkpoint(tmp_path / 'best_1.pth', 1.0)
    runner.message_hub.update_info('best_ckpt', best)
    SafetensorsHook().after_train(runner)
    loaded, _ = load_with_config(str(tmp_path / 'best.safetensors'), 'cpu')
    assert loaded['state_dict'] == {'w': torch.tensor([1.0])}


def test_of_several_processes_one_writes(
    runner: SimpleNamespace, tmp_path: Path
) -> None:
    runner.rank = 1
    SafetensorsHook().after_train(runner)

    assert not [*tmp_path.glob('*.safetensors')]


def test_a_training_leaves_a_file_that_predicts_alone(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    result = train(
        trained.config, work_dir=tmp_path / 'run', form='safetensors', report=False
    )
    images = str(trained.scenes / 'val')
    both = [
        predict(model, images, out=tmp_path / name)
        for name, model in (('a', result.weights), ('b', tmp_path / 'run'))
    ]

    assert result.weights == tmp_path / 'run' / 'best.safetensors'
    boxes = [Path(x.out, 'results.json').read_bytes() for x in both]
    assert boxes[0] == boxes[1]
    assert b'bbox' in boxes[0]
