"""Whether strides are those of maps."""

# Height and width, in pixels or cells.
Size = tuple[int, int]
# Vertical and horizontal pixels for each cell.
Stride = tuple[float, float]


def stride_fits(pixels: Size, stride: Stride, cells: Size) -> bool:
    """Tell whether an input is, up to one, as many strides long as a map has cells.

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
