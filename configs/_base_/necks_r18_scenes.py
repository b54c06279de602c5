# At 128 pixels the scales have strides 4 to 64, so that anchors are as large beside
# their strides as on BCCD: every neck takes C2 too. RFP has these strides anyway.
_base_ = ['../m2det/m2det_r18_scenes.py', './necks_r18.py']

maps = [24, 48, 96, 192]
ssd = dict(in_channels=maps, level_strides=(2,), level_paddings=(1,))
necks = dict(
    fpn=dict(in_channels=maps, out_channels=96),
    pafpn=dict(in_channels=maps, out_channels=68),
    nasfpn=dict(in_channels=maps, out_channels=48),
    bifpn=dict(in_channels=maps, out_channels=112),
    augfpn=dict(in_channels=maps, out_channels=88),
    tcb=[
        dict(_base_.necks.tcb[0], **ssd, out_channels=[*maps, 80]),
        dict(_base_.necks.tcb[1], in_channels=[*maps, 80], out_channels=48),
    ],
    ssd=dict(out_channels=[*maps, 272], **ssd),
    mlfpn=dict(in_channels=maps, ffm_channels=(48, 48, 48, 48)),
)
model = _base_.narrow_model
model.backbone.out_indices = (0, 1, 2, 3)
optim_wrapper = _base_.adamw
