from m2det_mmdet.analysis.level_shares import FoundByLevels
from m2det_mmdet.analysis.level_view import ExplainedObject, FiredAnchor


def found(score: float, label: int, evidence: tuple[float, ...]) -> ExplainedObject:
    """An object of 100 x 100 pixels."""
    box = (0.0, 0.0, 100.0, 100.0)
    anchors = (FiredAnchor(box, 1, (0, 0), score),)
    name = ['car', 'dog'][label]
    return ExplainedObject(
        box, score, label, name, 0.0, 0.0, evidence, evidence, 0.0, anchors
    )


def test_each_object_counts_by_its_area_class_and_best_box() -> None:
    groups = FoundByLevels(['car', 'dog'], {'car': 'vehicle', 'dog': 'animal'})
    seen = [found(0.9, 1, (9, 9)), found(0.8, 0, (1, 3)), found(0.7, 0, (5, 5))]
    object_ = {'bbox': [0, 0, 100, 100], 'category_id': 1}
    groups.add([{**object_, 'area': 1023.5}], seen)
    # COCO's medium begins at 32 ** 2 pixels of a mask, its large at 96 ** 2.
    groups.add([{**object_, 'area': 1024}, {**object_, 'area': 9216}], seen[1:2])
    groups.add([{**object_, 'area': 9216, 'iscrowd': 1}], seen)
    groups.add([{'bbox': [0, 0, 49, 100], 'category_id': 1, 'area': 4900}], seen)
    shares = groups.shares(2)

    assert {x: y.objects for x, y in shares['size'].items()} == {
        'small': 1,
        'medium': 1,
        'large': 1,
    }
    assert [*shares['class']] == ['car']
    assert [*shares['supercategory']] == ['vehicle']
    whole = shares['all']['all']
    assert (whole.evidence, whole.scales) == ((1, 3), (0, 3))
    assert whole.shares == (0.25, 0.75)
