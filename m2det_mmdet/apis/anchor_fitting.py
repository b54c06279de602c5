"""Fit the anchors of a config to a data set."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from ..analysis.anchors import AnchorFit, improve
from ..datasets.faults import Faults
from ..datasets.layouts.folder import read_folder
from ..utils.arguments import check_path, check_paths
from ..utils.configs import SCOPE, config_name, find_config, load_config, scoped_name
from ..utils.errors import M2DetError, our_errors
from ..utils.files import check_output, write_whole
from ..utils.images import check_picture, write_picture
from ..utils.logs import prints_to, quiet_log
from ..utils.tables import ABSENT, to_markdown
from ..visualization import AnchorPlot, draw_anchors
from .checks import check_at_least

# IoU of the tables and pictures; training may use another one beside it.
_IOU_THR = 0.5
_CONFIG = """\
# Anchors that `m2det anchors` has fitted to {objects:,} objects of {data}:
# {after:.2%} of them have one of at least IoU {iou_thr:g}, before {before:.2%}.
_base_ = {base!r}

"""
_MODEL = """\
model = dict(
    {head}=dict(
        anchor_generator=dict(
            {settings},
        )
    )
)
"""


@dataclass(frozen=True)
class FittedAnchors:
    """Anchors that fit a data set, or those of the config where it has none better.

    Attributes:
        config: Name of the config.
        head: Key of the head in the model: ``bbox_head`` or ``rpn_head``.
        settings: The changed settings of its ``anchor_generator``; empty where the
            config's own are kept.
        before: How the config's anchors fit the training objects.
        after: How those of ``settings`` fit.
        images: Number of training images.
        written: The config that was written, if any.
        picture: The picture that was written, if any.
    """

    config: str
    head: str
    settings: dict[str, Any]
    before: AnchorFit
    after: AnchorFit
    images: int
    written: Path | None = None
    picture: Path | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The settings by their dotted keys in the config."""
        prefix = f'model.{self.head}.anchor_generator'
        return {f'{prefix}.{key}': value for key, value in self.settings.items()}

    def as_config(self) -> str:
        """Return the settings as lines of a config; empty where there are none."""
        if not self.settings:
            return ''
        settings = [f'{key}={value!r}' for key, value in self.settings.items()]
        return _MODEL.format(head=self.head, settings=(',\n' + 12 * ' ').join(settings))

    def table(self) -> str:
        """Return recall and IoU before and after, and recalls by size and shape."""
        fits = (self.before, self.after)
        rows = {
            f'recall at IoU {thr:g}': [f'{fit.recall(thr):.3f}' for fit in fits]
            for thr in sorted({_IOU_THR, self.before.iou_thr})
        }
        rows['mean of the classes'] = [f'{fit.class_recall():.3f}' for fit in fits]
        groups = zip(*(fit.groups() for fit in fits), strict=True)
        for before, after in groups:
            name = f'{before.name} ({before.count:,})'
            rows[name] = [
                f'{group.recall:.3f}' if group.count else ABSENT
                for group in (before, after)
            ]
        rows['mean best IoU'] = [f'{fit.mean_iou:.3f}' for fit in fits]
        return to_markdown(
            [
                {'objects': name, 'before': before, 'after': after}
                for name, (before, after) in rows.items()
            ],
            aligned=True,
        )


@our_errors()
def fit_anchors(
    config: str | Path | Config,
    data: str | Path,
    *,
    write: str | Path | None = None,
    picture: str | Path | None = None,
    force: bool = False,
    seed: int = 0,
) -> FittedAnchors:
    """Find sizes and ratios of anchors that fit the training objects of a data set.

    The number of anchors in a cell stays, so that weights of the config still fit.

    Args:
        config: Path or name of a config, or the config.
        data: A data folder in COCO's, VOC's or YOLO's form, or a ``data.yaml``.
        write: Config to write, which inherits from ``config``.
        picture: Picture to write: objects and anchors, before and after.
        force: Whether files that are there may be replaced.
        seed: Decides the split where the data have none, and which of many objects the
            search looks at.

    Raises:
        M2DetError: One sentence on an argument, on the config (it does not load or
            build, has no anchors that are matched by IoU), or on the data.
    """
    check_at_least('seed', seed, 0)
    check_path('data', data)
    check_paths(write=write, picture=picture)
    write, picture = (x and Path(x).expanduser() for x in (write, picture))
    base = None if write is None else _check_config(config, write, force=force)
    if picture is not None:
        check_picture(picture)
        check_output(picture, force=force)
    with prints_to(quiet_log()):
        cfg = load_config(config)
        folder = read_folder(Path(data), Faults(), seed=seed)
        found = improve(cfg, folder, seed=seed)
    fitted = FittedAnchors(
        config_name(cfg),
        found.head,
        found.settings,
        found.before,
        found.after,
        images=len(folder.parts['train'].content['images']),
        written=write,
        picture=picture,
    )
    if fitted.written is not None:
        write_whole(fitted.written, _config_text(fitted, base, folder.root.name))
    if fitted.picture is not None:
        write_picture(fitted.picture, _draw(fitted))
    return fitted


def _check_config(config: str | Path | Config, out: Path, *, force: bool) -> str:
    """Return what a config in the place of ``out`` inherits from.

    Raises:
        M2DetError: If none can be written there, or the given one has no name.
    """
    if out.suffix != '.py':
        raise M2DetError(f'{out} is no name of a config: let it end in .py.')
    path = check_output(out, force=force)
    if isinstance(config, Config):
        raise M2DetError(
            'A config that inherits from the given one cannot be written, since no '
            'file holds that: give its path or its name.'
        )
    name = str(config)
    if '::' in name and not name.startswith(SCOPE):
        return name
    base = find_config(name).resolve()
    if base == path:
        raise M2DetError(
            f'{out} is the config to inherit from: give another name to write to.'
        )
    return scoped_name(base) or os.path.relpath(base, path.parent)


def _config_text(fitted: FittedAnchors, base: str, data: str) -> str:
    head = _CONFIG.format(
        objects=len(fitted.after.objects),
        data=data,
        iou_thr=_IOU_THR,
        before=fitted.before.recall(),
        after=fitted.after.recall(),
        base=base,
    )
    return head + fitted.as_config()


def _draw(fitted: FittedAnchors) -> np.ndarray:
    plots = [
        AnchorPlot(
            name,
            fit.objects.sides,
            fit.reached(),
            fit.shapes,
            {
                'all': fit.recall(),
                **{group.name: group.recall for group in fit.groups()},
            },
        )
        for name, fit in (('before', fitted.before), ('after', fitted.after))
    ]
    return draw_anchors(plots, iou_thr=_IOU_THR)
