from m2det_mmdet.compat import install

# Before the test modules import mmcv.ops.
install()
