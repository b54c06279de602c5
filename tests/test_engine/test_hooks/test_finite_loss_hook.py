import copy
import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.engine.hooks import CheckInvalidLossHook
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from m2det_mmdet.engine import FiniteLossHook
from m2det_mmdet.engine.hooks.finite_loss_hook import DivergenceError, watch_losses


class _BadGradient(torch.autograd.Function):
    """Is the identity, with a gradient of NaN where an input is 100."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, inputs: Tensor) -> Tensor:
        ctx.is_bad = bool((inputs == 100).any())
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return (grad * math.nan if ctx.is_bad else grad), None


class _Model(BaseModel):
    """Has a norm's statistics, and two losses, of which one is that of the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor, mode: str, **_: Any) -> dict[str, Tensor]:
        weight = _BadGradient.apply(self.weight, inputs)
        self.norm(inputs)
        return {'loss_cls': (inputs * weight).mean(), 'loss_box': self.weight.sum()}


class _States(Hook):
    """Keeps the state after each iteration, behind all other hooks."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.states: list[dict[str, Any]] = []

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        state = {
            'model': runner.model.state_dict(),
            'optimizer': runner.optim_wrapper.state_dict(),
            'means': [
                hook.ema_model.state_dict()
                for hook in runner.hooks
                if isinstance(hook, EMAHook)
            ],
        }
        self.states.append(copy.deepcopy(state))


def _collate(items: Sequence[tuple[float, int]]) -> dict[str, Any]:
    samples = [
        BaseDataElement(metainfo={'img_id': number, 'img_path': f'{number}.jpg'})
        for _, number in items
    ]
    return {'inputs': torch.tensor([[x] for x, _ in items]), 'data_samples': samples}


def _runner(
    work_dir: Path, values: Sequence[float], hooks: Sequence[Any], **changes: Any
) -> Runner:
    """Train on batches of two; values of NaN and of 100 make a bad one."""
    wrapper = {'optimizer': {'type': 'SGD', 'lr': 0.1, 'momentum': 0.9}}
    return Runner(
        model=_Model(),
        work_dir=str(work_dir),
        train_dataloader={
            'dataset': [(x, number) for number, x in enumerate(values)],
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'collate_fn': _collate,
            'batch_size': 2,
        },
        train_cfg={'by_epoch': True, 'max_epochs': 1},
        optim_wrapper={**wrapper, **changes.pop('wrapper', {})},
        custom_hooks=list(hooks),
        default_scope='mmengine',
        experiment_name=f'finite_{work_dir.name}',
        **changes,
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[x], other[x]) for x in one)
    if isinstance(one, list):
        return all(map(_same, one, other))
    return one == other


@pytest.mark.parametrize('bad', [math.nan, math.inf, 100.0])
def test_a_step_that_is_not_finite_changes_nothing(bad: float, tmp_path: Path) -> None:
    values, states = [1.0, 2.0, 3.0, 4.0, bad, 5.0, 6.0, 7.0], _States()
    means = {'type': 'EMAHook', 'update_buffers': True}
    runner = _runner(tmp_path, values, [FiniteLossHook(), means, states])
    good = _States()
    without = _runner(tmp_path / 'good', [*values[:4], *values[6:]], [means, good])
    without.model.load_state_dict(runner.model.state_dict())

    runner.train()
    without.train()

    assert len(states.states) == 4
    assert _same(states.states[2], states.states[1])
    assert not _same(states.states[3], states.states[2])
    # As if the batch had never been.
    assert _same(states.states[3], good.states[2])
    hub = runner.message_hub
    assert (hub.get_info('skipped_steps'), hub.get_info('skipped_in_a_row')) == (1, 0)


@pytest.mark.parametrize(
    ('bad', 'what'),
    [
        ((math.nan, 5.0), 'loss_cls is nan, and'),
        ((5.0, 100.0), 'the gradient of weight is not finite, and'),
        # Their mean is 0, and their variance infinite.
        ((3e38, -3e38), 'norm.running_var is not finite, and'),
    ],
)
def test_what_was_not_finite_and_its_images_are_logged(
    bad: tuple[float, float], what: str, tmp_path: Path
) -> None:
    runner = _runner(tmp_path, [1.0, 2.0, *bad, 3.0, 4.0], [FiniteLossHook()])

    runner.train()

    log = next(tmp_path.glob('*/*.log')).read_text()
    assert (
        f'Iteration 2: {what} its step is left out (1 of this training so far). '
        'Its images: 2.jpg (id 2), 3.jpg (id 3).'
    ) in log
    assert log.count('is left out') == 1


def test_losses_of_a_step_left_out_are_in_no_mean(tmp_path: Path) -> None:
    runner = _runner(tmp_path, [1.0, 1.0, math.nan, 1.0, 1.0, 1.0], [FiniteLossHook()])

    runner.train()

    losses = runner.message_hub.get_scalar('train/loss')
    assert len(losses.data[0]) == 2
    assert math.isfinite(losses.mean(50))


def test_a_whole_step_of_accumulated_gradients_is_left_out(tmp_path: Path) -> None:
    # Steps of two batches; the first batch of the second step is bad.
    bad, good = [math.nan, 5.0, 6.0, 7.0], [1.0, 2.0, 3.0, 4.0]
    wrapper, states = {'accumulative_counts': 2}, _States()
    hooks = [FiniteLossHook(), {'type': 'EMAHook', 'update_buffers': True}, states]
    runner = _runner(tmp_path, [*good, *bad, *good], hooks, wrapper=wrapper)
    other = _States()
    without = _runner(tmp_path / 'good', [*good, *good], [other], wrapper=wrapper)
    without.model.load_state_dict(runner.model.state_dict())

    runner.train()
    without.train()

    for key in ('model', 'optimizer'):
        assert _same(states.states[3][key], states.states[1][key])
        assert _same(states.states[5][key], other.states[3][key])
    assert all(torch.isfinite(x).all() for x in states.states[5]['means'][0].values())
    assert runner.message_hub.get_info('skipped_steps') == 1
    log = next(tmp_path.glob('*/*.log')).read_text()
    # The other batch of the step is not to blame.
    assert log.count('Its images: 4.jpg (id 4), 5.jpg (id 5).') == 1
    assert log.count('is left out') == 1


class _Scaler(OptimWrapper):
    """Leaves steps of overflow out, as mixed precision does."""

    loss_scaler = object()

    def __init__(self, static: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._scale_update_param = 1.0 if static else None
        self.asked = 0

    def step(self, **kwargs: Any) -> None:
        self.asked += 1
        gradients = [x.grad for x in self.optimizer.param_groups[0]['params']]
        if all(x is None or x.isfinite().all() for x in gradients):
            super().step(**kwargs)


@pytest.mark.parametrize(
    ('bad', 'static', 'asked', 'skipped'),
    [
        # An overflow of gradients is the scaler's, where it lowers its scale then.
        (100.0, False, 3, 0),
        (100.0, True, 2, 1),
        (math.nan, False, 2, 1),
    ],
)
def test_overflow_of_mixed_precision_does_not_count(
    bad: float, static: bool, asked: int, skipped: int, tmp_path: Path
) -> None:
    OPTIM_WRAPPERS.register_module(name='Scaler', module=_Scaler, force=True)
    values = [1.0, 2.0, bad, 3.0, 4.0, 5.0]
    wrapper = {'type': 'Scaler', 'static': static}
    runner = _runner(tmp_path, values, [FiniteLossHook()], wrapper=wrapper)

    runner.train()

    assert runner.optim_wrapper.asked == asked
    assert runner.message_hub.get_info('skipped_steps', 0) == skipped


def test_many_in_a_row_end_the_training_with_the_last_good_checkpoint(
    tmp_path: Path,
) -> None:
    values = [1.0] * 6 + [math.nan] * 18
    each = {'checkpoint': {'type': 'CheckpointHook', 'interval': 1, 'by_epoch': False}}
    hook = FiniteLossHook(max_in_a_row=3)
    runner = _runner(tmp_path, values, [hook], default_hooks=each)

    with pytest.raises(FloatingPointError) as caught:
        runner.train()

    # The third step led to the weights of the fourth batch: who knows what they are.
    assert str(caught.value) == (
        'The training has diverged: loss_cls is nan after 6 iterations, and the last '
        '3 steps could not be taken; lower the learning rate '
        '(optim_wrapper.optimizer.lr), or clip the gradient '
        '(optim_wrapper.clip_grad=dict(max_norm=35)); the last good checkpoint is '
        f'{tmp_path / "iter_2.pth"}.'
    )
    assert runner.message_hub.get_info('skipped_in_a_row') == 3


@pytest.mark.parametrize(
    ('bad', 'stops'), [([math.nan, 1.0], True), ([1.0, 1.0], False)]
)
def test_a_training_does_not_end_well_with_a_step_left_out(
    bad: list[float], stops: bool, tmp_path: Path
) -> None:
    values = [1.0, 1.0, math.nan, 1.0, 1.0, 1.0, *bad]
    runner = _runner(tmp_path, values, [FiniteLossHook()])
    expected = r'nan after 4 iterations, and the last step .* no checkpoint from before'

    with pytest.raises(DivergenceError, match=expected) if stops else nullcontext():
        runner.train()

    assert runner.message_hub.get_info('skipped_steps') == 1 + stops


def test_counts_are_in_checkpoints_and_go_on(tmp_path: Path) -> None:
    values = [1.0, 1.0, math.nan, 1.0, 1.0, 1.0]
    _runner(tmp_path, values, [FiniteLossHook()]).train()
    checkpoint = str(tmp_path / 'epoch_1.pth')
    again = _runner(
        tmp_path, values, [FiniteLossHook()], load_from=checkpoint, resume=True
    )
    again.train_loop._max_epochs = 2

    again.train()

    assert again.epoch == 2
    assert again.message_hub.get_info('skipped_steps') == 2


def test_the_optimizer_is_given_back_as_it_was(tmp_path: Path) -> None:
    runner = _runner(tmp_path, [1.0, 1.0], [FiniteLossHook()])
    before: list[dict[str, Any]] = []
    build = runner.build_optim_wrapper

    def built(*args: Any) -> OptimWrapper:
        wrapper = build(*args)
        before.append(dict(vars(wrapper)))
        return wrapper

    runner.build_optim_wrapper = built
    runner.train()

    assert not {'step', 'update_params'} & {*vars(runner.optim_wrapper)}
    assert before[0].keys() == vars(runner.optim_wrapper).keys()


@pytest.mark.parametrize('value', [0, -1, 2.5, True, '3'])
def test_a_number_of_steps_that_cannot_be_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match='max_in_a_row must be a positive integer'):
        FiniteLossHook(value)


@pytest.mark.parametrize('own', [[], [FiniteLossHook(max_in_a_row=7)]])
def test_a_training_without_the_hook_gets_it(own: list, tmp_path: Path) -> None:
    runner = _runner(tmp_path, [1.0, 1.0], [*own, CheckInvalidLossHook()])

    watch_losses(runner)

    hooks = [hook for hook in runner.hooks if isinstance(hook, FiniteLossHook)]
    assert [hook.max_in_a_row for hook in hooks] == ([7] if own else [10])
    assert not any(isinstance(hook, CheckInvalidLossHook) for hook in runner.hooks)
