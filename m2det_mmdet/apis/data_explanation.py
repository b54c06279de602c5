"""Tell which levels of a detector find the objects of a data set."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from ..analysis.explained import DataExplanation
from ..analysis.level_shares import FoundByLevels
from ..analysis.level_view import LevelView
from ..datasets.coco import load_annotations
from ..engine.hooks import Step
from ..evaluation.ground_truth import truth_of
from ..report.explanation import data_page
from ..report.explanation_figures import figures_of_data
from ..report.page_files import page_to_write, write_page
from ..utils.arguments import check_callable, check_paths
from ..utils.errors import M2DetError, our_errors
from ..utils.logs import prints_to, quiet_log
from .checks import check_one_of, check_run
from .evaluation_data import SPLITS, choose_images
from .explained_detector import check_its_levels, looked_into
from .model_source import find_model


@our_errors()
def explain_data(
    model: str | Path | Config,
    checkpoint: str | Path | None = None,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    allow_outside: bool = False,
    out: str | Path | None = None,
    force: bool = False,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[Step], None] | None = None,
) -> DataExplanation:
    """Tell which levels find the objects of a data set, by their size and class.

    Each object counts that the detector finds: by a box of its class with an IoU of at
    least 0.5, whatever its score; of several by the one with the best score.

    Args:
        model: As of :func:`.explain`.
        checkpoint: Where ``model`` is a config.
        data: A folder of one's own; by default the data of the config.
        split: As of :func:`.report`.
        allow_outside: Whether images of ``data`` may lie outside of it.
        out: HTML file to write, and JSON beside it; nothing is written by default.
        force: Whether files there may be replaced.
        device: ``'cpu'``, ``'cuda'``, ...; the best there is by default.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets a :class:`.Step` after each image.

    Raises:
        LevelsError: If the scores of the detector are no sum over levels.
        M2DetError: One sentence on what is wrong with an argument, the model or the
            data; also if no object was found.
    """
    check_one_of('split', split, SPLITS)
    check_paths(data=data)
    check_callable('on_event', on_event)
    page = page_to_write(out, force=force)
    detector = looked_into(model, checkpoint, device, options)
    check_its_levels(detector)
    with TemporaryDirectory() as scratch:
        source = find_model(model, checkpoint, options)
        chosen = choose_images(
            source.cfg,
            source.checkpoint,
            data=data,
            split=split,
            default='val',
            out=Path(scratch),
            allow_outside=allow_outside,
        )
        dataset = check_run(source.cfg, ('test',), None, complete=True).datasets['test']
        with prints_to(quiet_log()):
            truth = truth_of(dataset)
            supercategories = _supercategories(dataset)
    found = FoundByLevels(detector.classes, supercategories)
    for number, (image_id, image) in enumerate(truth.imgs.items(), start=1):
        _, given = detector.network_input(image['file_name'])
        view = LevelView(detector.inferencer.model, *given, detector.classes)
        found.add(truth.imgToAnns[image_id], view.objects(0))
        if on_event is not None:
            on_event(Step('test', None, None, number, len(truth.imgs)))
    groups = found.shares(len(view.split.sizes))
    if not groups:
        raise M2DetError(
            'The detector found none of the objects, so that there is nothing to '
            'explain: train it longer, or choose other images.'
        )
    result = DataExplanation(
        chosen.split,
        len(truth.imgs),
        sum(not x.get('iscrowd', 0) for x in truth.anns.values()),
        groups,
        chosen.problems,
        page,
    )
    if page is not None:
        with prints_to(quiet_log()):
            text = data_page(str(detector.checkpoint), result)
        write_page(page, text, figures_of_data(result))
    return result


def _supercategories(dataset: BaseDataset) -> dict[str, str]:
    """Return the supercategory of each class where a COCO file tells several."""
    if not isinstance(dataset, CocoDataset) or not Path(dataset.ann_file).is_file():
        return {}
    found = {
        x['name']: x['supercategory']
        for x in load_annotations(dataset.ann_file).cats.values()
        if x.get('supercategory')
    }
    return found if len({*found.values()}) > 1 else {}
