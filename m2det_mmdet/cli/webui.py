"""Serve a page on which a detector looks at pictures.

m2det webui [MODEL ...]

MODEL is a checkpoint (.pth, .safetensors, or its URL), a run folder, a name of
`m2det zoo`, or an exported file (.onnx, .xml, .pt2); by default the weights within the
package. Visitors of the page choose one of them, drop a picture, and move the lowest
score and the suppression; they see the boxes, what the levels see, and can take the
boxes along as COCO JSON.

This machine alone reaches the page, until --host says otherwise. It asks for no
password. Ctrl-C ends it; nothing of the visitors is left.

Needs Gradio: pip install "gradio>=6.31,<7".
"""

import argparse
import os
import sys
import threading

from .arguments import add_device_argument, at_least, fraction, positive
from .termination import terminable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'models',
        nargs='*',
        default=['m2det_r18_scenes'],
        metavar='MODEL',
        help='checkpoint, run folder, name of the zoo or exported file (default: '
        'm2det_r18_scenes)',
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address of this machine to serve at; 0.0.0.0 for all of them (default: '
        '127.0.0.1, which this machine alone reaches)',
    )
    parser.add_argument(
        '--port',
        type=at_least(0),
        default=7860,
        help='port; 0 for one that is free (default: 7860)',
    )
    parser.add_argument(
        '--max-size',
        type=positive,
        default=20,
        metavar='MB',
        help='size of the largest picture that is taken (default: 20)',
    )
    parser.add_argument(
        '--score-thr',
        type=fraction,
        default=0.3,
        metavar='SCORE',
        help='lowest score, as the slider stands at first (default: 0.3)',
    )
    parser.add_argument(
        '--no-browser',
        action='store_true',
        help='open no browser; without a screen none is opened anyway',
    )
    add_device_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C or SIGTERM, and print its address."""
    from ..web import serving

    with (
        terminable(),
        serving(
            args.models,
            host=args.host,
            port=args.port,
            max_size=args.max_size,
            score_thr=args.score_thr,
            device=args.device,
            browser=not args.no_browser and _has_screen(),
        ) as address,
    ):
        print(f'The page is at {address} (Ctrl-C ends it).', flush=True)
        if not args.host.startswith('127.') and args.host not in ('localhost', '::1'):
            print(
                f'Whoever reaches {args.host} can use it: it asks for no password.',
                file=sys.stderr,
            )
        threading.Event().wait()


def _has_screen() -> bool:
    """Whether a browser has a window, and does not take the terminal instead."""
    if not sys.platform.startswith('linux'):
        return True
    return any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY'))
