import json
from dataclasses import replace

import pytest

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.metadata import FORMAT, Metadata, Preparation

METADATA = Metadata(
    name='cats',
    classes=('cat', 'chat à poils'),
    size=(320, 320),
    batch=None,
    preparation=Preparation(mean=(1.5, 2.0, 3.0), std=(1.0, 1.0, 2.0), rgb=True),
    suppression={'method': 'linear', 'score_thr': 0.1},
    precision='fp32',
    config='model = dict()',
    config_sha256='0' * 64,
    versions={'torch': '2.13.0'},
)


@pytest.mark.parametrize(
    'metadata', [METADATA, replace(METADATA, size=None, batch=4, suppression=None)]
)
def test_the_text_of_a_file_is_read_as_it_was_written(metadata: Metadata) -> None:
    assert Metadata.from_json(metadata.to_json(), 'x.onnx') == metadata


def test_what_a_later_version_has_added_is_passed_over() -> None:
    text = json.dumps({**json.loads(METADATA.to_json()), 'colour': 'red'})

    assert Metadata.from_json(text, 'x.onnx') == METADATA


def test_a_later_format_is_named() -> None:
    text = replace(METADATA, format=FORMAT + 1).to_json()

    with pytest.raises(ExportError, match=r'x.onnx was exported by a later version'):
        Metadata.from_json(text, 'x.onnx')


@pytest.mark.parametrize(
    'text', ['', '[]', '{}', '{"format": 1}', 'null', '{"format": "1"}', '[' * 100_000]
)
def test_a_text_of_others_is_one_sentence(text: str) -> None:
    with pytest.raises(ExportError) as caught:
        Metadata.from_json(text, 'x.onnx')
    assert 'x.onnx' in str(caught.value)
    assert '\n' not in str(caught.value)
