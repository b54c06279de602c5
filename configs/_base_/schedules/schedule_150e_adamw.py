# The paper's epochs, with the optimizer of networks that SGD does not train well. The
# rate is that of MMDetection's Swin Transformers, at a total batch of 32.
_base_ = './schedule_150e.py'

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-4, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
