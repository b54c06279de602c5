from pathlib import Path

from mmengine.config import Config

from m2det_mmdet.engine.comparison import differences, settings_of


def test_differences_name_keys_and_both_values(tmp_path: Path) -> None:
    ann_file = tmp_path / 'train.json'
    ann_file.write_text('old')
    train = {'train_cfg': {'max_epochs': 2}, 'steps': (1, 2), 'gone': 1}
    old = settings_of(Config(train), [str(ann_file)])
    ann_file.write_text('new')
    train = {'train_cfg': {'max_epochs': 3}, 'steps': (1, 2, 3)}

    new = settings_of(Config(train), [str(ann_file)])

    annotations, *others = differences(old, new)
    assert annotations.startswith(f'annotations.{ann_file}: ')
    assert others == [
        'gone: 1, now absent',
        'steps.2: absent, now 3',
        'train_cfg.max_epochs: 2, now 3',
    ]


def test_workers_do_not_change_a_result() -> None:
    few, many = (
        settings_of(Config({'train_dataloader': {'num_workers': count}}), [])
        for count in (0, 4)
    )

    assert differences(few, many) == []
