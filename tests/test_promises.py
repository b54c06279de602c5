"""Names that users rely on: they stay when files move."""

import argparse
import sys
from importlib import import_module

import mmcv.ops
import mmdet.registry
import pytest

from m2det_mmdet import apis
from m2det_mmdet.cli import COMMANDS

REGISTERED = {
    'DATASETS': 'CheckedCocoDataset',
    'HOOKS': 'AccelerationHook ChannelsLastHook ClassCheckHook FiniteLossHook '
    'FreezeHook MirrorVisualizationHook PlainNamesHook PyramidCheckHook '
    'ResultsTableHook SafetensorsHook SkippedImagesHook TimeBudgetHook '
    'TrainingCostHook WeightsCheckHook',
    'LOOPS': 'TimeBudgetTrainLoop',
    'METRICS': 'GradedCocoMetric InclusiveCocoMetric',
    'MODELS': 'ARMHead AllLevelRoIExtractor AugFPN AugFPNSingleStageDetector '
    'AugFPNTwoStageDetector BiFPN ConsistentSupervision DSSDNeck FusedRoIExtractor '
    'M2Det M2DetHead M2DetTTAModel MLFPN ODMHead PANetBBoxHead PANetMaskHead '
    'RefineDet RefineDetResNet RefineDetVGG SoftRoIExtractor TCB',
    'PARAM_SCHEDULERS': 'WarmupStepLR',
    'TASK_UTILS': 'M2DetAnchorGenerator RefineDetAnchorGenerator SSDBBoxCoder',
    'TRANSFORMS': 'LoadDeepImageFromFile SSDPhotometricDistortion',
}
JOBS = '--engine --jobs --ray-address --job-cpus'
NETWORK = '--fast --compile --autocast'
RUNNER = 'config --cfg-options --work-dir --launcher --local_rank --local-rank'
ARGUMENTS = {
    'train': f'{RUNNER} --data --name --check-images --from --epochs --batch-size '
    '--image-size --seed --patience --freeze --logger --device --amp --amp-dtype '
    '--auto-scale-lr --resume --force --no-report --format --deterministic '
    '--unreadable --allow-outside',
    'test': f'{RUNNER} checkpoint --data --split --allow-outside --out --show '
    f'--show-dir --wait-time --tta {NETWORK}',
    'predict': 'model inputs -o --out --score-thr --classes --format --ann-file --tile '
    f'--tile-overlap --cfg-options --device --batch-size {NETWORK} --force --resume '
    f'{JOBS}',
    'check': 'data config --images --allow-outside --seed -o --out --force',
    'config': 'config --cfg-options -o --out --force',
    'scenes': 'out --num-train --num-val --num-test --size --seed --collection --force',
    'draw': 'annotations results images -o --out --num-images --score-thr --force',
    'table': 'family --out --force',
    'compare': 'configs --data --out --epochs --minutes --seeds --batch-size --workers '
    f'--cfg-options --allow-outside --format --force {JOBS}',
    'bench': 'config --cfg-options --checkpoint --image-dir --images --warm-up '
    f'--batch-sizes --device {NETWORK} --out --force',
    'zoo': 'name',
    'report': 'model checkpoint --data --split --allow-outside -o --out --force '
    '--cfg-options --device',
    'doctor': '--json --timeout',
    'webui': 'models --host --port --max-size --score-thr --no-browser --device',
    'anchors': 'config --data -o --write --picture --seed --force',
    'convert': 'input config --cfg-options out --to-release --force --format',
}
FUNCTIONS = (
    'benchmark check_data compare convert diagnose draw evaluate fit_anchors flatten '
    'list_weights predict report show_weights tabulate train write_scenes'
)


@pytest.mark.parametrize('registry', REGISTERED)
def test_registries_have_our_names(registry: str) -> None:
    known = getattr(mmdet.registry, registry).module_dict

    ours = {
        name
        for name, module in known.items()
        if module.__module__.startswith('m2det_mmdet.')
    }
    assert set(REGISTERED[registry].split()) <= ours


@pytest.mark.parametrize('command', ARGUMENTS)
def test_commands_have_their_arguments(command: str) -> None:
    parser = argparse.ArgumentParser()
    import_module(f'm2det_mmdet.cli.{command}').add_arguments(parser)

    names = {x for a in parser._actions for x in a.option_strings or [a.dest]}
    assert command in COMMANDS
    assert set(ARGUMENTS[command].split()) <= names


def test_programs_have_their_functions() -> None:
    assert set(FUNCTIONS.split()) <= set(apis.__all__)
    assert all(callable(getattr(apis, name)) for name in FUNCTIONS.split())


def test_the_old_name_of_the_fast_nms_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a process that has not imported it.
    for package in ('m2det_mmdet.ops', 'm2det_mmdet.compat'):
        monkeypatch.delitem(sys.modules, f'{package}.fast_nms', raising=False)
        monkeypatch.delattr(sys.modules[package], 'fast_nms', raising=False)
    nms = import_module('mmcv.ops.nms')
    # What the import replaces comes back after the test.
    monkeypatch.setattr(nms, 'soft_nms', nms.soft_nms)
    monkeypatch.setattr(mmcv.ops, 'soft_nms', None)

    import_module('m2det_mmdet.ops.fast_nms')

    assert mmcv.ops.soft_nms.__module__ == 'm2det_mmdet.compat.fast_nms'
    assert nms.soft_nms is mmcv.ops.soft_nms
