"""Every command of the pages parses, and runs unless the page says what it needs.

``<!-- needs: COCO -->`` before a block says that its commands cannot be run here.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from m2det_mmdet.cli import main
from m2det_mmdet.cli.arguments import config_options
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.export.standalone import SCRIPT
from m2det_mmdet.utils.configs import load_config

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / 'README.md',
    *sorted((ROOT / 'docs').glob('*.md')),
    *sorted((ROOT / 'configs').rglob('README.md')),
]
BLOCK = re.compile(
    r'(?:^<!-- needs: (?P<needs>[^\n]+) -->\n)?^```bash\n(?P<text>.*?)^```$',
    re.M | re.S,
)
# They install, fetch or start other programs: nothing of ours is parsed.
OF_OTHERS = {'.', '#SBATCH', 'git', 'make', 'npm', 'pip'}
# Start a command of ours behind options of their own.
LAUNCHERS = {'srun', 'torchrun'}
# Names that stand for files of the reader.
OWN = ('CONFIG', 'mine.py', 'work_dirs/')
# What makes a training short, a comparison small, and names what the page leaves open.
SHORTER = {
    r'--epochs \d+': '--epochs 1',
    r'--num-train \d+': '--num-train 16',
    r'--num-(val|test) \d+': r'--num-\1 6',
    r'--image-size \d+': '--image-size 128',
    r'--seeds 0 1 2': '--seeds 0',
    r'^(m2det train(?=.* --data)(?!.* --(epochs|resume)).*)$': r'\1 --epochs 1',
    r'^(m2det scenes .*)$': r'\1 --force',
    # A run has the name of its data.
    r'\bNAME\b': 'DATA',
    r'\bCONFIG\b': 'CONFIG.py',
    r'\bMODEL\b': 'm2det_r18_scenes',
    r'INPUT\.\.\.': 'IMAGES',
}


class Command(NamedTuple):
    """A command of a page.

    Attributes:
        place: Page, line of the block, and number in the block.
        line: As it stands there, in one line.
        needs: What a test does not have, or nothing.
    """

    place: str
    line: str
    needs: str | None

    @property
    def page(self) -> str:
        """The page alone."""
        return self.place.partition(':')[0]


def commands() -> Iterator[Command]:
    """Yield the commands of all pages."""
    for page in PAGES:
        text = page.read_text()
        name = page.relative_to(ROOT).as_posix()
        for block in BLOCK.finditer(text):
            number = text[: block.start('text')].count('\n')
            lines = block['text'].replace('\\\n', ' ').splitlines()
            for index, line in enumerate(lines):
                if line.strip() and not line.startswith('#'):
                    yield Command(f'{name}:{number} {index}', line, block['needs'])


COMMANDS = {command.place: command for command in commands()}


def words_of(line: str) -> list[str]:
    """Return the words of a line, as bash expands it, from its program on.

    Assignments before it are left out, and what stands in brackets may be.
    """
    line = re.sub(r'\[[A-Z][^\]]*\]', '', line).partition(' && ')[0]
    # Bash expands braces and quotes, and leaves comments out; nothing is run.
    script = f'each() {{ printf "%s\\0" "$@"; }}; each {line}'
    done = subprocess.run(['bash', '-c', script], capture_output=True, check=True)
    words = done.stdout.decode().rstrip('\0').split('\0')
    while '=' in words[0]:
        del words[0]
    return words


def ours(words: list[str]) -> list[str] | None:
    """Return the words behind ``m2det``, or ``None`` if the program is another one."""
    if words[0] in LAUNCHERS:
        name = 'm2det' if 'm2det' in words else 'm2det_command'
        return words[words.index(name) + 1 :]
    return words[1:] if words[0] == 'm2det' else None


@pytest.mark.parametrize('place', COMMANDS)
def test_a_command_parses(place: str) -> None:
    words = words_of(COMMANDS[place].line)
    if (argv := ours(words)) is not None:
        _check_arguments(*argv)
    elif words[0] == 'mim':
        assert words[2] == 'm2det'
        assert load_config(words[3]).model.type
    elif words[:2] == ['python', '-m']:
        assert find_spec(words[2])
    elif words[:2] == ['python', SCRIPT]:
        pass  # `m2det export` writes it beside a file
    elif words[0] == 'python':
        script = (ROOT / words[1]).read_text()
        options = [word for word in words[2:] if word.startswith('-')]
        assert all(f"'{option}'" in script for option in options)
    else:
        assert words[0] in OF_OTHERS


def _check_arguments(name: str, *argv: str) -> None:
    """Check that a subcommand takes these words, and that its configs load."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    import_module(f'm2det_mmdet.cli.{name}').add_arguments(parser)

    args = parser.parse_args(argv)

    options = config_options(getattr(args, 'cfg_options', None))
    configs = getattr(args, 'configs', [getattr(args, 'config', None)])
    for config in {*configs} - {None}:
        if not config.startswith(OWN):
            assert load_config(config, options).model.type


def test_there_are_commands_of_every_kind() -> None:
    runnable = [command for command in COMMANDS.values() if not command.needs]
    assert len(COMMANDS) >= 120
    assert len(runnable) >= 60


# Tests of their own try it in every way, which takes half a minute each.
TRIED = {'m2det doctor', 'm2det doctor --json'}
RUNNABLE = {
    page: lines
    for page in dict.fromkeys(command.page for command in COMMANDS.values())
    if (
        lines := [
            command.line
            for command in COMMANDS.values()
            if command.page == page
            and not command.needs
            and re.match(r'(PYTHONPATH=\. )?m2det ', command.line)
            and command.line.partition('  ')[0] not in TRIED
        ]
    )
}


@pytest.fixture
def folder(
    tmp_path: Path,
    trained: SimpleNamespace,
    write_video: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """What a reader has who comes to a page: data, pictures, a video and a config."""
    for name in ('DATA', 'data/scenes'):
        write_scenes(
            tmp_path / name, num_train=16, num_val=6, num_test=6, size=(128, 128)
        )
    shutil.copytree(tmp_path / 'DATA' / 'test', tmp_path / 'IMAGES')
    frames = np.zeros((3, 96, 128, 3), np.uint8)
    write_video(tmp_path / 'clip.mp4', frames, code='mp4v')
    for name in ('CONFIG', 'mine'):
        (tmp_path / f'{name}.py').write_text(f'_base_ = {trained.config!r}\n')
    _write_yolo(tmp_path / 'DATA', tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write_yolo(scenes: Path, folder: Path) -> None:
    """Write the scenes once more in YOLO's form, as ``data.yaml`` beside ``yolo``."""
    for split in ('train', 'val'):
        shutil.copytree(scenes / split, folder / 'yolo' / 'images' / split)
        labels = folder / 'yolo' / 'labels' / split
        labels.mkdir(parents=True)
        coco = json.loads((scenes / 'annotations' / f'{split}.json').read_text())
        names = [category['name'] for category in coco['categories']]
        ids = [category['id'] for category in coco['categories']]
        for image in coco['images']:
            rows = []
            for one in coco['annotations']:
                if one['image_id'] == image['id']:
                    x, y, width, height = (side / 128 for side in one['bbox'])
                    box = (x + width / 2, y + height / 2, width, height)
                    rows.append(
                        ' '.join(map(str, (ids.index(one['category_id']), *box)))
                    )
            (labels / image['file_name']).with_suffix('.txt').write_text(
                '\n'.join(rows)
            )
    splits = {'train': 'yolo/images/train', 'val': 'yolo/images/val'}
    # JSON is YAML, too.
    (folder / 'data.yaml').write_text(json.dumps({**splits, 'names': names}))


@pytest.mark.slow
@pytest.mark.parametrize('page', RUNNABLE)
def test_the_commands_of_a_page_run(
    page: str, folder: Path, trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page == 'docs/report.md':
        shutil.copytree(trained.work_dir, folder / 'work_dirs' / 'cells')
    if page == 'docs/own_neck.md':
        neck, config = re.findall(
            r'^```python\n(.*?)^```$', (ROOT / page).read_text(), re.M | re.S
        )[:2]
        (folder / 'my_neck.py').write_text(neck)
        (folder / 'mine.py').write_text(config)
        monkeypatch.syspath_prepend(folder)
    for line in RUNNABLE[page]:
        for pattern, shorter in SHORTER.items():
            line = re.sub(pattern, shorter, line)
        argv = ours(words_of(line))
        # A check that finds faults, as the few images of a class, ends in 1.
        expected = (0, 1) if argv[0] == 'check' else (0,)
        assert main(argv) in expected, shlex.join(argv)
