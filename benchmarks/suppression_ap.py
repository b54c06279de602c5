"""Compare the AP of hard NMS and soft-NMS at two score thresholds.

python benchmarks/suppression_ap.py CONFIG CHECKPOINT [--json FILE]

The detector of a config, with the weights of a checkpoint, is tested on the config's
test set once for each row; the network's weights and the images are the same. Seconds
are those of decoding and suppression for an image, the median over the set.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.engine.runner import build_runner
from m2det_mmdet.utils.configs import load_config

KEYS = {'AP': 'bbox_mAP', 'AP50': 'bbox_mAP_50', 'AP75': 'bbox_mAP_75'}
THRESHOLDS = (0.05, 0.01)


def main() -> None:
    """Test with each suppression, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path of a config, or the name of one of m2det')
    parser.add_argument('checkpoint', help='weights that fit it')
    parser.add_argument('--work-dir', default='work_dirs/suppression_ap')
    parser.add_argument(
        '--hard-iou', type=float, default=0.45, help='IoU threshold of hard NMS'
    )
    parser.add_argument('--json', type=Path, help='write the rows to this file too')
    args = parser.parse_args()
    config = load_config(args.config)
    config.load_from, config.work_dir = args.checkpoint, args.work_dir
    config.launcher = 'none'
    config.log_level = 'WARNING'
    runner = build_runner(config)
    soft = dict(runner.model.bbox_head.test_cfg.nms)
    hard = {'type': 'nms', 'iou_threshold': args.hard_iou}
    rows = [
        measure(runner, nms, threshold)
        for threshold in THRESHOLDS
        for nms in (hard, soft)
    ]
    device = next(runner.model.parameters()).device
    about = {'machine': describe_machine(device), **versions()}
    print(', '.join(' '.join(item) for item in about.items()))
    print(f'{Path(args.config).stem}, {len(runner.test_dataloader.dataset)} images')
    print_table(rows)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + '\n', encoding='utf-8')


def measure(runner: Runner, nms: dict[str, Any], threshold: float) -> dict[str, Any]:
    """Test with one suppression and one score threshold."""
    head = runner.model.bbox_head
    head.test_cfg.nms, head.test_cfg.score_thr = nms, threshold
    seconds = []
    predict = head.predict_by_feat

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        found = predict(*args, **kwargs)
        seconds.append((time.perf_counter() - start) / len(found))
        return found

    head.predict_by_feat = timed
    try:
        metrics = runner.test()
    finally:
        del head.predict_by_feat
    figures = {name: metrics[f'coco/{key}'] for name, key in KEYS.items()}
    milliseconds = statistics.median(seconds) * 1000
    return {'nms': nms, 'score_thr': threshold, **figures, 'ms': milliseconds}


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print a Markdown table."""
    print(f'| suppression | score_thr | {" | ".join(KEYS)} | ms an image |')
    print(f'|{" --- |" * (len(KEYS) + 3)}')
    for row in rows:
        figures = ' | '.join(f'{row[name]:.3f}' for name in KEYS)
        kind = f'{row["nms"]["type"]}, IoU {row["nms"]["iou_threshold"]}'
        print(f'| {kind} | {row["score_thr"]} | {figures} | {row["ms"]:.2f} |')


if __name__ == '__main__':
    main()
