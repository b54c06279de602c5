from mmengine.config import Config
from torch.optim import SGD

from m2det_mmdet.utils.pipelines import (
    kind_of,
    nested,
    resize_of,
    scale_of,
    transforms_of,
    without_step,
    wrapped_in,
)

RESIZE = {'type': 'mmdet.Resize', 'scale': (64, 32)}
INNER = {'type': 'CocoDataset', 'pipeline': [{'type': 'Load'}, RESIZE]}
WRAPPER = {'type': 'RepeatDataset', 'times': 2, 'dataset': INNER}


def test_a_type_has_its_name_by_text_and_by_class() -> None:
    assert kind_of({'type': 'mmdet.Resize'}) == 'Resize'
    assert kind_of({'type': SGD}) == 'SGD'
    assert kind_of({}) == ''


def test_transforms_within_wrappers_and_others_are_found() -> None:
    choice = {'type': 'RandomChoice', 'transforms': [[{'type': 'A'}], [{'type': 'B'}]]}
    train = {'type': 'ConcatDataset', 'datasets': [{'pipeline': [choice]}, WRAPPER]}
    later = {'type': 'PipelineSwitchHook', 'switch_pipeline': [{'type': 'C'}]}
    cfg = Config(
        {
            'train_dataloader': {'dataset': train},
            'val_dataloader': None,
            'custom_hooks': [{'type': 'EMAHook'}, later],
        }
    )

    kinds = [kind_of(step) for step in transforms_of(cfg)]
    assert kinds == ['RandomChoice', 'A', 'B', 'Load', 'Resize', 'C']
    assert wrapped_in(WRAPPER) == [INNER]
    assert wrapped_in(INNER) == []
    assert [*nested([{'a': {'b': 1}}])] == [{'a': {'b': 1}}, {'b': 1}]


def test_the_size_of_test_images_is_that_of_their_resize() -> None:
    cfg = Config({'test_dataloader': {'dataset': WRAPPER}})

    assert scale_of(resize_of(cfg)) == (64, 32)
    assert scale_of({'scale': 48}) == (48, 48)
    assert resize_of(Config({})) is None


def test_a_step_is_taken_out_of_all_pipelines() -> None:
    steps = [{'type': 'Load'}, {'type': 'LoadAnnotations', 'with_mask': True}]
    inner = {'type': 'CocoDataset', 'pipeline': list(steps)}
    dataset = {'type': 'ConcatDataset', 'datasets': [inner, {'pipeline': []}]}

    without_step(dataset, 'LoadAnnotations')

    assert inner['pipeline'] == steps[:1]
