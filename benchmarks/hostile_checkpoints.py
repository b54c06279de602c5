"""Give hostile checkpoints to everything that loads one, and print what comes of it.

python benchmarks/hostile_checkpoints.py [--jobs 2] [--only TEXT ...] [--out FILE]

Each call is a process of its own, a copy of this one, on a little detector that is
trained first. A call `works`, or ends with one sentence (`said`); everything else is a
fault: a traceback, more than the time or the memory of the limits, a signal, or a file
that the checkpoint made or deleted. The exit status is 1 if there is a fault. The kinds
are those of the tests; `m2det draw`, `doctor`, `check` and `scenes` load no checkpoint.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from multiprocessing.pool import ThreadPool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from mmdet.apis import DetInferencer, init_detector
from mmengine.config import Config
from mmengine.runner import Runner

import m2det_mmdet
from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.apis import Detector, train
from m2det_mmdet.cli import main as m2det
from m2det_mmdet.comparison import worker
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.utils.tables import to_markdown

ROOT = Path(__file__).resolve().parents[1]
# Seconds of processor time more than the sound checkpoint takes, and those after
# which a call is ended; and real ones, as the machine may have other work.
SECONDS, MOST, LONGEST = 10, 120, 900
GIGABYTE = 2**20  # in kB, as the system counts
ZEROS = 3 * 2**30  # bytes of what is compressed to a thousandth
KEPT = {'kept.txt', 'best_coco_bbox_mAP_epoch_1.pth'}
Call = Callable[[str, Path], object]
_SHOWN = 110  # characters of an answer
_SETTINGS = """
_base_ = {base!r}
data = {scenes!r}
loader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(type='CheckedCocoDataset', data_root=data))
train_dataloader = val_dataloader = test_dataloader = loader
val_evaluator = dict(type='GradedCocoMetric', ann_file=data + 'annotations/val.json')
test_evaluator = val_evaluator
model = dict(neck=dict(num_levels=1), test_cfg=dict(score_thr=0.02, max_per_img=5))
train_cfg = dict(max_epochs=1, val_interval=1)
randomness = dict(seed=0)
custom_hooks = [dict(type='ClassCheckHook'), dict(type='WeightsCheckHook')]
"""


class Outcome(NamedTuple):
    """What came of a call.

    Attributes:
        state: ``works``, ``said``, or what is wrong with it.
        text: The last line of its output.
        memory: Its peak, kB.
        seconds: Its processor time.
    """

    state: str
    text: str
    memory: int
    seconds: float

    @property
    def is_fault(self) -> bool:
        """Whether it is neither a success nor one sentence."""
        return self.state not in ('works', 'said')


class Tried(NamedTuple):
    """The outcomes of a kind of checkpoint, by the names of the calls."""

    kind: str
    outcomes: dict[str, Outcome]


def calls_of(config: str, image: str) -> dict[str, Call]:
    """Everything that loads a checkpoint, by names.

    Args:
        config: Path of the config of the sound checkpoint.
        image: Path of an image.

    Returns:
        Functions that get the path of a checkpoint and an empty folder.
    """

    def cli(*argv: str) -> Call:
        def call(file: str, folder: Path) -> int:
            places = {'FILE': file, 'FOLDER': str(folder)}
            return m2det([places.get(x, x) for x in argv])

        return call

    options = ('--no-report', '--work-dir', 'FOLDER', '--cfg-options')
    longer = 'train_cfg.max_epochs=2'
    return {
        'train --from': cli('train', config, '--from', 'FILE', *options, longer),
        'train --resume': cli('train', config, '--resume', 'FILE', *options, longer),
        'test': cli('test', config, 'FILE', '--work-dir', 'FOLDER'),
        'predict': cli('predict', config, 'FILE', image, '--out', 'FOLDER', '--force'),
        'predict FILE': cli('predict', 'FILE', image, '--out', 'FOLDER', '--force'),
        'report': lambda file, folder: m2det(
            ['report', config, file, '--out', f'{folder}/report.html']
        ),
        'bench': cli('bench', config, '--checkpoint', 'FILE', *_BRIEFLY),
        'convert': lambda file, folder: m2det(
            ['convert', file, config, f'{folder}/out.safetensors']
        ),
        'compare': lambda file, folder: _compare(config, file, folder, load_from=True),
        'compare, again': lambda file, folder: _compare(config, file, folder),
        'Detector': lambda file, _: Detector(config, file, device='cpu')(image),
        'Runner': lambda file, folder: _runner(config, file, folder).test(),
        'DetInferencer': lambda file, _: DetInferencer(config, file, device='cpu'),
        'init_detector': lambda file, _: init_detector(config, file, device='cpu'),
    }


_BRIEFLY = ('--images', '1', '--warm-up', '0', '--batch-sizes', '1')


def _compare(
    config: str, file: str, folder: Path, *, load_from: bool = False
) -> object:
    """Train a run of a comparison that starts from a checkpoint, or goes on from it."""
    text = f'_base_ = {config!r}\ntrain_cfg = dict(max_epochs=2)\n'
    hook = "dict(type='TrainingCostHook')"
    text += f'custom_hooks = [*_base_.custom_hooks, {hook}]\n'
    if load_from:
        text += f'load_from = {file!r}\n'
    else:
        (folder / 'train').mkdir()
        (folder / 'train' / 'epoch_1.pth').symlink_to(file)
    (folder / worker.CONFIG).write_text(text)
    return worker._train(folder / worker.CONFIG)


def _runner(config: str, file: str, folder: Path) -> Runner:
    """A plain runner of MMEngine; the package is imported."""
    cfg = Config.fromfile(config)
    cfg.work_dir, cfg.load_from = str(folder), file
    return Runner.from_cfg(cfg)


def try_call(call: Call, file: Path, folder: Path, limit: float = LONGEST) -> Outcome:
    """Run a call in a copy of this process, which has imported everything."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder.with_suffix('.log')
    child = os.fork()
    if child == 0:
        with log.open('w') as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
            # What pytest has put in their place ends with this process.
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                code = _run(call, str(file), folder)
        os._exit(code)
    start = time.monotonic()
    while (result := os.wait4(child, os.WNOHANG))[0] == 0:
        if time.monotonic() - start > limit or _memory_of(child) > 8 * GIGABYTE:
            os.kill(child, 9)
        time.sleep(0.02)
    _, status, usage = result
    code = os.waitstatus_to_exitcode(status)
    output = log.read_text(errors='replace')
    last = (output.strip().splitlines() or [''])[-1].replace(str(file), 'FILE')
    state = 'works' if code == 0 else 'said'
    if 'Traceback' in output:
        state = 'traceback'
    elif code < 0:
        state = f'killed by {-code}'
    elif code > 0 and not last:
        state = 'silent'
    return Outcome(state, last, usage.ru_maxrss, usage.ru_utime + usage.ru_stime)


def _run(call: Call, file: str, folder: Path) -> int:
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_CPU, (MOST, MOST))
    try:
        result = call(file, folder)
    except m2det_mmdet.M2DetError as error:
        print(error)
        return 2
    except (FileNotFoundError, ValueError) as error:
        # MMEngine's own on a file that is not there, and mmdet's on a config.
        print(f'{type(error).__name__}: {error}')
        return 2
    except BaseException:
        traceback.print_exc()
        return 3
    return result if isinstance(result, int) else 0


def _memory_of(process: int) -> int:
    """Memory of a process now, kB."""
    try:
        pages = int(Path(f'/proc/{process}/statm').read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf('SC_PAGE_SIZE') // 1024


def try_all(
    kinds: Sequence[Any],
    good: dict,
    calls: dict[str, Call],
    victim: Path,
    folder: Path,
    *,
    jobs: int = 1,
) -> Iterator[Tried]:
    """Give each kind of checkpoint to each call.

    Args:
        kinds: What writes a checkpoint; the first is the sound one.
        good: The sound checkpoint.
        calls: As of :func:`calls_of`.
        victim: A folder with the files ``KEPT``, which must stay as it is.
        folder: Where files are written.
        jobs: Calls at a time.
    """
    sound: dict[str, Outcome] = {}
    with ThreadPool(jobs) as pool:
        for kind in kinds:
            file = folder / 'hostile.pth'
            _remove(file)
            kind.write(good, file)

            def one(name: str, file: Path = file) -> Outcome:
                place = folder / name.replace(' ', '_').replace(',', '')
                return try_call(calls[name], file, place)

            found = dict(zip(calls, pool.map(one, calls, chunksize=1), strict=True))
            if {path.name for path in victim.iterdir()} != KEPT:
                found = {x: y._replace(state='ran') for x, y in found.items()}
                _restore(victim)
            sound = sound or found
            yield Tried(kind.name, {x: _judged(y, sound[x]) for x, y in found.items()})
    _remove(file)


def _judged(found: Outcome, sound: Outcome) -> Outcome:
    """Call too long or too large what is so beside the sound checkpoint."""
    if found.is_fault:
        return found
    if found.memory > sound.memory + GIGABYTE:
        return found._replace(state=f'{found.memory / GIGABYTE:.1f} GB')
    if found.seconds > sound.seconds + SECONDS:
        return found._replace(state=f'{found.seconds:.0f} s')
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _restore(victim: Path) -> None:
    shutil.rmtree(victim, ignore_errors=True)
    victim.mkdir(parents=True)
    for name in KEPT:
        (victim / name).write_text('kept')


def all_kinds(victim: Path, zeros: int = ZEROS) -> list[Any]:
    """List all kinds, the sound checkpoint first."""
    tests = str(ROOT / 'tests')
    if tests not in sys.path:
        sys.path.append(tests)
    hostile = import_module('test_checkpoints.hostile')
    files = import_module('test_checkpoints.hostile_files')
    _restore(victim)
    return [
        hostile.Hostile('(the sound one)', lambda x: None, 'nobody'),
        *hostile.kinds(victim, zeros),
        *files.file_kinds(victim),
    ]


def table(tried: Sequence[Tried]) -> str:
    """Write a row for each kind; the answer is that of the first call with one."""
    rows = []
    for kind, outcomes in tried:
        said = (x.text for x in outcomes.values() if x.state != 'works')
        answer = next(said, '').partition('FILE ')[2] or next(said, '')
        row = {'checkpoint': kind, **{x: y.state for x, y in outcomes.items()}}
        rows.append({**row, 'answer': answer[:_SHOWN].replace('|', '/')})
    return to_markdown(rows)


def summary(tried: Sequence[Tried]) -> str:
    """Count the outcomes, and list the faults."""
    states = [(t.kind, x, y) for t in tried for x, y in t.outcomes.items()]
    counts = Counter('fault' if y.is_fault else y.state for _, _, y in states)
    lines = [
        f'{len(tried)} kinds of checkpoints, {len(states)} calls: '
        f'{counts["works"]} work, {counts["said"]} end with one sentence, '
        f'{counts["fault"]} faults.'
    ]
    lines += [f'- {k}, {x}: {y.state}: {y.text}' for k, x, y in states if y.is_fault]
    return '\n'.join(lines)


def main() -> int:
    """Try all that the arguments name, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--jobs', type=int, default=2, help='calls at a time')
    parser.add_argument('--only', nargs='+', help='kinds whose names have one of these')
    parser.add_argument('--out', type=Path, help='file of the table')
    args = parser.parse_args()
    about = {'machine': describe_machine(torch.device('cpu')), **versions()}
    with TemporaryDirectory() as root:
        folder = Path(root)
        config, image, checkpoint = _trained(folder)
        good = torch.load(checkpoint, weights_only=False)
        victim = folder / 'victim'
        first, *kinds = all_kinds(victim)
        if args.only:
            kinds = [x for x in kinds if any(text in x.name for text in args.only)]
        tried = []
        for row in try_all(
            [first, *kinds],
            good,
            calls_of(config, image),
            victim,
            folder / 'files',
            jobs=args.jobs,
        ):
            tried.append(row)
            states = Counter(x.state for x in row.outcomes.values())
            seconds = sum(x.seconds for x in row.outcomes.values())
            print(f'{row.kind}: {json.dumps(states)}, {seconds:.1f} s', flush=True)
            if args.out:
                head = ', '.join(f'{key} {value}' for key, value in about.items())
                text = f'{head}\n\n{summary(tried)}\n\n{table(tried)}\n'
                args.out.write_text(f'# Hostile checkpoints\n\n{text}')
    print(summary(tried))
    return int(any(x.is_fault for row in tried for x in row.outcomes.values()))


def _trained(folder: Path) -> tuple[str, str, Path]:
    """Train a little detector; return its config, an image and its checkpoint."""
    scenes, config = folder / 'scenes', folder / 'small.py'
    (folder / 'files').mkdir()
    write_scenes(scenes, num_train=4, num_val=3, num_test=1, size=(128, 128))
    base = ROOT / 'configs' / 'm2det' / 'm2det_r18_scenes.py'
    config.write_text(_SETTINGS.format(base=str(base), scenes=f'{scenes}/'))
    result = train(config, work_dir=folder / 'work', report=False)
    image = next((scenes / 'val').iterdir())
    # The config in one file, which loads faster.
    return str(result.config), str(image), result.checkpoint


if __name__ == '__main__':
    sys.exit(main())
