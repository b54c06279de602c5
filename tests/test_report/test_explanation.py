"""Sections on why a detector finds what it finds."""

import base64

import cv2
import numpy as np

from m2det_mmdet.analysis.explained import Explanation, HeatExplanation
from m2det_mmdet.report.explanation import image_sections
from m2det_mmdet.utils.found_object import FoundObject

IMAGE = np.full((12, 24, 3), 90, np.uint8)


def test_weights_are_left_out_where_there_is_no_attention() -> None:
    found = Explanation(('a',), (), {'a': [np.zeros((2, 1, 1))]}, np.ones((2, 1)))

    assert [x.title for x in image_sections(IMAGE, found)] == ['Objects', 'Maps']


def test_pictures_are_as_large_as_the_page_shows_them() -> None:
    seen = FoundObject((0.0, 0.0, 12.0, 12.0), 0.5, 0, 'a')
    heat = {'all': np.zeros((3, 6))}
    found = HeatExplanation(('a',), (seen,), heat, 'eigencam')

    hot, objects = image_sections(IMAGE, found)

    assert hot.parts[0].pictures[0].caption == 'EigenCAM, all classes'
    data = base64.b64decode(objects.parts[0].pictures[0].source.partition(',')[2])
    drawn = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == (480, 960, 3)
    # The box is the left half, in the colour of its class.
    different = np.abs(drawn[300].astype(int) - 90).max(axis=1) > 40
    places = np.flatnonzero(different)
    assert places[0] < 10
    assert abs(places[-1] - 480) < 10
