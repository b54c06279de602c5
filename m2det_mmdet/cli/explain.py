"""Tell what each level of MLFPN gives to the scores of a detector.

m2det explain MODEL IMAGE [--method METHOD] [-o PAGE]
m2det explain MODEL --data DATA [--split SPLIT] [-o PAGE]

MODEL is a checkpoint, a run folder, a name of `m2det zoo`, or a config with its
checkpoint behind it. The score of a class before the softmax is split into what the
channels of each level give to it and a constant; that is exact, with SFAM's weights in
it. Of an image the page shows the objects, and maps of each level and scale over the
image; of a data set which levels and scales find small and large objects and each
class. PAGE is explanation.html by default; the figures are in a JSON file beside it.

A detector without levels has heat maps: of an image the page shows where the maps that
its head gets stand out (EigenCAM). METHOD gradcam shows what speaks for each class.
Both need grad-cam: pip install "m2det[cam]".
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.errors import M2DetError
from ..utils.texts import printable
from .arguments import (
    add_boundary_argument,
    add_config_options,
    add_device_argument,
    config_options,
    fraction,
)
from .model_words import is_image, split_words

if TYPE_CHECKING:
    from ..apis import DataExplanation, Explanation, HeatExplanation

_SHOWN = 10  # objects
# Options that are for an image, and what they may be for data.
_FOR_AN_IMAGE = {'method': (None, 'levels'), 'classes': ([],), 'score_thr': (0.3,)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'model',
        metavar='MODEL',
        help='checkpoint, run folder or name of the zoo; or a config and a checkpoint',
    )
    parser.add_argument(
        'words', nargs='*', metavar='IMAGE', help='path or URL of an image'
    )
    parser.add_argument('--data', help='folder of the data, in place of IMAGE')
    parser.add_argument(
        '--split',
        choices=('train', 'val', 'test'),
        help='images of the data: with this alone those of the config',
    )
    add_boundary_argument(parser)
    parser.add_argument(
        '-o',
        '--out',
        default='explanation.html',
        metavar='PAGE',
        help='page to write (default: explanation.html)',
    )
    parser.add_argument(
        '--score-thr',
        type=fraction,
        default=0.3,
        help='lowest score of an object in IMAGE (default: 0.3)',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        default=[],
        metavar='CLASS',
        help='show maps of these; by default of those that are found',
    )
    parser.add_argument(
        '--method',
        choices=('levels', 'gradcam', 'eigencam'),
        help='of IMAGE; by default levels where MODEL has them, else eigencam',
    )
    parser.add_argument('--force', action='store_true', help='replace PAGE')
    add_config_options(parser)
    add_device_argument(parser)
    # IMAGE may stand before and after options.
    parser.parse_args = parser.parse_intermixed_args


def run(args: argparse.Namespace) -> None:
    """Write the page, and print the most important figures."""
    from ..apis import explain, explain_data
    from .console import bar

    common = {
        'out': Path(args.out),
        'force': args.force,
        'device': args.device,
        'options': config_options(args.cfg_options),
    }
    if args.data is not None or args.split is not None:
        _check_data_words(args)
        with bar('Looking') as advance:
            result = explain_data(
                args.model,
                *args.words,
                data=args.data,
                split=args.split,
                allow_outside=args.allow_outside,
                on_event=lambda step: advance(step.batch, step.batches),
                **common,
            )
        for problem in result.data_problems:
            print(printable(problem), file=sys.stderr)
        _print_data(result)
    else:
        model, checkpoint, image = _image_words(args)
        found = explain(
            model,
            image,
            checkpoint,
            score_thr=args.score_thr,
            classes=args.classes,
            method=args.method,
            **common,
        )
        if found.method == 'levels':
            _print_image(found)
        else:
            _print_heat(found)
    print(f'Page: {printable(args.out)}')


def _check_data_words(args: argparse.Namespace) -> None:
    """Stop where there is more than data take."""
    if len(args.words) > 1 or any(map(is_image, args.words)):
        raise M2DetError(
            f'{args.words[-1]} is one word too many: with --data or --split there '
            'is no IMAGE.'
        )
    for option, allowed in _FOR_AN_IMAGE.items():
        if getattr(args, option) not in allowed:
            name = option.replace('_', '-')
            raise M2DetError(
                f'--{name} is for an IMAGE: leave it out, or --data and --split.'
            )


def _image_words(args: argparse.Namespace) -> tuple[str, str | None, str]:
    """Return the model, the checkpoint if there is one, and the image."""
    if args.allow_outside:
        raise M2DetError('--allow-outside is for --data: leave it out.')
    if not args.words:
        # An option that takes several words takes the image behind it, too.
        hint = f' before --classes {args.classes[0]}' if args.classes else ''
        raise M2DetError(f'Name an IMAGE{hint}, or a data set by --data or --split.')
    model, checkpoint, images = split_words(args.model, args.words)
    if len(images) > 1:
        raise M2DetError(f'One image is explained at a time: leave out {images[1]}.')
    return model, checkpoint, images[0]


def _print_image(found: 'Explanation') -> None:
    for x in found.objects[:_SHOWN]:
        levels = ', '.join(f'{part:+.2f}' for part in x.evidence)
        name = printable(x.name)
        print(f'{name} {x.score:.3f}, scale {x.scale + 1}: levels {levels}')
    _print_rest(len(found.objects))


def _print_heat(found: 'HeatExplanation') -> None:
    print(found.note or f'Heat maps by {found.method}.')
    for x in found.objects[:_SHOWN]:
        print(f'{printable(x.name)} {x.score:.3f}')
    _print_rest(len(found.objects))


def _print_rest(number: int) -> None:
    if number > _SHOWN:
        print(f'and {number - _SHOWN} more')


def _print_data(result: 'DataExplanation') -> None:
    for groups in result.groups.values():
        for name, group in groups.items():
            levels = ', '.join(f'{part:+.2f}' for part in group.evidence)
            print(f'{printable(name)} ({group.objects:,} found): levels {levels}')
