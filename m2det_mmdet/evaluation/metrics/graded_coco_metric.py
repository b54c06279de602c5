"""COCO's figures, and the AP of each group of categories."""

from collections import defaultdict
from statistics import fmean

from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


@METRICS.register_module()
class GradedCocoMetric(CocoMetric):
    """mmdet's ``CocoMetric``, with the mean AP of each ``supercategory``.

    In the generated scenes it is the complexity of a class: ``plain``, ``textured`` or
    ``composed``. Each group adds ``bbox_mAP_<supercategory>``, the mean over its
    classes that have objects, as COCO's AP is the mean over all classes. Data without
    supercategories give only COCO's figures.

    Args:
        **kwargs: Arguments of :class:`CocoMetric`; ``ann_file`` is needed.
    """

    def __init__(self, **kwargs) -> None:  # noqa: ANN003
        super().__init__(**{**kwargs, 'classwise': True})

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute COCO's figures, those of the classes and those of the groups."""
        metrics = super().compute_metrics(results)
        groups = defaultdict(list)
        for category in self._coco_api.loadCats(self.cat_ids):
            ap = metrics.get(f'{category["name"]}_precision')
            # A class without objects has -1 or NaN.
            if ap is not None and ap >= 0 and category.get('supercategory'):
                groups[category['supercategory']].append(ap)
        graded = {f'bbox_mAP_{name}': fmean(aps) for name, aps in groups.items()}
        return {**metrics, **graded}
