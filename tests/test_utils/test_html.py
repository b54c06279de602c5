"""HTML that holds its pictures."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from m2det_mmdet.utils.html import data_address, templates_in


def test_what_templates_are_given_is_text(tmp_path: Path) -> None:
    (tmp_path / 'x.html').write_text('<p>{{ said | commands }}</p>')
    template = templates_in(tmp_path).get_template('x.html')

    text = template.render(said='Call `m2det <i>`, <b>.')

    assert text == '<p>Call <code>m2det &lt;i&gt;</code>, &lt;b&gt;.</p>'
    with pytest.raises(UndefinedError, match='said'):
        template.render()


def test_an_address_holds_the_file() -> None:
    assert data_address('text/plain', b'abc') == 'data:text/plain;base64,YWJj'
