"""Labels of images in the forms that labelling tools read, one file for each form."""

from . import coco, csv_table, voc, yolo
from .labels import Images, LabelFormat, LabelledBox, LabelledImage, to_labels

__all__ = [
    'FORMATS',
    'Images',
    'LabelFormat',
    'LabelledBox',
    'LabelledImage',
    'to_labels',
]

FORMATS: dict[str, LabelFormat] = {
    'coco': LabelFormat(coco.paths, (coco.FILE,), coco.write),
    'yolo': LabelFormat(yolo.paths, (yolo.CLASSES,), yolo.write),
    'voc': LabelFormat(voc.paths, (), voc.write),
    'csv': LabelFormat(csv_table.paths, (csv_table.FILE,), csv_table.write),
}
