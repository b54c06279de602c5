"""A detector that was trained with auxiliary heads needs none of them later."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from m2det_mmdet import Detector, apis
from m2det_mmdet.analysis.complexity import measure
from m2det_mmdet.utils.configs import load_config

OPTIONS = {'model.aux_levels': [0]}


@pytest.fixture(scope='module')
def run(trained: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a training with an auxiliary head."""
    folder = tmp_path_factory.mktemp('auxiliary') / 'run'
    apis.train(trained.config, work_dir=folder, options=OPTIONS)
    return folder


def test_checkpoints_are_used_with_and_without_their_heads(
    run: Path, trained: SimpleNamespace, tmp_path: Path
) -> None:
    whole = run / 'epoch_1.pth'
    content = torch.load(whole, weights_only=False)
    names = [name for name in content['state_dict'] if name.startswith('aux_heads.')]
    for name in names:
        del content['state_dict'][name]
    bare = tmp_path / 'bare.pth'
    torch.save(content, bare)
    image = next((trained.scenes / 'val').glob('*.jpg'))

    assert names
    found, tested = [], []
    for number, file in enumerate((whole, bare)):
        detector = Detector(file, device='cpu', fast=bool(number))
        parts = dict(detector.inferencer.model.named_modules())
        assert not any(name.startswith('aux_heads.') for name in parts)
        found.append(detector(image))
        work_dir = tmp_path / str(number)
        tested.append(apis.evaluate(file, device='cpu', work_dir=work_dir).ap)
    assert len(found[0]) == len(found[1])
    assert found[0].scores == pytest.approx(found[1].scores, abs=1e-5)
    assert tested[0] == tested[1]


def test_their_parameters_do_not_count(trained: SimpleNamespace) -> None:
    with_heads, without = (load_config(trained.config, x) for x in (OPTIONS, {}))

    assert measure(with_heads) == measure(without)


@pytest.mark.slow
def test_an_exported_file_has_no_such_heads(run: Path, tmp_path: Path) -> None:
    file = apis.export(run, out=tmp_path / 'found.pt2', nms='none').path

    program = torch.export.load(file)
    assert not any('aux_heads' in name for name in program.state_dict)
