"""What a graph's file tells about the size of its images."""

from m2det_mmdet.apis.inferencer import build_inferencer
from m2det_mmdet.apis.model_source import find_model
from m2det_mmdet.export.plan import plan_graph

RATIO = {
    'test_dataloader.dataset.pipeline.1.keep_ratio': True,
    'test_dataloader.dataset.pipeline.1.scale': (200, 150),
}


def test_a_graph_for_any_size_tells_to_what_images_are_resized() -> None:
    cfg, checkpoint, _ = find_model('m2det_r18_scenes', None, RATIO)
    model = build_inferencer(cfg, checkpoint, 'cpu').model

    plan = plan_graph(cfg, model)
    fixed = plan_graph(cfg, model, size=(64, 96))

    assert (plan.size, plan.preparation.resize) == (None, (150, 200))
    assert plan.preparation.keep_ratio
    assert (fixed.size, fixed.preparation.resize) == ((64, 96), (64, 96))
