"""The parts of the page."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from m2det_mmdet import Prediction
from m2det_mmdet.web.html import found_html, note_html

PICTURE = np.zeros((4, 4, 3), np.uint8)
FOUND = Prediction(
    path=Path('<x>.jpg'),
    image_id=1,
    boxes=np.float32([[1, 2, 4, 6.5]]),
    scores=np.float32([0.75]),
    labels=np.array([0]),
    classes=('<b>',),
    size=(40, 30),
)


def test_boxes_are_in_a_table_and_to_be_taken_along() -> None:
    text = found_html(FOUND, PICTURE)

    cells = re.findall(r'<td>(.*?)</td>', text)
    assert cells[:-1] == ['1', '&lt;b&gt;', '0.750', '1.0', '2.0', '3.0', '4.5']
    assert 'data-object="0"' in cells[-1]
    name, data = re.search(
        r'download="(.*?)" href="data:.*?;base64,(.*?)"', text
    ).groups()
    assert name == '&lt;x&gt;.json'
    assert json.loads(base64.b64decode(data)) == FOUND.to_coco()
    assert '1 &lt;b&gt;.' in text
    assert '<b>' not in text


def test_nothing_is_told_without_a_table() -> None:
    nothing = replace(
        FOUND, boxes=FOUND.boxes[:0], scores=FOUND.scores[:0], labels=FOUND.labels[:0]
    )

    text = found_html(nothing, PICTURE)

    assert 'nothing with so high a score' in text
    assert '<table' not in text


def test_sentences_are_text() -> None:
    assert '&lt;i&gt;' in note_html('<i>', problem=True)
    assert 'alert' not in note_html('fine')
