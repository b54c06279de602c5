"""Whether strides fit maps."""

# Height and width, in pixels or cells.
Size = tuple[int, int]
# Vertical and horizontal pixels for each cell.
Stride = tuple[float, float]


def stride_fits(pixels: Size, stride: Stride, cells: Size) -> bool:
    """Whether each side of the input, in strides, is the map's cells to within one.

    Convolutions round up or down, and released configs round their steps.

    Args:
        pixels: Height and width of the input.
        stride: Vertical and horizontal pixels for each cell.
        cells: Height and width of the map.
    """
    return all(
        abs(side / step - count) < 1
        for side, step, count in zip(pixels, stride, cells, strict=True)
    )
