from pathlib import Path

from mmengine.config import Config

from m2det_mmdet.comparison.settings import differences, settings_of


def test_differences_name_keys_and_both_values(tmp_path: Path) -> None:
    ann_file = tmp_path / 'train.json'
    ann_file.write_text('old')
    train = {'train_cfg': {'max_epochs': 2}, 'steps': (1, 2), 'gone': 1}
    old = settings_of(Config(train), {'train': [str(ann_file)]})
    ann_file.write_text('new')
    train = {'train_cfg': {'max_epochs': 3}, 'steps': (1, 2, 3)}

    new = settings_of(Config(train), {'train': [str(ann_file)]})

    annotations, *others = differences(old, new)
    assert annotations == 'the annotations to train on have another content'
    assert others == [
        'gone: 1, now absent',
        'steps.2: absent, now 3',
        'train_cfg.max_epochs: 2, now 3',
    ]


def test_workers_do_not_change_a_result() -> None:
    few, many = (
        settings_of(Config({'train_dataloader': {'num_workers': count}}), {})
        for count in (0, 4)
    )

    assert differences(few, many) == []


def test_annotations_count_by_their_content_and_not_by_their_path(
    tmp_path: Path,
) -> None:
    found = []
    for name in ('here', 'there'):
        ann_file = tmp_path / f'{name}.json'
        ann_file.write_text('the same')
        cfg = Config({'dataset': {'ann_file': str(ann_file), 'others': ['x']}})
        found.append(settings_of(cfg, {'test': [str(ann_file)]}))

    assert differences(*found) == []
    assert found[0]['config']['dataset']['others'] == ['x']
