"""Time detectors in onnxruntime and OpenVINO, float32 and int8, against PyTorch.

python benchmarks/exported.py [MODEL ...] [--rounds 15] [--json FILE]

A model is a name of the zoo, a run folder or a checkpoint; a config alone gets random
weights. Images are random numbers. Every round calls each variant once, in turn, with
the boxes of all anchors as its result and with the suppression behind them; ratios are
medians over the rounds, so that what else the machine does weighs on all alike.

Random weights give no usual number of candidates for the suppression. Their head is
scaled so that its outputs vary by 1, and the score threshold such that about
`--candidates` remain; weights that were trained keep their threshold.
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from m2det_mmdet.analysis.machine import describe_machine, load_average, versions
from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.apis.inferencer import build_inferencer
from m2det_mmdet.apis.model_source import find_model
from m2det_mmdet.export import onnx_file, openvino_file
from m2det_mmdet.export.graph import RAW, DetectionGraph
from m2det_mmdet.export.plan import Plan, plan_graph
from m2det_mmdet.export.precision.int8_onnx import onnx_to_int8
from m2det_mmdet.export.precision.int8_openvino import openvino_to_int8
from m2det_mmdet.export.programs import INPUT, trace
from m2det_mmdet.models.acceleration import accelerate
from m2det_mmdet.utils.configs import SUFFIXES

ROOT = Path(__file__).resolve().parents[1]
MODELS = [str(ROOT / 'configs/m2det/m2det_vgg_320.py'), 'm2det_r18_scenes']
PACKAGES = ('onnxruntime', 'openvino', 'nncf')
VARIANTS = ('eager', 'compiled', 'ort', 'ort int8', 'openvino', 'openvino int8')
# Seconds in which the threads of the variant before come to rest.
REST = 0.02
# Takes images and gives what nobody looks at.
Call = Callable[[np.ndarray], Any]
# A variant without the suppression, and with it.
Pair = tuple[Call, Call]


def main(argv: list[str] | None = None) -> None:
    """Measure, print a table for each model, and write JSON where asked to."""
    args = _arguments(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    packages = {x: version(x) for x in PACKAGES if find_spec(x)}
    about = {
        'machine': describe_machine(torch.device('cpu')),
        'load': load_average(),
        **versions(),
        **packages,
    }
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    reports = []
    for name in args.models:
        cfg, model, is_trained = load(name, args.checkpoint)
        generator = np.random.default_rng(0)
        plan, candidates = planned(cfg, model, is_trained, args.candidates, generator)
        shape = (args.batch_size, 3, *plan.size)
        images = generator.standard_normal(shape).astype(np.float32)
        pairs = variants(model, plan, images, args.only, args.threads)
        report = {'model': name, 'shape': shape, 'candidates': candidates}
        report['rows'] = measure(pairs, images, args.rounds)
        _print(report)
        reports.append(report)
    if args.json:
        text = json.dumps({'about': about, 'reports': reports}, indent=2)
        args.json.write_text(text + '\n', encoding='utf-8')


def load(name: str, checkpoint: str | None) -> tuple[Config, nn.Module, bool]:
    """Return the config of a model, the model, and whether it was trained."""
    if checkpoint is None and Path(name).suffix in SUFFIXES:
        cfg = Config.fromfile(name)
        torch.manual_seed(0)
        return cfg, build_random(cfg).eval(), False
    source = find_model(name, checkpoint)
    model = build_inferencer(source.cfg, source.checkpoint, 'cpu').model
    return source.cfg, model, True


@torch.no_grad()
def planned(
    cfg: Config,
    model: nn.Module,
    is_trained: bool,
    candidates: int,
    generator: np.random.Generator,
) -> tuple[Plan, int]:
    """Return what the graphs do, and how many scores pass the threshold of an image."""
    plan = plan_graph(cfg, model)
    shape = (1, 3, *plan.size)
    image = torch.from_numpy(generator.standard_normal(shape).astype(np.float32))
    if not is_trained:
        _tame(model, image)
    scores = DetectionGraph(model, None)(image)[1].flatten()
    if not is_trained:
        threshold = float(scores.topk(candidates + 1).values[-1])
        plan = replace(plan, suppression=plan.suppression._replace(score_thr=threshold))
        model.bbox_head.test_cfg.score_thr = threshold
    return plan, int((scores > plan.suppression.score_thr).sum())


def _tame(model: nn.Module, image: Tensor) -> None:
    """Let the outputs of a head with random weights vary by 1."""
    head = model.bbox_head
    outputs = head(model.extract_feat(image))
    for maps, layers in zip(outputs, (head.cls_convs, head.reg_convs), strict=True):
        for values, layer in zip(maps, layers, strict=True):
            convolution = [x for x in layer.modules() if isinstance(x, nn.Conv2d)][-1]
            convolution.weight /= values.std().clamp(min=1e-6)


def variants(
    model: nn.Module,
    plan: Plan,
    images: np.ndarray,
    only: list[str] | None,
    threads: int | None,
) -> dict[str, Pair]:
    """Return what is timed, by its name."""
    folded = accelerate(copy.deepcopy(model), channels_last=False)
    graph = DetectionGraph(folded, plan.suppression, everything=True).eval()
    exported = onnx_file.to_onnx(trace(graph, plan), graph.names)
    calibration = [images[:1]]
    makers: Mapping[str, Callable[[], Pair]] = {
        'eager': lambda: _eager(model),
        'compiled': lambda: _eager(accelerate(copy.deepcopy(model), compile=True)),
        'ort': lambda: _onnx(exported, threads),
        'ort int8': lambda: _onnx(onnx_to_int8(exported, calibration).model, threads),
        'openvino': lambda: _openvino(openvino_file.to_openvino(exported), threads),
        'openvino int8': lambda: _openvino(
            openvino_to_int8(exported, calibration).model, threads
        ),
    }
    names = [x for x in VARIANTS if only is None or x in only or x == 'eager']
    if find_spec('nncf') is None:
        names = [x for x in names if x != 'openvino int8']
    return {name: makers[name]() for name in names}


def _eager(model: nn.Module) -> Pair:
    head = model.bbox_head
    raw = DetectionGraph(model, None)

    def whole(images: np.ndarray) -> Any:
        inputs = torch.from_numpy(images)
        meta = {'img_shape': tuple(inputs.shape[-2:]), 'scale_factor': (1.0, 1.0)}
        outputs = head(model.extract_feat(inputs))
        return head.predict_by_feat(*outputs, batch_img_metas=[meta] * len(inputs))

    return _no_grad(lambda images: raw(torch.from_numpy(images))), _no_grad(whole)


def _no_grad(call: Call) -> Call:
    return torch.no_grad()(call)


def _onnx(model: Any, threads: int | None) -> Pair:
    import onnxruntime
    from onnx.utils import Extractor

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    raw = Extractor(model).extract_model([INPUT], [*RAW])
    sessions = [
        onnxruntime.InferenceSession(
            x.SerializeToString(), options, providers=['CPUExecutionProvider']
        )
        for x in (raw, onnx_file.without_outputs(model, RAW))
    ]
    first, second = (
        lambda images, session=session: session.run(None, {INPUT: images})
        for session in sessions
    )
    return first, second


def _openvino(model: Any, threads: int | None) -> Pair:
    import openvino

    settings = {'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY'}
    if threads:
        settings['INFERENCE_NUM_THREADS'] = threads
    outputs = [x for x in model.outputs if x.get_names() & {*RAW}]
    raw = openvino.Model(outputs, model.get_parameters())
    final = openvino_file.without_outputs(model, RAW)
    compiled = [openvino.Core().compile_model(x, 'CPU', settings) for x in (raw, final)]
    first, second = (lambda images, x=x: x([images]) for x in compiled)
    return first, second


def measure(
    pairs: Mapping[str, Pair], images: np.ndarray, rounds: int
) -> dict[str, dict[str, float]]:
    """Call all in turn; return milliseconds, and medians of ratios.

    Returns:
        For each variant ``raw`` and ``whole``, milliseconds a call; ``speed_up`` and
        ``whole_speed_up``, over eager PyTorch; and ``suppression``, what it adds as a
        part of the time without it.
    """
    seconds = {name: ([], []) for name in pairs}
    for index in range(-1, rounds):
        for name, pair in pairs.items():
            for call, times in zip(pair, seconds[name], strict=True):
                time.sleep(REST)
                # Its threads wake up, and its weights come into the caches.
                call(images)
                start = time.perf_counter()
                call(images)
                # The first round warms up.
                if index >= 0:
                    times.append(time.perf_counter() - start)
    eager, eager_whole = seconds['eager']
    return {
        name: {
            'raw': statistics.median(raw) * 1e3,
            'whole': statistics.median(whole) * 1e3,
            'speed_up': ratio(eager, raw),
            'whole_speed_up': ratio(eager_whole, whole),
            'suppression': ratio(whole, raw) - 1,
        }
        for name, (raw, whole) in seconds.items()
    }


def ratio(base: list[float], other: list[float]) -> float:
    """Median over the rounds of the times of ``base`` over those of ``other``."""
    return statistics.median(a / b for a, b in zip(base, other, strict=True))


def _print(report: Mapping[str, Any]) -> None:
    print(
        f'\n{Path(report["model"]).stem}, images {tuple(report["shape"])}, '
        f'{report["candidates"]} candidates an image'
    )
    heads = ('raw ms', 'whole ms', 'speed-up', 'whole', 'suppression')
    print(f'{"":16}' + ''.join(f'{head:>13}' for head in heads))
    for name, row in report['rows'].items():
        print(
            f'{name:16}{row["raw"]:13.1f}{row["whole"]:13.1f}{row["speed_up"]:13.2f}'
            f'{row["whole_speed_up"]:13.2f}{row["suppression"]:13.1%}'
        )


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('models', nargs='*', default=MODELS, metavar='MODEL')
    parser.add_argument('--checkpoint', help='of configs; random weights by default')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--only', nargs='+', choices=VARIANTS, metavar='VARIANT')
    parser.add_argument('--candidates', type=int, default=300)
    parser.add_argument('--threads', type=int)
    parser.add_argument('--json', type=Path, metavar='FILE')
    return parser.parse_args(argv)


if __name__ == '__main__':
    main()
