"""Tables of text."""

from collections.abc import Mapping, Sequence

ABSENT = '-'


def to_markdown(rows: Sequence[Mapping[str, str]], *, aligned: bool = False) -> str:
    """Write rows as a Markdown table under the names of their columns.

    Args:
        rows: Cells by column, at least one row; all rows have the same columns.
        aligned: Whether to fill cells on the left so that columns line up, as a
            console shows them best.
    """
    names = list(rows[0])
    lines = [
        names,
        ['---'] * len(names),
        *([row[name] for name in names] for row in rows),
    ]
    lines = [[cell.replace('|', r'\|') for cell in cells] for cells in lines]
    if aligned:
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        fills = (' ', '-', *[' '] * len(rows))
        lines = [
            [cell.rjust(width, fill) for cell, width in zip(cells, widths, strict=True)]
            for cells, fill in zip(lines, fills, strict=True)
        ]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
