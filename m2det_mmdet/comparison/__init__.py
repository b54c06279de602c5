"""Makes configs comparable: the same data, the same budget."""

from .data import (
    annotation_files,
    check_metric,
    count_images,
    known_classes,
    repetitions,
    set_num_classes,
    test_split,
    use_data,
)
from .error import ComparisonError
from .schedule import epoch_length, set_epochs, set_minutes
from .settings import differences, settings_of

__all__ = [
    'ComparisonError',
    'annotation_files',
    'check_metric',
    'count_images',
    'differences',
    'epoch_length',
    'known_classes',
    'repetitions',
    'set_epochs',
    'set_minutes',
    'set_num_classes',
    'settings_of',
    'test_split',
    'use_data',
]
