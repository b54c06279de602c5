"""A fair comparison: the same data, the same budget, a process for each step of a run.

``plan`` gives each config data and budget; ``run`` keeps what has been done, by
``settings`` and ``identity`` (of data), and starts ``worker``; ``report`` writes the
table, whose figures are those of ``figures``.
"""
