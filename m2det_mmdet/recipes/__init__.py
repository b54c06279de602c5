"""Gives a config other data, another length of training or another size of images.

``data`` points its loaders and metrics at a data set, ``schedule`` scales its schedule,
and ``phases`` what hooks and heads begin in an epoch.
"""
