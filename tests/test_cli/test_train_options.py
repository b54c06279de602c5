"""Options that train in less memory or time: each for two iterations."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.optim.optimizer import amp_optimizer_wrapper

from m2det_mmdet.apis import training, training_settings
from m2det_mmdet.cli import main
from m2det_mmdet.utils.errors import M2DetError


def _train(config: str, work_dir: Path, *argv: str) -> dict:
    """Train and return the checkpoint."""
    assert main(['train', config, '--work-dir', str(work_dir), *argv]) == 0
    checkpoint = torch.load(work_dir / 'epoch_1.pth', weights_only=False)
    assert checkpoint['meta']['iter'] == 2
    assert all(value.isfinite().all() for value in checkpoint['state_dict'].values())
    return checkpoint


@pytest.mark.slow
def test_recomputing_and_a_fused_step_change_no_weights(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    seed = ['randomness.seed=1']
    recompute = ['model.neck.with_cp=True', 'model.backbone.with_cp=True']
    fused = ['optim_wrapper.optimizer.fused=True']
    learned = []
    for name, options in (('plain', []), ('with_cp', recompute), ('fused', fused)):
        argv = ('--cfg-options', *seed, *options)
        weights = _train(trained.config, tmp_path / name, *argv)['state_dict']
        # Batch norm sees what is recomputed twice.
        learned.append({k: v for k, v in weights.items() if 'running' not in k})

    plain, with_cp, fused_weights = learned
    for name, value in plain.items():
        if not name.endswith('num_batches_tracked'):
            torch.testing.assert_close(with_cp[name], value, msg=name)
            torch.testing.assert_close(fused_weights[name], value, msg=name)


@pytest.mark.parametrize(
    ('argv', 'dtype', 'scale'),
    [
        (['--amp'], None, 'dynamic'),
        (['--amp-dtype', 'float16'], 'float16', 'dynamic'),
        (['--amp', '--amp-dtype', 'bfloat16'], 'bfloat16', 1.0),
    ],
)
def test_mixed_precision_is_set_as_asked_for(
    argv: list[str],
    dtype: str | None,
    scale: str | float,
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configs = []

    def stop(cfg: Config, **_: object) -> None:
        configs.append(cfg)
        raise M2DetError('Stopped.')

    told = []
    monkeypatch.setattr(
        training_settings, 'warn_if_slow', lambda *what: told.append(what)
    )
    monkeypatch.setattr(training_settings, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(training, 'build_runner', stop)

    argv = [*argv, '--work-dir', str(tmp_path)]
    assert main(['train', trained.config, *argv]) == 2
    lower = dtype or 'float16'
    assert told == [(torch.device('cuda'), lower, 'mixed precision')]
    wrapper = configs[0].optim_wrapper
    assert wrapper.type == 'AmpOptimWrapper'
    assert wrapper.get('dtype') == dtype
    assert wrapper.loss_scale == scale


@pytest.mark.skipif(torch.cuda.is_available(), reason='leads a CPU to pass for a GPU')
@pytest.mark.filterwarnings('ignore:.*GradScaler')
def test_bfloat16_trains(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_settings, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(training_settings, 'warn_if_slow', lambda *what: None)
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    dtypes = set()
    forward = torch.nn.Conv2d.forward

    def spy(self: torch.nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        y = forward(self, x)
        if self.training:
            dtypes.add(y.dtype)
        return y

    monkeypatch.setattr(torch.nn.Conv2d, 'forward', spy)

    checkpoint = _train(trained.config, tmp_path, '--amp-dtype', 'bfloat16')

    assert dtypes == {torch.bfloat16}
    weights = checkpoint['state_dict'].values()
    assert torch.bfloat16 not in {value.dtype for value in weights}
    full = Config.fromfile(tmp_path / 'small_full.py')
    assert full.optim_wrapper.dtype == 'bfloat16'


def test_mixed_precision_needs_a_gpu(
    trained: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(training_settings, 'get_device', lambda: 'cpu')

    assert main(['train', trained.config, '--amp']) == 2
    assert 'amp trains on a GPU, and the best device here is cpu' in (
        capsys.readouterr().err
    )


def test_an_unknown_precision_names_the_known(
    trained: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    assert main(['train', trained.config, '--amp-dtype', 'int8']) == 2
    assert "choose from 'float16', 'bfloat16'" in capsys.readouterr().err


def test_a_training_without_a_batch_does_not_start(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    options = ['train_dataloader.batch_size=9', 'train_dataloader.drop_last=True']
    argv = ['train', trained.config, '--work-dir', str(tmp_path / 'work')]

    assert main([*argv, '--cfg-options', *options]) == 2

    assert (
        'The 4 images that each process trains on make no batch of 9: set train_'
        in (capsys.readouterr().err)
    )
    assert not (tmp_path / 'work').exists()


def test_a_launcher_that_did_not_start_the_process_is_named(
    trained: SimpleNamespace,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv('RANK', raising=False)

    assert main(['train', trained.config, '--launcher', 'pytorch']) == 2

    assert 'torchrun --nproc-per-node' in capsys.readouterr().err


def test_swapped_arguments_are_told(
    trained: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    assert main(['test', trained.checkpoint, trained.config]) == 2
    error = capsys.readouterr().err
    assert 'epoch_1.pth is a checkpoint, and ' in error
    assert 'small.py a config: the config comes first.' in error
    assert main(['test', trained.config, str(trained.work_dir)]) == 2
    assert 'is a folder: name a checkpoint (.pth) in it' in capsys.readouterr().err
