_base_ = '../m2det/m2det_r18_bccd.py'

# The rate of the comparison of necks, at which every step learns.
optim_wrapper = dict(optimizer=dict(lr=0.02), clip_grad=dict(max_norm=10))
