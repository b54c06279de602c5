"""Changed annotation files and images, through check, two training steps and predict.

python benchmarks/fuzz.py [--annotations 500] [--images 500] [--seed 0] [--out FILE.md]

Each case is a small data folder of which one file was changed at random, by the seed
and the number of the case. It has to work, or to end in one sentence. Cases run in a
process that is started anew where it dies or hangs; the table counts the outcomes by
kind of file.
"""

import argparse
import io
import multiprocessing
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from PIL import Image
from torch.utils.data import DataLoader

from m2det_mmdet.apis import Detector, M2DetError, check_data
from m2det_mmdet.apis.data_check import inspect_data
from m2det_mmdet.datasets import CheckedCocoDataset
from m2det_mmdet.datasets.faults import Level
from m2det_mmdet.datasets.layouts import write_folder
from m2det_mmdet.utils.errors import our_errors

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests' / 'test_datasets'))
from mutations import FORMS, IMAGES, LONGEST, Mutator, mutate, write_coco  # noqa: E402

CONFIG = ROOT / 'configs' / 'm2det' / 'm2det_r18_scenes.py'
MOST_SECONDS = 10  # of computing, for a step of a case
# Of the clock, after which a process is killed: the machine may do other work, too.
MOST_WAITING = 120
MOST_MEMORY = 1_000_000  # kB more than before
STEPS = ('check', 'train', 'predict')
OUTCOMES = ('worked', 'sentence', 'traceback', 'hang', 'memory', 'crash')
SIDE = 64  # pixels of an image

# What images are saved as: their mode, the format, and further arguments of Pillow.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    'png': ('RGB', 'PNG', {}),
    'png of 16 bits': ('I;16', 'PNG', {}),
    'png with a palette': ('P', 'PNG', {}),
    'png with alpha': ('RGBA', 'PNG', {}),
    'jpeg': ('RGB', 'JPEG', {}),
    'progressive jpeg': ('RGB', 'JPEG', {'progressive': True}),
    'jpeg in CMYK': ('CMYK', 'JPEG', {}),
    'bmp': ('RGB', 'BMP', {}),
    'tiff': ('RGB', 'TIFF', {}),
    'tiff by LZW': ('RGB', 'TIFF', {'compression': 'tiff_lzw'}),
    'tiff by JPEG': ('RGB', 'TIFF', {'compression': 'jpeg'}),
    'webp': ('RGB', 'WEBP', {}),
    'webp without loss': ('RGB', 'WEBP', {'lossless': True}),
    'gif': ('P', 'GIF', {}),
    'ppm': ('RGB', 'PPM', {}),
    'pgm': ('L', 'PPM', {}),
    'jpeg 2000': ('RGB', 'JPEG2000', {}),
}
_HEADER = 64  # bytes: half of the changes to an image are within them


def make_annotations(root: Path, number: int, seed: int) -> str:
    """Write a folder of which one file of labels is changed; return the form."""
    form = list(FORMS)[number % len(FORMS)]
    mutator = Mutator(f'{form}-{seed}-{number}')
    paths = FORMS[form](root)
    mutate(mutator.random.choice(paths), mutator)
    return form


def make_image(root: Path, number: int, seed: int) -> str:
    """Write a folder with a changed image in two splits; return its kind."""
    kind = list(KINDS)[number % len(KINDS)]
    mode, form, settings = KINDS[kind]
    mutator = Mutator(f'{kind}-{seed}-{number}')
    write_coco(root)
    noise = np.random.default_rng(number).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(noise)
    image = image.convert('L').convert(mode) if mode == 'I;16' else image.convert(mode)
    image.save(file, form, **settings)
    content = file.getvalue()
    if mutator.random.random() < 0.5:
        content = mutator.bytes(content[:_HEADER]) + content[_HEADER:]
    else:
        content = mutator.bytes(content)
    # The name does not tell the format: readers go by the content.
    for split, names in IMAGES:
        (root / 'images' / split / names[0]).write_bytes(content)
    return kind


MAKERS = {'annotations': make_annotations, 'images': make_image}


class Subject:
    """A small detector with its training, which each case meets in the same state."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.cfg = Config.fromfile(CONFIG)
        self.cfg.model.neck.num_levels = 1
        self.cfg.model.backbone.pop('init_cfg', None)
        with DefaultScope.overwrite_default_scope('mmdet'):
            self.model = MODELS.build(self.cfg.model)
        self.start = {key: x.clone() for key, x in self.model.state_dict().items()}
        self.folder = tempfile.TemporaryDirectory()
        checkpoint = Path(self.folder.name, 'start.pth')
        torch.save({'state_dict': self.start, 'meta': {}}, checkpoint)
        self.detector = Detector(self.cfg, checkpoint, device='cpu')
        # Its first image compiles the suppression.
        self.detector(np.zeros((SIDE, SIDE, 3), np.uint8))

    def check(self, root: Path, _: Path) -> str:
        """Check a folder."""
        check = check_data(root, images=True)
        for finding in check.findings:
            for example in finding.examples:
                _sound(example)
        return 'worked' if check.level == Level.NOTE else 'sentence'

    def train(self, root: Path, out: Path) -> str:
        """Train two steps on what `m2det train --data` takes of a folder."""
        self.model.load_state_dict(self.start)
        self.model.train()
        folder, faults = inspect_data(root, images=False, seed=0)
        if faults.level == Level.STOP:
            return 'sentence'
        layout = write_folder(folder, out)
        dataset = CheckedCocoDataset(
            ann_file=str(layout.train.ann_file),
            data_prefix={'img': str(layout.train.images)},
            metainfo={'classes': layout.classes},
            allow_outside=layout.train.allow_outside,
            pipeline=self.cfg.train_dataloader.dataset.pipeline,
        )
        # More classes would need another head.
        if len(layout.classes) > self.model.bbox_head.num_classes:
            return 'sentence'
        loader = DataLoader(dataset, 2, collate_fn=pseudo_collate)
        wrapper = OptimWrapper(torch.optim.SGD(self.model.parameters(), 1e-4))
        for step, batch in zip(range(2), _endless(loader), strict=False):
            losses = self.model.train_step(batch, wrapper)
            if not torch.isfinite(losses['loss']):
                raise ArithmeticError(f'the loss of step {step} is {losses["loss"]}')
        return 'worked'

    def predict(self, root: Path, _: Path) -> str:
        """Detect in all images of a folder."""
        told: list[str] = []

        def tell(_: Any, error: M2DetError) -> None:
            told.append(_sound(str(error)))

        paths = sorted(root.rglob('*.jpg'))
        list(self.detector([str(path) for path in paths], on_error=tell))
        return 'sentence' if told else 'worked'


def _endless(loader: DataLoader) -> Iterator[Any]:
    while True:
        yield from loader


def _sound(sentence: str) -> str:
    """Return a sentence, or raise if it is none."""
    if len(sentence) >= LONGEST or '\n' in sentence or not sentence.endswith('.'):
        raise AssertionError(f'no sentence: {sentence[:300]!r}')
    return sentence


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Stop the block after some seconds of computing."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f'computes for more than {seconds} s')

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def outcome_of(step: Callable[[Path, Path], str], root: Path, out: Path) -> str:
    """Return the outcome of a step, with what was raised behind a colon."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with _limited(MOST_SECONDS), our_errors():
            outcome = step(root, out)
    except M2DetError as error:
        text = str(error)
        one = len(text) < LONGEST and '\n' not in text and text.endswith('.')
        outcome = 'sentence' if one else f'traceback: no sentence: {text[:300]!r}'
    except TimeoutError as error:
        outcome = f'hang: {error}'
    except BaseException as error:
        outcome = f'traceback: {type(error).__name__}: {str(error)[:300]!r}'
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return f'memory: {more} kB more' if more > MOST_MEMORY else outcome


def serve(pipe: Connection) -> None:
    """Run the cases that come by a pipe, in a process of its own."""
    # What libraries print would hide the table.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        subject = Subject()
        pipe.send(('ready', ''))
        while (case := pipe.recv()) is not None:
            kind, number, seed = case
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder, 'data')
                made = MAKERS[kind](root, number, seed)
                for name in STEPS:
                    pipe.send((made, name))
                    step = getattr(subject, name)
                    pipe.send((name, outcome_of(step, root, Path(folder, 'out'))))
            pipe.send(('done', ''))


class Server:
    """The process that runs cases; a new one takes its place when it has to end."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context('spawn')
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def run(self, kind: str, number: int, seed: int) -> tuple[str, dict[str, str]]:
        """Run a case; return the kind of its file and the outcome of each step."""
        self._pipe.send((kind, number, seed))
        outcomes: dict[str, str] = {}
        made, step = kind, 'check'
        while True:
            problem = None
            if not self._pipe.poll(MOST_WAITING):
                problem = f'hang: silent for {MOST_WAITING} s'
            else:
                try:
                    name, text = self._pipe.recv()
                except EOFError:
                    self._process.join()
                    problem = f'crash: ended with {self._process.exitcode}'
            if problem is not None:
                self._process.kill()
                self._start()
                return made, {**outcomes, step: problem}
            if name == 'done':
                return made, outcomes
            if text in STEPS:
                made, step = name, text
            else:
                outcomes[name] = text

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join(MOST_WAITING)


def worst(outcomes: dict[str, str]) -> str:
    """Return the worst outcome of the steps of a case, as a word."""
    words = [text.split(':')[0] for text in outcomes.values()]
    return max(words, key=OUTCOMES.index)


def table(name: str, counts: dict[str, Counter]) -> str:
    """Write how often each kind of file, or each step, had each outcome."""
    head = f'| {name} | cases | {" | ".join(OUTCOMES)} |'
    rows = [head, '|---' * (len(OUTCOMES) + 2) + '|']
    total: Counter = sum(counts.values(), Counter())
    for kind, found in [*counts.items(), ('all', total)]:
        cells = ' | '.join(str(found[outcome]) for outcome in OUTCOMES)
        rows.append(f'| {kind} | {found.total()} | {cells} |')
    return '\n'.join(rows)


def main() -> int:
    """Run all cases; return 1 if one neither worked nor ended in one sentence."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--annotations', type=int, default=500)
    parser.add_argument('--images', type=int, default=500)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, help='file for the table')
    args = parser.parse_args()
    server, counts, bad, text = Server(), {}, [], ''
    steps = {step: Counter() for step in STEPS}
    for kind, number in (('annotations', args.annotations), ('images', args.images)):
        for index in range(number):
            made, outcomes = server.run(kind, index, args.seed)
            outcome = worst(outcomes)
            counts.setdefault(made, Counter())[outcome] += 1
            for step, text in outcomes.items():
                steps[step][worst({step: text})] += 1
            if OUTCOMES.index(outcome) > OUTCOMES.index('sentence'):
                bad.append(f'{kind} {index} ({made}): {outcomes}')
                print(bad[-1], flush=True)
            text = f'{table("changed file", counts)}\n\n{table("step", steps)}\n'
            if args.out is not None:
                # Also what was done before somebody ends it.
                args.out.write_text('\n'.join([text, *bad]))
    server.close()
    print(text)
    return int(bool(bad))


if __name__ == '__main__':
    sys.exit(main())
