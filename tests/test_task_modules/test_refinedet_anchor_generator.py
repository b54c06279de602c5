import torch

from m2det_mmdet.task_modules import RefineDetAnchorGenerator


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
