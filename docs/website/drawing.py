"""Pictures of networks as SVG, from nodes in a grid and arrows between them.

The ground is transparent and no colour is near white or black, so that a picture is
readable on a light and on a dark page.
"""

from collections.abc import Iterable, Iterator
from html import escape
from typing import NamedTuple

# Pixels.
COLUMN, ROW = 112, 58
MARGIN = 12
HEIGHT = 32
WIDTH = 84
# Fill of a node; its text is dark on all of them.
FILLS = {
    'input': '#c9d1d9',
    'map': '#9cc4f0',
    'step': '#e3cfa0',
    'output': '#9fd8a8',
}
LINE = '#768390'
FONT = 'font-family="Helvetica, Arial, sans-serif"'


class Node(NamedTuple):
    """A map, or a step of a network.

    Attributes:
        name: By which arrows name it.
        column: Its place from the left, which need not be a whole number.
        row: Its place from the top.
        text: What stands in it.
        kind: A key of ``FILLS``.
        width: Pixels.
    """

    name: str
    column: float
    row: float
    text: str
    kind: str = 'map'
    width: int = WIDTH

    @property
    def centre(self) -> tuple[float, float]:
        """Its centre, pixels from the left and the top."""
        return (
            MARGIN + WIDTH / 2 + self.column * COLUMN,
            MARGIN + HEIGHT / 2 + self.row * ROW,
        )


class Arrow(NamedTuple):
    """What goes from one node into another.

    Attributes:
        start: Name of a node.
        end: Name of another.
        text: What is done on the way.
        bend: Pixels by which its middle is moved to its left, for the one who walks
            along it.
    """

    start: str
    end: str
    text: str = ''
    bend: float = 0


class Network(NamedTuple):
    """What a picture shows.

    Attributes:
        title: One sentence, for those who do not see it.
        nodes: The nodes.
        arrows: The arrows.
        caption: A line below it.
    """

    title: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    caption: str = ''


def draw(network: Network) -> str:
    """Return the picture of a network as SVG."""
    nodes = {node.name: node for node in network.nodes}
    right = max(node.centre[0] + node.width / 2 for node in nodes.values())
    bottom = max(node.centre[1] + HEIGHT / 2 for node in nodes.values())
    width = round(max(right, 6.2 * len(network.caption)) + MARGIN)
    height = round(bottom + MARGIN + (24 if network.caption else 0))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">',
        f'<title>{escape(network.title)}</title>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{LINE}"/>'
        '</marker></defs>',
        *_arrows(network.arrows, nodes),
        *(line for node in network.nodes for line in _box(node)),
    ]
    if network.caption:
        lines.append(
            f'<text x="{MARGIN}" y="{height - MARGIN}" {FONT} font-size="12" '
            f'fill="{LINE}">{escape(network.caption)}</text>'
        )
    return '\n'.join([*lines, '</svg>', ''])


def _box(node: Node) -> Iterator[str]:
    x, y = node.centre
    yield (
        f'<rect x="{x - node.width / 2:g}" y="{y - HEIGHT / 2:g}" '
        f'width="{node.width}" height="{HEIGHT}" rx="5" fill="{FILLS[node.kind]}"/>'
    )
    yield (
        f'<text x="{x:g}" y="{y + 4:g}" {FONT} font-size="12" fill="#1c2128" '
        f'text-anchor="middle">{escape(node.text)}</text>'
    )


def _arrows(arrows: Iterable[Arrow], nodes: dict[str, Node]) -> Iterator[str]:
    for arrow in arrows:
        start, end = nodes[arrow.start], nodes[arrow.end]
        middle = _middle(start, end, arrow.bend)
        (x0, y0), (x1, y1) = _border(start, middle), _border(end, middle)
        yield (
            f'<path d="M{x0:.1f} {y0:.1f}Q{middle[0]:.1f} {middle[1]:.1f} {x1:.1f} '
            f'{y1:.1f}" fill="none" stroke="{LINE}" stroke-width="1.5" '
            'marker-end="url(#tip)"/>'
        )
        if arrow.text:
            # The curve passes half way between its ends and its control point.
            x = (x0 + x1) / 4 + middle[0] / 2
            y = (y0 + y1) / 4 + middle[1] / 2
            yield _label(arrow.text, x, y, x1 - x0, y1 - y0)


def _label(text: str, x: float, y: float, dx: float, dy: float) -> str:
    """Return a text beside the middle of an arrow, which goes by ``dx`` and ``dy``."""
    anchor = ''
    if abs(dy) < abs(dx) / 5:
        y, anchor = y - 4, ' text-anchor="middle"'
    elif abs(dx) < abs(dy) / 5:
        x, y = x + 8, y + 3
    else:
        # On the side to which the line does not lean.
        x, y = x + 6, y - 4 if dx * dy > 0 else y + 10
    return (
        f'<text x="{x:.1f}" y="{y:.1f}"{anchor} {FONT} font-size="10.5" '
        f'fill="{LINE}">{escape(text)}</text>'
    )


def _middle(start: Node, end: Node, bend: float) -> tuple[float, float]:
    """Return the control point of an arrow's curve."""
    (x0, y0), (x1, y1) = start.centre, end.centre
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    along = ((x1 - x0) / length, (y1 - y0) / length)
    return (
        (x0 + x1) / 2 + 2 * bend * along[1],
        (y0 + y1) / 2 - 2 * bend * along[0],
    )


def _border(node: Node, towards: tuple[float, float]) -> tuple[float, float]:
    """Return where the line from a node's centre to a point leaves its box."""
    x, y = node.centre
    dx, dy = towards[0] - x, towards[1] - y
    sides = []
    if dx:
        sides.append((node.width / 2 + 2) / abs(dx))
    if dy:
        sides.append((HEIGHT / 2 + 2) / abs(dy))
    share = min(sides)
    return x + dx * share, y + dy * share
