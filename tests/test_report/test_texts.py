import pytest

from m2det_mmdet.report.texts import count, figure, share


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0.0, '0 %'),
        (0.001, 'less than 1 %'),
        (0.5, '50 %'),
        (0.9999, 'more than 99 %'),
        (1.0, '100 %'),
        (float('nan'), '-'),
    ],
)
def test_shares_are_percentages(value: float, text: str) -> None:
    assert share(value) == text


def test_figures_and_counts() -> None:
    assert [figure(0.12345), figure(None), figure(float('nan'))] == ['0.123', '-', '-']
    assert [count(1, 'class', 'classes'), count(1200, 'class', 'classes')] == [
        '1 class',
        '1,200 classes',
    ]
    assert count(2, 'image') == '2 images'
