"""Which images a prediction has, and what they are called."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from m2det_mmdet.apis.prediction_inputs import absent_sentence, find_inputs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('a/x.png', 'b/x.png', 'b/y.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 5), np.uint8))
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_images_are_named_below_their_common_folder(folder: Path) -> None:
    inputs = find_inputs([str(folder / 'b'), str(folder / 'a')], None, None)

    assert inputs.names == ['b/x.png', 'b/y.png', 'a/x.png']
    assert [image.image_id for image in inputs.images] == [1, 2, 3]
    assert list(inputs) == [folder / name for name in inputs.names]
    assert len(inputs) == 3


def test_images_of_the_web_are_fetched_one_by_one(folder: Path, server: str) -> None:
    urls = [f'{server}/b/x.png', f'{server}/b/x.png?again', f'{server}/b/no%20.png']
    inputs = find_inputs([*urls, str(folder / 'a')], None, None)

    assert inputs.names == [
        'x.png',
        '127.0.0.1/b/x.png',
        '127.0.0.1/b/x-2.png',
        '127.0.0.1/b/no_.png',
    ]
    seen = []
    with inputs:
        for path in inputs:
            seen.append((path, path.is_file(), *inputs.take(path, f'{path} is odd.')))
            if len(seen) > 1:
                # It goes as soon as it was looked at.
                assert not path.exists()
        fetched = seen[1][0].parent.parent
    assert [is_there for _, is_there, _, _ in seen] == [True, True, True, False]
    assert seen[1][3] == f'{urls[0]} is odd.'
    assert seen[3][3].startswith(f'{urls[2]} cannot be downloaded (')
    assert seen[3][3].endswith('It was skipped.')
    assert not fetched.exists()
    assert [str(image.path) for _, _, image, _ in seen[1:]] == inputs.names[1:]


def test_annotations_choose_the_images(folder: Path) -> None:
    names = {'b/x.png': 7, 'a/none.png': 8, 'c/none.png': 9}
    truth = COCO()
    truth.dataset = {
        'images': [{'id': id_, 'file_name': name} for name, id_ in names.items()],
        'categories': [],
    }

    inputs = find_inputs([str(folder)], truth, None)

    assert [(image.name, image.image_id) for image in inputs.images] == [('x.png', 7)]
    assert inputs.passed_over.sentences() == [
        f'Passed over in {folder}: 2 images that the annotations do not list'
    ]
    assert absent_sentence(inputs.absent, 'ann.json') == (
        'ann.json lists 2 images that are not in the inputs: a/none.png, c/none.png.'
    )
    with pytest.raises(ValueError, match='do not list'):
        find_inputs([str(folder / 'a')], truth, None)


def test_images_that_are_done_are_left_out(folder: Path) -> None:
    inputs = find_inputs([str(folder)], None, None)
    digest = inputs.digest()

    assert [image.name for image in inputs.leave_out({'b/x.png'})] == ['b/x.png']

    assert [path.relative_to(folder).as_posix() for path in inputs] == [
        'a/x.png',
        'b/y.png',
    ]
    assert len(inputs) == 2
    assert inputs.digest() == digest
    assert find_inputs([str(folder / 'b')], None, None).digest() != digest
