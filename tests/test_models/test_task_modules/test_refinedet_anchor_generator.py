import pytest
import torch

from m2det_mmdet.models.task_modules import RefineDetAnchorGenerator


def test_a_cell_has_a_square_a_wide_and_a_tall_box_of_one_area() -> None:
    generator = RefineDetAnchorGenerator(input_size=64, strides=(16,), scale=2)
    (boxes,) = generator.grid_priors([(4, 4)], device='cpu')

    # The second cell of the first row: 16 and 8 pixels to its centre.
    root = 2**0.5
    shapes = torch.tensor([[32, 32], [32 * root, 32 / root], [32 / root, 32 * root]])
    centre = torch.tensor([24.0, 8.0])
    expected = torch.cat([centre - shapes / 2, centre + shapes / 2], dim=1)
    torch.testing.assert_close(boxes[3:6], expected)
    assert generator.num_base_priors == [3]


def test_sizes_in_pixels_do_not_depend_on_the_image() -> None:
    for size in (320, 512):
        generator = RefineDetAnchorGenerator(input_size=size)
        sides = [round(shapes[0][0], 6) for shapes in generator.shapes]
        assert sides == [32, 64, 128, 256]
        assert generator.num_levels == 4


def test_clipping_narrows_boxes_that_are_wider_than_the_image() -> None:
    generator = RefineDetAnchorGenerator(input_size=64, strides=(32,), scale=2)
    (clipped,) = generator.grid_priors([(2, 2)], device='cpu')
    generator.clip = False
    (free,) = generator.grid_priors([(2, 2)], device='cpu')

    widths = [(boxes[:, 2] - boxes[:, 0])[:3] for boxes in (clipped, free)]
    root = 2**0.5
    torch.testing.assert_close(widths[0], torch.tensor([64, 64, 64 / root]))
    torch.testing.assert_close(widths[1], torch.tensor([64, 64 * root, 64 / root]))


def test_strides_hold_at_any_size() -> None:
    generator = RefineDetAnchorGenerator(input_size=64, strides=(16,), clip=False)
    # A convolution of stride 16 makes 3 cells of 40 pixels and 5 of 72.
    (boxes,) = generator.grid_priors([(3, 5)], device='cpu', image_size=(40, 72))
    squares = boxes.view(3, 5, 3, 4)[:, :, 0]
    centres = (squares[..., :2] + squares[..., 2:]) / 2

    assert centres[0, :, 0].tolist() == [8, 24, 40, 56, 72]
    assert centres[:, 0, 1].tolist() == [8, 24, 40]


def test_maps_of_other_strides_are_named() -> None:
    generator = RefineDetAnchorGenerator(input_size=64, strides=(16,))
    message = r'strides=\[16\], .* 40x72 pixels have strides of \[8\.0\]: give these\.'
    with pytest.raises(ValueError, match=message):
        generator.grid_priors([(5, 9)], device='cpu', image_size=(40, 72))
