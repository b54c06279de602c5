"""Changes files of data at random, by a seed: what strangers might send."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

LONGEST = 2000  # characters of a sentence
IMAGES = (('train', ('a.jpg', 'b.jpg')), ('val', ('c.jpg',)))


def _deep(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


# What takes the place of a value.
VALUES = (
    *(None, True, False, 0, -1, 7, 0.5, 1e300, 10**30, 10**400),
    *(float('nan'), float('inf'), -float('inf')),
    *('', ' ', '0', 'abc', 'ü', '\0', '\ud800', 'a\nb', '..', '/', 'x' * 5000),
    *([], {}, [1], [[]], [None], {'a': 1}, ['a', 'b'], [float('nan')] * 4),
    *(_deep(30), _deep(400)),
)
# What is put between bytes, and takes the place of a number or word of a text.
WORDS = (
    *('', '0', '-1', '7', '0.5', 'nan', 'inf', '-inf', '1e400', '1e300', 'NaN'),
    *('abc', 'ü', '\0', '\ufeff', '"', "'", '{', '}', '[', ']', ':', ',', '#', '\n'),
    *('null', '~', '!!int ""', '!!timestamp x', '&a [*a]', '*a', '<<: *a', '---'),
    *('<', '>', '&', '&lt;', '&b;', '<!DOCTYPE a [<!ENTITY b "c">]>', '<!--', ']]>'),
    *('9' * 5000, '[' * 100_000, '{"a":' * 1000, '<a>' * 10_000, 'x' * 100_000),
)
BOMB = '\n'.join(
    ['x0: &x0 {a: 1}']
    + [f'x{i}: &x{i} [{", ".join([f"*x{i - 1}"] * 9)}]' for i in range(1, 10)]
)
LAUGHS = ''.join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


class Mutator:
    """Changes files at random.

    Args:
        seed: The same seed gives the same changes.
    """

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def content(self, content: Any) -> Any:
        """Change one to three values of a document in place."""
        for _ in range(self.random.randint(1, 3)):
            places = list(_places(content))
            if not places:
                return content
            parent, key = self.random.choice(places)
            change = self.random.choice(('replace', 'replace', 'delete', 'copy'))
            if change == 'delete':
                del parent[key]
            elif change == 'copy' and isinstance(parent, list):
                parent.insert(key, parent[key])
            elif change == 'copy':
                other, name = self.random.choice(places)
                parent[key] = 0 if isinstance(other[name], list | dict) else other[name]
            else:
                # A copy, since later changes may be made within it.
                value = self.random.choice(VALUES)
                parent[key] = json.loads(json.dumps(value))
        return content

    def words(self, text: str, pattern: str = r'[\w.]+') -> str:
        """Change a number or word of a text, a line, or its bytes."""
        change = self.random.choice(('word', 'word', 'drop', 'line', 'append'))
        spans = [match.span() for match in re.finditer(pattern, text)]
        start, end = self.random.choice(spans) if spans else (0, 0)
        lines = text.splitlines(keepends=True) or ['']
        line = self.random.choice(lines)
        return {
            'word': text[:start] + self.random.choice(WORDS) + text[end:],
            'drop': text[:start] + text[end:],
            'line': self.random.choice(('', text)) + line * self.random.randint(0, 3),
            'append': f'{text} {self.random.choice(WORDS)} {text[start:end]}',
        }[change]

    def bytes(self, data: bytes) -> bytes:
        """Cut a file, flip bits of it, or put something into it."""
        place = self.random.randint(0, len(data))
        change = self.random.choice(('cut', 'flip', 'insert', 'insert', 'copy'))
        if change == 'cut':
            return data[:place]
        if change == 'insert':
            word = self.random.choice(WORDS).encode(errors='surrogatepass')
            return data[:place] + word + data[place:]
        if change == 'copy':
            return data[:place] + data[place // 2 :]
        flipped = bytearray(data)
        for _ in range(self.random.randint(1, 8) if data else 0):
            flipped[self.random.randrange(len(data))] ^= self.random.randint(1, 255)
        return bytes(flipped)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list or object below a value, with each of its keys."""
    if isinstance(value, list | dict):
        for key in [*value] if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _write_images(root: Path, folder: str = '') -> None:
    for split, names in IMAGES:
        for name in names:
            path = root / (folder or f'images/{split}') / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', (40, 20)).save(path)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')
    return path


def write_coco(root: Path) -> list[Path]:
    _write_images(root)
    paths = []
    for split, names in IMAGES:
        images = [
            {'id': index, 'file_name': name, 'width': 40, 'height': 20}
            for index, name in enumerate(names, start=1)
        ]
        annotations = [
            {
                'id': 2 * image['id'] + index,
                'image_id': image['id'],
                'category_id': category,
                'bbox': [4, 6, 20, 10.5],
                'area': 210,
                'iscrowd': 0,
                'segmentation': [[4, 6, 24, 6, 24, 16.5]],
            }
            for image in images
            for index, category in enumerate((5, 2))
        ]
        categories = [
            {'id': 5, 'name': 'cat', 'supercategory': 'animal'},
            {'id': 2, 'name': 'dog', 'supercategory': 'animal'},
        ]
        content = {
            'info': {'version': '1', 'contributor': {'name': 'x'}},
            'images': images,
            'annotations': annotations,
            'categories': categories,
        }
        paths.append(_write(root / f'annotations/{split}.json', json.dumps(content)))
    return paths


XML = """<?xml version="1.0" encoding="utf-8"?>
<annotation><size><width>40</width><height>20</height><depth>3</depth></size>
<object><name>cat</name><difficult>0</difficult><bndbox><xmin>3</xmin><ymin>4</ymin>
<xmax>13</xmax><ymax>9</ymax></bndbox></object><object><name>dog</name><bndbox>
<xmin>5</xmin><ymin>6</ymin><xmax>15</xmax><ymax>10</ymax></bndbox></object></annotation>
"""


def _write_voc(root: Path) -> list[Path]:
    _write_images(root, 'JPEGImages')
    paths = []
    for split, names in IMAGES:
        stems = [Path(name).stem for name in names]
        paths += [_write(root / f'Annotations/{stem}.xml', XML) for stem in stems]
        text = ''.join(f'{stem}\n' for stem in stems)
        paths.append(_write(root / f'ImageSets/Main/{split}.txt', text))
    return paths


def _write_yolo(root: Path) -> list[Path]:
    _write_images(root)
    description = {
        'path': '.',
        'train': ['images/train'],
        'val': 'lists/val.txt',
        'nc': 2,
        'names': {0: 'cat', 1: 'dog'},
    }
    boxes = '1 0.5 0.25 0.2 0.3\n0 0.25 0.5 0.75 0.1 0.5 0.9\n'
    return [
        _write(root / 'data.yaml', yaml.safe_dump(description)),
        _write(root / 'lists/val.txt', '../images/val/c.jpg\n'),
        *(
            _write(root / f'labels/{split}/{Path(name).stem}.txt', boxes)
            for split, names in IMAGES
            for name in names
        ),
    ]


FORMS = {'coco': write_coco, 'voc': _write_voc, 'yolo': _write_yolo}


def mutate(path: Path, mutator: Mutator) -> None:
    """Change the values, the words or the bytes of a file; or put a bomb into it."""
    data = path.read_bytes()
    bomb = {
        '.yaml': f'{BOMB}\n{data.decode()}\n{{key}}: *x9\n',
        '.xml': f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]><a>&l9;</a>',
    }.get(path.suffix)
    structured = path.suffix in ('.json', '.yaml')
    kind = mutator.random.choice(['content'] * 3 * structured + ['words', 'bytes'])
    if bomb and mutator.random.random() < 0.05:
        key = mutator.random.choice(('names', 'nc', 'path', 'train', '<<'))
        data = bomb.replace('{key}', key).encode()
    elif kind == 'content':
        # JSON is YAML too.
        content = yaml.safe_load(data) if path.suffix == '.yaml' else json.loads(data)
        data = json.dumps(mutator.content(content)).encode()
    elif kind == 'words':
        # In XML also what stands between tags.
        patterns = [r'[\w.]+', *[r'(?<=>)[^<>]+(?=<)'] * 3 * (path.suffix == '.xml')]
        text = mutator.words(data.decode(), mutator.random.choice(patterns))
        data = text.encode(errors='surrogatepass')
    else:
        data = mutator.bytes(data)
    path.write_bytes(data)
