"""Configs in checkpoints: those of detectors come back, those that would run do not."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config

from m2det_mmdet.apis.model_source import find_model
from m2det_mmdet.checkpoints.config_text import read_config_text
from m2det_mmdet.checkpoints.embedded_config import embedded_config
from m2det_mmdet.checkpoints.errors import CheckpointError, Refusal
from m2det_mmdet.checkpoints.pretrained import without_pretrained
from m2det_mmdet.utils.configs import load_config

MODEL = "model = dict(type='ATSS', backbone=dict(type='ResNet', depth=18))\n"
DATA = "test_dataloader = dict(dataset=dict(type='CocoDataset', pipeline=[]))\n"
PATH = 'mmdet.models.detectors.atss.ATSS'


def read(text: str) -> Any:
    return read_config_text(f'a = {text}')['a']


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ("'a' 'b'", 'ab'),
        ("r'\\d'", '\\d'),
        ('-1.5e3', -1500.0),
        ('1_000', 1000),
        ('0x10', 16),
        ('(1, )', (1,)),
        ('[None, True, ()]', [None, True, ()]),
        ("{'a.b': 1, 2: [3]}", {'a.b': 1, 2: [3]}),
        ("dict(a=1, type='X')", {'a': 1, 'type': 'X'}),
        ("dict({'a.b': dict(\nc=1)})", {'a.b': {'c': 1}}),
        ("float('inf')", float('inf')),
        ('-inf', -float('inf')),
        ('dict(type=a.b.C)', {'type': 'a.b.C'}),
        ("{'type': C}", {'type': 'C'}),
        ('1 # a comment', 1),
        ("'''a\nb'''", 'a\nb'),
    ],
)
def test_plain_data_is_read(text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    'text',
    [
        "__import__('os').system('true')",
        "dict.fromkeys('ab')",
        "open('/etc/passwd')",
        'print',
        'a.b',
        '[x for x in (1, 2)]',
        'lambda: 1',
        '1 if 1 else 2',
        '1 + 1',
        '10 ** 10',
        'not 1',
        '{1, 2}',
        '{**{}}',
        'dict(**{})',
        'dict([(1, 2)])',
        'dict(a=1)(b=2)',
        "'a'[0]",
        "'a'.b",
        "f'{1}'",
        "b'a'",
        "'%s' % 1",
        '1j',
        '...',
        '--1',
        '*a',
        '(yield)',
        '(b := 1)',
        "float('1')",
        "float(x='inf')",
        'dict(a=b)',
        'dict(type=f())',
        '{(1, 2): 3}',
        '{None: 1}',
        '1\nimport os',
        '1\ndef f(): pass',
        '1\n1',
        '1\nb.c = 2',
        '1\nb += 2',
        '1\nb: int = 2',
        '1; b = 2; del b',
        '`a`',
        '$a',
        '\x00',
        '(',
        ')',
        "'a",
        '9' * 5000,
    ],
)
def test_what_is_no_plain_data_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match='its config|its config is no Python'):
        read(text)


@pytest.mark.parametrize(
    'text',
    [
        '[' * 10**5 + ']' * 10**5,
        'dict(a=' * 10**4 + ')' * 10**4,
        '-' * 10**5 + '1',
        '- ' * 10**5 + '1',
        'dict(type=a' + '.a' * 10**5 + ')',
        'dict' + '()' * 10**5,
        '[1]' + '[0]' * 10**5,
        "f'{" + '(' * 10**4 + '1' + ')' * 10**4 + "}'",
        'not ' * 10**4 + '1',
        '1' + '+1' * 10**4,
        "''" * 10**6,
    ],
    ids=lambda text: text[:8],
)
def test_what_exhausts_a_parser_is_refused_at_once(text: str) -> None:
    begin = time.monotonic()

    with pytest.raises(Refusal):
        read(text)

    assert time.monotonic() - begin < 2


def test_the_line_of_what_is_refused_is_told() -> None:
    with pytest.raises(
        Refusal, match=r"^line 2 of its config holds 'import', which is"
    ):
        read_config_text('a = 1\nimport os\n')
    with pytest.raises(Refusal, match=r"^line 3 of its config holds 'print\(', which"):
        read_config_text('a = 1\n\nb = print(1)\n')
    with pytest.raises(Refusal, match=r"^line 1 of its config holds 'print', which is"):
        read_config_text('a = [print]\n')


@pytest.mark.parametrize(
    'name',
    [
        'm2det_r18_scenes',
        'm2det_vgg_512_release',
        'refinedet_vgg_320',
        'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        'mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py',
        'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
        'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    ],
)
def test_the_config_of_a_detector_comes_back(name: str) -> None:
    cfg = load_config(name)

    found = embedded_config(cfg.pretty_text, 'net.pth')

    assert found.model == without_pretrained(cfg.model)
    assert found.test_dataloader == cfg.test_dataloader
    assert found.default_scope == 'mmdet'
    assert {'default_hooks', 'custom_imports', 'work_dir'}.isdisjoint(found)


def embedded(model: str = MODEL, data: str = DATA, more: str = '') -> Config:
    return embedded_config(model + data + more, 'net.pth')


def test_a_class_gets_its_registered_name() -> None:
    for path in (
        PATH,
        f"'{PATH}'",
        "'mmdet.models.ATSS'",
        "'mmdet.ATSS'",
        "'ATSS'",
    ):
        found = embedded(f'model = dict(type={path})\n')
        assert found.model.type in ('ATSS', 'mmdet.ATSS')


def test_outputs_and_weights_are_left_out() -> None:
    found = embedded(
        "model = dict(type='ATSS', init_cfg=dict(type='Pretrained', checkpoint='x'))\n",
        more="test_evaluator = dict(type='CocoMetric', outfile_prefix='elsewhere/x')\n"
        "val_evaluator = dict(type='SemSegMetric', output_dir='elsewhere/x')\n"
        "work_dir = 'elsewhere/x'\n"
        "custom_imports = dict(imports=['antigravity'])\n"
        "default_hooks = dict(checkpoint=dict(type='os.system'))\n",
    )

    assert found.to_dict() == {
        'model': {'type': 'ATSS', 'init_cfg': None},
        'test_dataloader': {'dataset': {'type': 'CocoDataset', 'pipeline': []}},
        'test_evaluator': {'type': 'CocoMetric'},
        'val_evaluator': {'type': 'SemSegMetric'},
    }


# What to write in the place of a part of the config, and what the sentence names.
HOSTILE = {
    'a command': ("model = dict(type='os.system')\n", DATA, 'model.type'),
    'a command in a network': (
        "model = dict(type='ATSS', backbone=dict(type='os.system', command='x'))\n",
        DATA,
        r"model\.backbone\.type 'os\.system' is no module that is registered",
    ),
    'a module': ("model = dict(type='antigravity')\n", DATA, "type 'antigravity'"),
    'a class of Python': ('model = dict(type=builtins.eval)\n', DATA, 'builtins.eval'),
    'a class of torch': (
        "model = dict(type='ATSS', a=dict(type='torch.hub.load', repo_or_dir='x'))\n",
        DATA,
        'torch.hub.load',
    ),
    'an NMS that is a program': (
        "model = dict(type='ATSS', nms=dict(type=\"__import__('os').system('x')\"))\n",
        DATA,
        r'model\.nms\.type .*is no module',
    ),
    'a package': ("model = dict(type='antigravity.X')\n", DATA, r'antigravity\.X'),
    'a scope': (
        "model = dict(type='ATSS', _scope_='evil')\n",
        DATA,
        "_scope_ 'evil'",
    ),
    'a default scope': (
        f"default_scope = 'evil'\n{MODEL}",
        DATA,
        "default_scope 'evil'",
    ),
    'a default scope that is no text': (
        f'default_scope = dict(a=1)\n{MODEL}',
        DATA,
        'default_scope is no text',
    ),
    'no name': ("model = dict(type=['ATSS'])\n", DATA, r"type \['ATSS'\]"),
    'a number': ('model = dict(type=5)\n', DATA, 'model.type 5'),
    'a hook in the place of a network': (
        "model = dict(type='CheckpointHook')\n",
        DATA,
        "'CheckpointHook' is no module",
    ),
    'an expression of a tracker': (
        "model = dict(type='CameraMotionCompensation', warp_mode='print(1)')\n",
        DATA,
        'CameraMotionCompensation may not come from a checkpoint',
    ),
    'a function to collate': (
        MODEL,
        DATA.replace('dict(dataset', "dict(collate_fn='os.system', dataset"),
        r"test_dataloader\.collate_fn 'os\.system'",
    ),
    'a function to collate by type': (
        MODEL,
        DATA.replace('dict(dataset', "dict(collate_fn=dict(type='os.abort'), dataset"),
        r"collate_fn\.type 'os\.abort'",
    ),
    'a function of workers': (
        MODEL,
        DATA.replace('dict(dataset', "dict(worker_init_fn='os.abort', dataset"),
        r"test_dataloader\.worker_init_fn 'os\.abort'",
    ),
    'a step of the pipeline': (
        MODEL,
        DATA.replace('[]', "[dict(type='subprocess.run', args='x')]"),
        r'pipeline\.0\.type',
    ),
    'a pickle of proposals': (
        MODEL,
        DATA.replace('pipeline', "proposal_file='a/b.pkl', pipeline"),
        'proposal_file is a pickle',
    ),
    'annotations in YAML, whose tags run': (
        MODEL,
        DATA.replace('pipeline', "ann_file='a/b.YAML', pipeline"),
        'ann_file is a YAML file',
    ),
    'a name that is a suffix alone': (
        MODEL,
        DATA.replace('pipeline', "proposal_file='yml', pipeline"),
        'proposal_file is a YAML file',
    ),
    'a key that is code where the config is written': (
        f'{MODEL[:-2]}, a={{"x\': print(1), \'y": 1}})\n',
        DATA,
        r'its model\.a\..* is no plain name',
    ),
    'a key that ends a line': (
        f"{MODEL[:-2]}, a={{'x\\n': 1}})\n",
        DATA,
        'is no plain name',
    ),
    'an address': (
        MODEL,
        DATA.replace('pipeline', "ann_file='http://evil/x.json', pipeline"),
        r"ann_file is an address, 'http://evil/x\.json'",
    ),
    'a data set of pickles': (
        MODEL,
        DATA.replace('CocoDataset', 'RefCocoDataset'),
        'RefCocoDataset may not come from a checkpoint',
    ),
    'a reader of checkpoints of others': (
        "model = dict(type='Detectron2Wrapper')\n",
        DATA,
        'Detectron2Wrapper may not come from a checkpoint',
    ),
    'results anywhere': (
        MODEL,
        f"{DATA}test_evaluator = dict(type='DumpDetResults', out_file_path='x.pkl')\n",
        'DumpDetResults may not come from a checkpoint',
    ),
    'a loop': (MODEL, f"{DATA}test_cfg = dict(type='os.abort')\n", r'test_cfg\.type'),
    'no model': ('', DATA, 'its config has no model'),
    'a model that is a list': ('model = [1]\n', DATA, 'its config has no model'),
    'no data': (MODEL, '', 'its config has no test_dataloader'),
    'a sign that a terminal obeys': (
        "model = dict(type='ATSS', a={'\x1b[2J': 1}, b=dict(type='\x1b[2J'))\n",
        DATA,
        'is no plain name',
    ),
    'such a sign in a type': (
        "model = dict(type='ATSS', b=dict(type='\x1b[2J'))\n",
        DATA,
        'is no module',
    ),
}


@pytest.mark.parametrize('name', HOSTILE)
def test_nothing_runs_of_a_hostile_config(name: str) -> None:
    model, data, message = HOSTILE[name]
    before = {*sys.modules}

    with pytest.raises(CheckpointError, match=message) as info:
        embedded(model, data)

    assert str(info.value).isprintable()
    assert str(info.value).startswith('The config in net.pth was not used: ')
    assert str(info.value).endswith('; give the config that it was trained with, too.')
    assert {*sys.modules} <= before | {'mmcv.ops'}


@pytest.mark.parametrize('place', ['meta', 'hub'])
def test_the_text_of_a_checkpoint_is_not_run(
    place: str, trained: SimpleNamespace, tmp_path: Path
) -> None:
    checkpoint = torch.load(trained.checkpoint, weights_only=False)
    text = checkpoint['meta'].pop('cfg')
    ran = tmp_path / 'ran'
    call = f"__import__('pathlib').Path({str(ran)!r}).touch()"
    texts = checkpoint['message_hub']['runtime_info']
    part, key = (checkpoint['meta'], 'cfg') if place == 'meta' else (texts, 'cfg')
    texts.pop('cfg', None)
    file = tmp_path / 'net.pth'

    part[key] = f'{text}x = {call}\n'
    torch.save(checkpoint, file)
    with pytest.raises(CheckpointError, match='holds .__import__'):
        find_model(file)
    assert not ran.exists()

    part[key] = text
    torch.save(checkpoint, file)
    assert find_model(file).cfg.model.type == 'M2Det'
