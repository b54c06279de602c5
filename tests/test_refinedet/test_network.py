"""The network gives what a PyTorch port of RefineDet gave.

Weights are drawn by the port's names and come through the converter.
"""

from collections.abc import Callable

import numpy as np
import torch
from mmdet.models import BaseDetector
from torch import Tensor

from m2det_mmdet.convert import from_refinedet, to_refinedet

ToRows = Callable[[list[Tensor], int], Tensor]


def names_of_the_port(model: BaseDetector) -> dict[str, tuple[int, ...]]:
    """The port's names and shapes for a model of any values."""
    zeros = {name: torch.zeros(x.shape) for name, x in model.state_dict().items()}
    return {name: tuple(x.shape) for name, x in to_refinedet(zeros, model).items()}


@torch.no_grad()
def test_outputs_and_maps(
    build: Callable[[], BaseDetector],
    weight: Callable[[str, tuple[int, ...]], np.ndarray],
    reference: Callable[[str], dict[str, np.ndarray]],
    to_rows: ToRows,
) -> None:
    expected = reference('net_vgg_320')
    model = build().eval()
    names = names_of_the_port(model)
    drawn = {k: torch.from_numpy(weight(k, shape)) for k, shape in names.items()}
    # In place of the tensors without values.
    model.load_state_dict(from_refinedet(drawn, model), assign=True)
    pixels = np.random.default_rng(1234).uniform(-110, 140, (2, 3, 320, 320))
    # The first of the two, whose values come first, is enough.
    images = torch.from_numpy(pixels.astype(np.float32))[:1]

    sources = model.backbone(images)
    arm_scores, arm_deltas = model.arm_head(sources)
    maps = model.neck(sources)
    odm_scores, odm_deltas = model.bbox_head.forward((maps, arm_scores, arm_deltas))[:2]
    rows = {
        'arm_loc': to_rows(arm_deltas, 4),
        'arm_conf': to_rows(arm_scores, 2).roll(1, dims=2),
        'odm_loc': to_rows(odm_deltas, 4),
        'odm_conf': to_rows(odm_scores, 21).roll(1, dims=2),
    }
    values = {name: x[:, :: expected['row_stride']] for name, x in rows.items()}
    for index, (source, output) in enumerate(zip(sources, maps, strict=True)):
        for name, x in ((f'arm_source_{index}', source), (f'tcb_p{index + 3}', output)):
            step = expected[f'feat_{name}_step']
            values[f'feat_{name}'] = x.flatten()[::step]
    assert len(values) == 12
    for name, value in values.items():
        wanted = expected[name][: len(value)]
        assert np.abs(value.numpy() - wanted).max() <= 1e-4, name
