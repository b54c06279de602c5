import copy
import inspect
import pickle
from collections.abc import Callable

import pytest
from mmdet.registry import MODELS, TASK_UTILS, TRANSFORMS

from m2det_mmdet.models.necks import BiFPN
from m2det_mmdet.models.utils.defaults import FrozenConfig

CONFIG = {'type': 'Xavier', 'layer': ['Conv2d']}


@pytest.mark.parametrize(
    'change',
    [
        lambda config: config.update(bias=0),
        lambda config: config.setdefault('bias', 0),
        lambda config: config.pop('type'),
        lambda config: config.popitem(),
        lambda config: config.clear(),
        lambda config: config.__setitem__('type', 'Normal'),
        lambda config: config.__delitem__('type'),
        lambda config: config.__ior__({'bias': 0}),
    ],
)
def test_a_frozen_config_cannot_be_changed(change: Callable) -> None:
    config = FrozenConfig(CONFIG)
    with pytest.raises(TypeError, match=r"'layer': \['Conv2d'\].* is a default"):
        change(config)
    assert config == CONFIG


@pytest.mark.parametrize(
    'duplicate',
    [
        dict,
        dict.copy,
        copy.copy,
        copy.deepcopy,
        lambda x: pickle.loads(pickle.dumps(x)),
    ],
)
def test_a_copy_is_an_ordinary_dict(duplicate: Callable) -> None:
    duplicated = duplicate(FrozenConfig(CONFIG))

    assert type(duplicated) is dict
    assert duplicated == CONFIG


def test_a_deep_copy_shares_no_list() -> None:
    config = FrozenConfig(CONFIG)
    copy.deepcopy(config)['layer'].append('Linear')

    assert config == CONFIG


def test_a_module_cannot_change_the_default_of_the_next_one() -> None:
    conv = BiFPN((3,), out_channels=2, num_outs=2).laterals[0]
    with pytest.raises(TypeError, match='is a default'):
        conv.norm_cfg['eps'] = 0.1


def test_no_registered_class_has_a_default_that_can_be_changed() -> None:
    ours = [
        kind
        for registry in (MODELS, TASK_UTILS, TRANSFORMS)
        for kind in registry.module_dict.values()
        if kind.__module__.startswith('m2det_mmdet')
    ]
    changeable = [
        f'{kind.__name__}.{name}'
        for kind in ours
        for name, parameter in inspect.signature(kind).parameters.items()
        if isinstance(parameter.default, (dict, list, set))
        and not isinstance(parameter.default, FrozenConfig)
    ]

    assert len(ours) > 10
    assert changeable == []
