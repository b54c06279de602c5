"""The pictures of the detector and of its necks.

python docs/website/networks.py

writes them to ``docs/pictures``.
"""

from collections.abc import Iterable
from pathlib import Path

from drawing import Arrow, Network, Node, draw

PICTURES = Path(__file__).resolve().parents[1] / 'pictures'


def main() -> None:
    """Write all pictures."""
    PICTURES.mkdir(exist_ok=True)
    for name, network in NETWORKS.items():
        (PICTURES / f'{name}.svg').write_text(draw(network))


def column(
    letter: str, levels: Iterable[int], at: float, kind: str = 'map', top: int = 7
) -> tuple[Node, ...]:
    """Return the maps of some levels one above the other, the coarsest on top."""
    return tuple(
        Node(f'{letter}{level}', at, top - level, f'{letter}{level}', kind)
        for level in levels
    )


def across(
    start: str, end: str, levels: Iterable[int], text: str = ''
) -> tuple[Arrow, ...]:
    """Return an arrow from a column to another at each level."""
    return tuple(
        Arrow(f'{start}{level}', f'{end}{level}', text if index == 0 else '')
        for index, level in enumerate(levels)
    )


def along(letter: str, *levels: int, text: str = '') -> tuple[Arrow, ...]:
    """Return arrows from level to level in a column."""
    return tuple(
        Arrow(f'{letter}{start}', f'{letter}{end}', text)
        for start, end in zip(levels, levels[1:], strict=False)
    )


def detector() -> Network:
    """Return M2Det, from an image to boxes."""
    return Network(
        'M2Det: image, backbone, MLFPN, head; losses in training, decoding and '
        'soft-NMS in a test',
        (
            Node('image', 0, 1.75, 'image', 'input'),
            Node('backbone', 1, 1.75, 'backbone', 'step'),
            Node('coarse', 2, 1.25, 'stride 16'),
            Node('fine', 2, 2.25, 'stride 8'),
            Node('mlfpn', 3, 1.75, 'MLFPN', 'step'),
            *(
                Node(f'scale{i}', 4.4, i * 0.7, f'scale {6 - i}', width=60)
                for i in range(6)
            ),
            Node('head', 5.8, 1.75, 'M2DetHead', 'step'),
            Node('losses', 7, 0.75, 'losses', 'output'),
            Node('decode', 7, 2.75, 'decode', 'step'),
            Node('nms', 8, 2.75, 'soft-NMS', 'step'),
            Node('boxes', 9, 2.75, 'boxes', 'output'),
        ),
        (
            Arrow('image', 'backbone'),
            Arrow('backbone', 'fine'),
            Arrow('backbone', 'coarse'),
            Arrow('fine', 'mlfpn'),
            Arrow('coarse', 'mlfpn'),
            *(Arrow('mlfpn', f'scale{i}') for i in range(6)),
            *(Arrow(f'scale{i}', 'head') for i in range(6)),
            Arrow('head', 'losses', 'training'),
            Arrow('head', 'decode', 'test'),
            Arrow('decode', 'nms'),
            Arrow('nms', 'boxes'),
        ),
    )


def mlfpn() -> Network:
    """Return MLFPN with three of its levels."""
    levels = (1, 2, 3)
    return Network(
        'MLFPN: FFMv1 joins two maps into the base feature; TUMs in a chain, each with '
        'the thinned base feature; SFAM gathers their maps by scale',
        (
            Node('coarse', 0, 0.5, 'coarse map', 'input'),
            Node('fine', 0, 1.5, 'fine map', 'input'),
            Node('ffm1', 1.6, 1, 'FFMv1', 'step'),
            Node('base', 2.6, 1, 'base feature'),
            *(Node(f'ffm{i + 1}', 1.3 + i * 1.3, 2.2, 'FFMv2', 'step') for i in levels),
            *(Node(f'tum{i}', 1.3 + i * 1.3, 3.4, f'TUM {i}', 'step') for i in levels),
            Node('sfam', 3.9, 4.6, 'SFAM', 'step'),
            Node('out', 5.2, 4.6, '6 scales', 'output'),
        ),
        (
            Arrow('coarse', 'ffm1', '1x1, enlarged'),
            Arrow('fine', 'ffm1', '3x3'),
            Arrow('ffm1', 'base'),
            *(Arrow('base', f'ffm{i + 1}', '1x1') for i in levels),
            *(Arrow(f'ffm{i + 1}', f'tum{i}') for i in levels),
            Arrow('tum1', 'ffm3', 'largest map'),
            Arrow('tum2', 'ffm4'),
            *(Arrow(f'tum{i}', 'sfam', '6 maps' if i == 1 else '') for i in levels),
            Arrow('sfam', 'out'),
        ),
        'Three of eight levels. SFAM joins maps of equal size, and weighs channels.',
    )


def tum() -> Network:
    """Return one TUM with four of its six scales."""
    steps = (0, 1, 2, 3)
    return Network(
        'TUM: an encoder halves the map step by step; a decoder enlarges it again and '
        'adds the encoder maps',
        (
            Node('e0', 0, 3, 'input', 'input'),
            *(Node(f'e{i}', 0, 3 - i, f'E{i}') for i in steps[1:]),
            *(Node(f'd{i}', 1.5, 3 - i, f'D{i}') for i in steps),
            *(Node(f'p{i}', 2.8, 3 - i, f'scale {i + 1}', 'output') for i in steps),
        ),
        (
            *(Arrow(f'e{i}', f'e{i + 1}', '3x3, stride 2') for i in steps[:-1]),
            *(Arrow(f'e{i}', f'd{i}', '3x3, added') for i in steps[:-1]),
            Arrow('e3', 'd3', '1x1'),
            *(Arrow(f'd{i + 1}', f'd{i}', 'enlarged') for i in steps[:-1]),
            *(Arrow(f'd{i}', f'p{i}', '1x1') for i in steps[:-1]),
            Arrow('d3', 'p3'),
        ),
        'Four of six scales.',
    )


def fpn() -> Network:
    """Return FPN."""
    return Network(
        'FPN: laterals of three maps, added from coarse to fine, then a convolution '
        'each; two further levels',
        (
            *column('C', (5, 4, 3), 0, 'input'),
            *column('L', (5, 4, 3), 1.2),
            *column('P', (7, 6, 5, 4, 3), 2.4, 'output'),
        ),
        (
            *across('C', 'L', (5, 4, 3), '1x1'),
            *along('L', 5, 4, 3, text='enlarged'),
            *across('L', 'P', (5, 4, 3), '3x3'),
            *along('P', 5, 6, 7, text='stride 2'),
        ),
    )


def pafpn() -> Network:
    """Return PAFPN."""
    return Network(
        'PAFPN: an FPN and a second path from fine to coarse',
        (
            *column('C', (5, 4, 3), 0, 'input', top=5),
            *column('L', (5, 4, 3), 1.2, top=5),
            *column('P', (5, 4, 3), 2.4, top=5),
            *column('N', (5, 4, 3), 3.6, 'output', top=5),
        ),
        (
            *across('C', 'L', (5, 4, 3), '1x1'),
            *along('L', 5, 4, 3, text='enlarged'),
            *across('L', 'P', (5, 4, 3), '3x3'),
            *along('P', 3, 4, 5, text='3x3, stride 2'),
            Arrow('P5', 'N5', '3x3'),
            Arrow('P4', 'N4'),
            Arrow('P3', 'N3', 'as it is'),
        ),
        'On the second path each sum is handed on before its 3x3 convolution.',
    )


def nasfpn() -> Network:
    """Return one stack of NAS-FPN."""
    return Network(
        'NAS-FPN: seven nodes, each of two or three maps, as a search has found them',
        (
            *column('P', (7, 6, 5, 4, 3), 0, 'input'),
            Node('a', 1, 3, 'gp'),
            Node('b', 2, 3, 'sum'),
            Node('o3', 3, 4, 'P3', 'output'),
            Node('o4', 4, 3, 'P4', 'output'),
            Node('o5', 5, 2, 'P5', 'output'),
            Node('o7', 6, 0, 'P7', 'output'),
            Node('o6', 7, 1, 'P6', 'output'),
        ),
        (
            Arrow('P6', 'a'),
            Arrow('P4', 'a'),
            Arrow('a', 'b'),
            Arrow('P4', 'b', bend=-24),
            Arrow('b', 'o3'),
            Arrow('P3', 'o3'),
            Arrow('o3', 'o4'),
            Arrow('b', 'o4'),
            Arrow('P5', 'o5'),
            Arrow('o4', 'o5', 'gp'),
            Arrow('o3', 'o5', 'gp', bend=-30),
            Arrow('P7', 'o7'),
            Arrow('o5', 'o7', 'gp'),
            Arrow('b', 'o7', 'gp', bend=10),
            Arrow('o7', 'o6', 'gp'),
            Arrow('o5', 'o6', 'gp'),
        ),
        'One stack; its outputs are the inputs of the next. gp: one map is weighed by '
        'the average of the other, then both are added.',
    )


def rfp() -> Network:
    """Return RFP with two steps."""
    return Network(
        'RFP: the outputs of an FPN enter a second backbone; the same FPN follows, and '
        'a gate mixes both results',
        (
            Node('image', 0, 0.5, 'image', 'input'),
            Node('b1', 1, 0, 'backbone 1', 'step'),
            Node('c1', 2, 0, 'C2 to C5', 'input'),
            Node('f1', 3, 0, 'FPN', 'step'),
            Node('p1', 4, 0, 'P2 to P5'),
            Node('aspp', 4, 1, 'ASPP', 'step'),
            Node('b2', 2, 1, 'backbone 2', 'step'),
            Node('f2', 3, 2, 'same FPN', 'step'),
            Node('p2', 4, 2, 'P2 to P5'),
            Node('gate', 5.1, 1, 'gate', 'step'),
            Node('out', 6.1, 1, 'outputs', 'output'),
        ),
        (
            Arrow('image', 'b1'),
            Arrow('b1', 'c1'),
            Arrow('c1', 'f1'),
            Arrow('f1', 'p1'),
            Arrow('p1', 'aspp'),
            Arrow('aspp', 'b2', 'into its stages'),
            Arrow('image', 'b2'),
            Arrow('b2', 'f2'),
            Arrow('f2', 'p2'),
            Arrow('p1', 'gate'),
            Arrow('p2', 'gate'),
            Arrow('gate', 'out'),
        ),
        'Backbone 2 and all behind it belong to the neck.',
    )


def bifpn() -> Network:
    """Return one cell of BiFPN."""
    inner, outer = (6, 5, 4), (7, 6, 5, 4, 3)
    return Network(
        'BiFPN: a top-down and a bottom-up path; each node adds its inputs with '
        'learned weights',
        (
            *column('P', outer, 0, 'input'),
            *column('M', inner, 1.3),
            *column('Q', outer, 2.6, 'output'),
        ),
        (
            *across('P', 'M', inner),
            Arrow('P7', 'M6'),
            *along('M', 6, 5, 4),
            Arrow('M4', 'Q3'),
            Arrow('P3', 'Q3'),
            Arrow('P7', 'Q7'),
            *across('M', 'Q', inner),
            *(Arrow(f'P{level}', f'Q{level}', bend=23) for level in inner),
            *along('Q', 3, 4, 5, 6, 7),
        ),
        'One of several cells. Down: enlarged; up: max pool. '
        'A node: activation, depthwise 3x3, 1x1, norm.',
    )


def augfpn() -> Network:
    """Return AugFPN."""
    return Network(
        'AugFPN: an FPN whose coarsest lateral gets context, pooled from its input',
        (
            *column('C', (5, 4, 3), 0, 'input', top=6),
            *column('L', (5, 4, 3), 1.3, top=6),
            *column('P', (6, 5, 4, 3), 2.6, 'output', top=6),
            Node('context', 0.65, 0, 'context', 'step'),
        ),
        (
            Arrow('C5', 'context', 'pooled'),
            Arrow('context', 'L5', 'added'),
            *across('C', 'L', (5, 4, 3), '1x1'),
            *along('L', 5, 4, 3, text='enlarged'),
            *across('L', 'P', (5, 4, 3), '3x3'),
            Arrow('P5', 'P6', 'stride 2'),
        ),
        'Context: C5 pooled to 0.1, 0.2 and 0.3 of its size, weighed cell by cell.',
    )


def tcb() -> Network:
    """Return RefineDet's transfer connection blocks."""
    levels = (6, 5, 4, 3)
    return Network(
        'TCB: two convolutions of each map, plus the deconvolution of the coarser '
        'output, then a third convolution',
        (
            *column('C', levels, 0, 'input', top=6),
            *column('S', levels, 1.7, top=6),
            *column('T', levels, 3.2, 'output', top=6),
        ),
        (
            *across('C', 'S', levels, '3x3, ReLU, 3x3'),
            *across('S', 'T', levels, 'ReLU, 3x3'),
            *(
                Arrow(
                    f'T{level}', f'S{level - 1}', 'deconvolution' if level == 6 else ''
                )
                for level in levels[:-1]
            ),
        ),
    )


def ssd_neck() -> Network:
    """Return SSD's neck."""
    return Network(
        'SSDNeck: the maps of the backbone as they are, the first after an L2 norm, '
        'and extra layers behind the last one',
        (
            *column('C', (4, 3), 0, 'input', top=6),
            *column('P', (6, 5, 4, 3), 1.4, 'output', top=6),
        ),
        (
            Arrow('C3', 'P3', 'L2 norm'),
            Arrow('C4', 'P4', 'as it is'),
            *along('P', 4, 5, 6, text='1x1, 3x3 of stride 2'),
        ),
        'The last layers have no padding instead of a stride.',
    )


NETWORKS = {
    'm2det': detector(),
    'mlfpn': mlfpn(),
    'tum': tum(),
    'fpn': fpn(),
    'pafpn': pafpn(),
    'nasfpn': nasfpn(),
    'rfp': rfp(),
    'bifpn': bifpn(),
    'augfpn': augfpn(),
    'tcb': tcb(),
    'ssd_neck': ssd_neck(),
}


if __name__ == '__main__':
    main()
