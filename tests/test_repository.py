"""What people who carry on find at the root of the repository."""

import re
from pathlib import Path

import pytest
import yaml

from m2det_mmdet.version import __version__

ROOT = Path(__file__).parents[1]
FORMS = ROOT / '.github' / 'ISSUE_TEMPLATE'


def test_the_citation_is_of_this_version_and_of_the_paper() -> None:
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())

    assert citation['version'] == __version__
    (paper,) = citation['references']
    assert paper['doi'] == '10.1609/aaai.v33i01.33019259'
    assert [author['family-names'] for author in paper['authors']] == [
        'Zhao', 'Sheng', 'Wang', 'Tang', 'Chen', 'Cai', 'Ling',
    ]  # fmt: skip


def test_the_changelog_tells_of_this_version_and_its_day() -> None:
    day = yaml.safe_load((ROOT / 'CITATION.cff').read_text())['date-released']
    headings = re.findall(r'^## (.+)$', (ROOT / 'CHANGELOG.md').read_text(), re.M)

    assert headings[:2] == ['Unreleased', f'{__version__} ({day})']


@pytest.mark.parametrize('path', sorted(FORMS.glob('*.yml')), ids=lambda x: x.stem)
def test_a_form_asks_for_the_installation(path: Path) -> None:
    form = yaml.safe_load(path.read_text())

    assert form.keys() == {'name', 'description', 'labels', 'body'}
    asked = {field['id']: field for field in form['body']}
    assert len(asked) == len(form['body'])
    assert '`m2det doctor --json`' in asked['doctor']['attributes']['description']
    assert asked['what']['validations'] == {'required': True}


def test_the_guide_names_files_that_are_there() -> None:
    words = (ROOT / 'CONTRIBUTING.md').read_text().split('`')[1::2]
    starts = ('m2det_mmdet/', 'tests/', 'configs/', 'docs/')
    named = [word for word in words if word.startswith(starts)]

    assert len(named) > 10
    assert [word for word in named if not (ROOT / word).exists()] == []
