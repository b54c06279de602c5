from m2det_mmdet.recipes.loading import load_deep_images
from m2det_mmdet.utils.configs import load_config


def test_every_pipeline_reads_the_bits_that_are_used() -> None:
    cfg = load_config('m2det_r18_320')

    load_deep_images(cfg, 12)

    loaders = [cfg[f'{key}_dataloader'] for key in ('train', 'val', 'test')]
    first = [loader.dataset.pipeline[0] for loader in loaders] + [cfg.tta_pipeline[0]]
    assert first == [{'type': 'LoadDeepImageFromFile', 'bits': 12}] * 4
