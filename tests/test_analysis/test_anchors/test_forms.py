import pytest

from m2det_mmdet.analysis.anchors.forms import numbers_of, shapes_of
from m2det_mmdet.analysis.anchors.heads import build_generator

M2DET = {'type': 'M2DetAnchorGenerator', 'input_size': 100, 'sizes': [0.1, 0.2, 0.4]}
REFINEDET = {
    'type': 'RefineDetAnchorGenerator',
    'input_size': 64,
    'strides': [8],
    'scale': 4,
}
SSD = {
    'type': 'SSDAnchorGenerator',
    'strides': [8, 16],
    'ratios': [[2], [2, 3]],
    'min_sizes': [20, 40],
    'max_sizes': [40, 90],
}
RETINA = {
    'type': 'AnchorGenerator',
    'strides': [8, 16],
    'ratios': [0.5, 1.0, 2.0],
    'octave_base_scale': 4,
    'scales_per_octave': 2,
}
RPN = {'type': 'AnchorGenerator', 'strides': [8], 'ratios': [1.0], 'scales': [2, 8]}
BASES = {**RPN, 'strides': [8, 16], 'scales': [2.0], 'base_sizes': [10, 30]}


@pytest.mark.parametrize(
    ('settings', 'sizes', 'ratios', 'pixels'),
    [
        # The ratios of a default.
        (M2DET, (0.1, 0.2, 0.4), (2, 3), 100),
        ({**M2DET, 'ratios': [[2], [2, 3]]}, (0.1, 0.2, 0.4), (2, 2, 3), 100),
        ({**M2DET, 'ratios': []}, (0.1, 0.2, 0.4), (), 100),
        (REFINEDET, (4,), (2,), None),
        (SSD, (20, 40, 90), (2, 2, 3), 1),
        (RETINA, (4,), (0.5, 1, 2), None),
        (RPN, (2, 8), (1,), None),
        (BASES, (10, 30), (1,), 2),
    ],
)
def test_numbers_are_those_of_the_settings(
    settings: dict, sizes: tuple, ratios: tuple, pixels: float | None
) -> None:
    numbers = numbers_of(settings, build_generator(settings))

    assert numbers.sizes == pytest.approx(sizes)
    assert numbers.ratios == ratios
    assert numbers.pixels == pixels


@pytest.mark.parametrize(
    ('settings', 'sizes', 'ratios', 'written'),
    [
        (M2DET, (0.1, 0.3, 0.5), (2, 3), {'sizes': [0.1, 0.3, 0.5]}),
        (M2DET, (0.1, 0.2, 0.4), (1.5, 3), {'ratios': [1.5, 3]}),
        ({**M2DET, 'sizes': (0.1, 0.2, 0.4)}, (0.1, 0.2, 0.4), (2, 3), {}),
        (
            {**M2DET, 'ratios': [[2], [2, 3]]},
            (0.1, 0.2, 0.4),
            (4, 3, 1.5),
            {'ratios': [[4], [1.5, 3]]},
        ),
        (REFINEDET, (3,), (2,), {'scale': 3}),
        (SSD, (20, 40, 80), (2, 2, 3), {'max_sizes': [40, 80]}),
        (
            SSD,
            (20, 50, 90),
            (2, 2, 3),
            {'min_sizes': [20, 50], 'max_sizes': [50, 90]},
        ),
        (RETINA, (5,), (0.5, 1, 2), {'octave_base_scale': 5}),
        (RPN, (3, 8), (1,), {'scales': [3, 8]}),
        (BASES, (12, 30), (1.5,), {'base_sizes': [12, 30], 'ratios': [1.5]}),
    ],
)
def test_numbers_are_written_in_the_form_of_the_settings(
    settings: dict, sizes: tuple, ratios: tuple, written: dict
) -> None:
    generator = build_generator(settings)

    found = numbers_of(settings, generator).settings(sizes, ratios)

    assert found == written
    changed = build_generator({**settings, **found})
    assert [*map(len, shapes_of(changed))] == [*map(len, shapes_of(generator))]


def test_a_chain_of_sizes_replaces_sizes_that_are_none() -> None:
    settings = {**SSD, 'max_sizes': [30, 90]}
    numbers = numbers_of(settings, build_generator(settings))

    assert numbers.settings((20, 40, 90), numbers.ratios) == {'max_sizes': [40, 90]}


def test_shapes_are_those_of_a_cell() -> None:
    # sqrt(10 * 20) and sqrt(20 * 40) are the second squares.
    assert shapes_of(build_generator({**M2DET, 'ratios': []})) == [
        [(10, 10), pytest.approx((200**0.5, 200**0.5))],
        [(20, 20), pytest.approx((800**0.5, 800**0.5))],
    ]
    assert shapes_of(build_generator(RPN)) == [[(16, 16), (64, 64)]]
    wide, square, tall = shapes_of(build_generator({**BASES, 'ratios': [0.25, 1, 4]}))[
        0
    ]
    # mmdet's ratios are height by width.
    assert wide == pytest.approx((40, 10))
    assert square == (20, 20)
    assert tall == pytest.approx((10, 40))
