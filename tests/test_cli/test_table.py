from pathlib import Path

import mmdet
import mmengine
import pytest
from mmengine.config import Config

from m2det_mmdet.analysis.complexity import Complexity
from m2det_mmdet.apis import tabulation
from m2det_mmdet.cli import main
from m2det_mmdet.utils.errors import M2DetError

ROOT = Path(__file__).parents[2]
METAFILE = """
Collections:
  - Name: A family
Models:
  - Name: one
    Config: configs/family/one.py
    Metadata: {Table: Sizes, Step: small, Reported box AP: 12.5}
  - Name: two
    Config: configs/family/two.py
    Metadata: {Table: Sizes, Step: large}
  - Name: three
    Config: configs/family/three.py
"""
BESIDE = """
Models:
  - Name: one
    Config: configs/family/one.py
    Metadata:
      Table: Sizes
      Step: small
      Beside:
        - Config: mmdet::other/far_1x.py
          Reported box AP: 40.0
        - Config: mmdet::other/lost.py
  - Name: two
    Config: configs/family/two.py
    Metadata: {Table: Sizes}
"""
TABLES = """## Sizes

| config | step | input | parameters (M) | GFLOP | reported box AP |
| --- | --- | --- | --- | --- | --- |
| one | small | 6x4 | 1.24 | 6.18 | 12.5 |
| two | large | 6x4 | 2.47 | 12.4 | - |

| config | input | parameters (M) | GFLOP |
| --- | --- | --- | --- |
| three | 6x4 | 3.71 | 18.6 |
"""


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metafile in place of the shipped ones, whose configs tell their costs."""
    folder = tmp_path / 'configs' / 'family'
    folder.mkdir(parents=True)
    path = folder / 'metafile.yml'
    path.write_text(METAFILE)
    for times, name in enumerate(('one', 'two', 'three'), start=1):
        (folder / f'{name}.py').write_text(f'times = {times}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tabulation, 'find_family', lambda name: path)
    monkeypatch.setattr(
        tabulation,
        'measure',
        lambda cfg: Complexity(
            (4, 6), 1_236_000 * cfg.times, 6_184_000_000 * cfg.times
        ),
    )


@pytest.mark.usefixtures('family')
def test_models_of_equal_title_share_a_table_of_what_is_known(
    capsys: pytest.CaptureFixture,
) -> None:
    assert main(['table', 'family']) == 0
    assert capsys.readouterr().out == TABLES


@pytest.mark.usefixtures('family')
def test_a_page_has_a_title_and_tells_how_it_was_made(tmp_path: Path) -> None:
    page = tmp_path / 'new' / 'page.md'

    assert main(['table', 'family', '--out', str(page)]) == 0
    text = page.read_text()
    assert text.startswith('# A family\n\nWritten by `m2det table family --out FILE`.')
    assert text.endswith(f'\n\n{TABLES}')
    assert str(tmp_path) not in text


@pytest.mark.usefixtures('family')
def test_a_page_replaces_nothing_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    page = tmp_path / 'page.md'
    page.write_text('mine')

    assert main(['table', 'family', '--out', str(page)]) == 2
    assert 'page.md exists' in capsys.readouterr().err
    assert page.read_text() == 'mine'
    assert main(['table', 'family', '--out', str(tmp_path)]) == 2
    assert 'is a folder' in capsys.readouterr().err
    assert main(['table', 'family', '--out', str(page), '--force']) == 0
    assert page.read_text().endswith(TABLES)


@pytest.mark.usefixtures('family')
def test_a_config_that_cannot_be_counted_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / 'configs' / 'family'
    (folder / 'two.py').write_text('times = None')
    (folder / 'three.py').unlink()
    page = tmp_path / 'page.md'

    assert main(['table', 'family']) == 1
    assert main(['table', 'family', '--out', str(page)]) == 1

    shown = capsys.readouterr()
    assert '| one | small | 6x4 | 1.24 | 6.18 | 12.5 |\n' in shown.out
    assert '| two | large | - | - | - | - |\n' in shown.out
    two, three = shown.err.splitlines()[:2]
    assert two.startswith('m2det table: two failed: TypeError: unsupported operand')
    metafile = folder / 'metafile.yml'
    reason = f'{metafile} names configs/family/three.py, which is not there'
    assert three == f'm2det table: three failed: {reason}'
    text = page.read_text()
    assert '| one | small | 6x4 | 1.24 | 6.18 | 12.5 |\n' in text
    assert text.endswith(f'\n- three failed: {reason}\n')


@pytest.mark.usefixtures('family')
def test_configs_of_mmdet_follow_the_model_that_they_are_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    metafile = tmp_path / 'configs' / 'family' / 'metafile.yml'
    metafile.write_text(METAFILE.partition('Models:')[0] + BESIDE)

    def load(name: str) -> Config:
        if name != 'mmdet::other/far_1x.py':
            raise M2DetError(f'There is no config {name}')
        return Config({'times': 2})

    monkeypatch.setattr(tabulation, 'load_config', load)

    assert main(['table', 'family']) == 1

    shown = capsys.readouterr()
    assert shown.out.splitlines()[4:] == [
        '| one | small | 6x4 | 1.24 | 6.18 | - |',
        '| far_1x | - | 6x4 | 2.47 | 12.4 | 40.0 |',
        '| lost | - | - | - | - | - |',
        '| two | - | 6x4 | 2.47 | 12.4 | - |',
    ]
    assert 'lost failed: There is no config mmdet::other/lost.py' in shown.err


@pytest.mark.usefixtures('family')
def test_configs_are_those_beside_the_metafile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    mine = tmp_path / 'elsewhere' / 'configs' / 'family'
    mine.mkdir(parents=True)
    (mine / 'one.py').write_text('times = 1000')
    monkeypatch.chdir(tmp_path / 'elsewhere')

    assert main(['table', 'family']) == 0
    assert capsys.readouterr().out == TABLES


def test_an_unknown_family_ends_in_one_sentence(capsys: pytest.CaptureFixture) -> None:
    assert main(['table', 'resnet']) == 2
    error = capsys.readouterr().err
    assert error.startswith('m2det table: There is no family of configs resnet; ')
    assert error.count('\n') == 1


@pytest.mark.slow
def test_the_page_of_the_ablation_is_what_the_command_writes(tmp_path: Path) -> None:
    page = tmp_path / 'ablation.md'

    assert main(['table', 'ablation', '--out', str(page)]) == 0
    assert page.read_text() == (ROOT / 'docs' / 'ablation.md').read_text()


def cells(text: str) -> list[list[str]]:
    """The rows of Markdown tables without their heads."""
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    return [row for row in rows if row[0] not in ('config', '---')]


@pytest.mark.slow
def test_the_readme_of_the_modern_family_has_what_the_command_counts(
    capsys: pytest.CaptureFixture,
) -> None:
    readme = (ROOT / 'configs' / 'm2det' / 'modern' / 'README.md').read_text()
    shown = cells(readme.partition('## Cost')[2])

    assert main(['table', 'modern']) == 0
    counted = cells(capsys.readouterr().out)
    assert len(counted) == 4 + 9
    for row, (name, step, _, parameters, gflop, reported) in zip(
        shown, counted, strict=True
    ):
        is_ours = step != '-'
        assert row[0] == (f'[{name}]({name}.py): {step}' if is_ours else name)
        assert row[1:3] == [parameters, gflop]
        # Of ours there is a column, which says that none was measured.
        assert row[4:] == (['-', ''] if is_ours else ['', reported])


def test_the_ap_of_the_neighbours_is_what_mmdet_reports() -> None:
    metafile = mmengine.load(ROOT / 'configs' / 'm2det' / 'modern' / 'metafile.yml')
    others = [x for model in metafile['Models'] for x in model['Metadata']['Beside']]
    root = Path(mmdet.__file__).parent / '.mim' / 'configs'

    for other in others:
        folder, name = other['Config'].removeprefix('mmdet::').split('/')
        reported = {
            Path(model['Config']).name: model['Results'][0]['Metrics']['box AP']
            for model in mmengine.load(root / folder / 'metafile.yml')['Models']
        }
        assert other.get('Reported box AP') == reported.get(name)
    assert len(others) == 9
