"""What every test needs: the package registered, mmdet's registries in charge."""

import pytest
from mmengine.registry import DefaultScope, init_default_scope

import m2det_mmdet  # noqa: F401


@pytest.fixture(autouse=True)
def mmdet_scope() -> None:
    """Let configs name mmdet's modules without their scope, as its tools do."""
    if DefaultScope.get_current_instance() is None:
        init_default_scope('mmdet')
