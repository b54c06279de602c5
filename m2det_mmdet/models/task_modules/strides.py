"""Whether strides are those of maps."""

Size = tuple[int, int]


def stride_fits(pixels: Size, stride: tuple[float, float], cells: Size) -> bool:
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
