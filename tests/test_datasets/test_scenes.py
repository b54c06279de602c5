import hashlib
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from m2det_mmdet.datasets.scenes import (
    CLASSES,
    COLLECTIONS,
    GRADES,
    Scene,
    ScenesError,
    compose_scene,
    composer,
    write_scenes,
)
from m2det_mmdet.datasets.scenes.outlines import Part, box, disc
from m2det_mmdet.datasets.scenes.shapes import DRAWINGS
from m2det_mmdet.datasets.scenes.sprites import pick_colours, rasterise, render

FEW = {'num_train': 3, 'num_val': 2, 'num_test': 2, 'size': (160, 128)}
TOYS = COLLECTIONS['toys'].drawings
SHORTER = 256  # of the scenes below, pixels
BLACK_AND_WHITE = np.array([[0.0, 0.0, 0.0], [255.0, 255.0, 255.0]])


@pytest.fixture(scope='module')
def scenes() -> list[Scene]:
    rngs = (np.random.default_rng([7, index]) for index in range(80))
    return [compose_scene(rng, (320, SHORTER)) for rng in rngs]


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('data') / 'scenes'
    write_scenes(out, **FEW)
    return out


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob('*')
        if path.is_file()
    }


# Figures and sprites


def test_rasterise_covers_pixels_by_their_share() -> None:
    """Half a pixel is left uncovered on each side of a box."""
    sprite = rasterise([Part((box(0.5, 0.5, 3.5, 2.5),))], BLACK_AND_WHITE[1:])

    assert sprite.cover.shape == (3, 4)
    # Three subpixels a pixel, and OpenCV fills those on the outline: 2/3, not 1/2.
    expected = np.outer([2 / 3, 1, 2 / 3], [2 / 3, 1, 1, 2 / 3])
    np.testing.assert_allclose(sprite.cover, expected, atol=1e-6)
    np.testing.assert_allclose(sprite.paint[..., 1], 255 * expected, rtol=1e-6)


def test_inside_parts_add_nothing_to_the_extent() -> None:
    figure = [
        Part((disc(10, 10, 10),), tone=0),
        Part((box(-9, 8, 40, 40),), tone=1, inside=True),
    ]
    with_texture = rasterise(figure, BLACK_AND_WHITE)
    without = rasterise(figure[:1], BLACK_AND_WHITE)

    np.testing.assert_array_equal(with_texture.cover, without.cover)
    assert with_texture.paint[10, 10].tolist() == [255, 255, 255]
    assert with_texture.paint[5, 10].tolist() == [0, 0, 0]


@pytest.mark.parametrize('side', [20.0, 150.0])
@pytest.mark.parametrize('name', [*CLASSES, *TOYS])
def test_the_longer_side_of_a_posed_figure_is_the_one_asked_for(
    name: str, side: float
) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        sprite = render(rng, {**DRAWINGS, **TOYS}[name](rng), side, unlike=np.zeros(3))
        rows, columns = np.nonzero(sprite.mask)
        lengths = np.ptp(columns) + 1, np.ptp(rows) + 1
        # Less at most the tip of a triangle, narrower than half a pixel.
        assert side - 2 <= max(lengths) <= side + 1
        assert min(lengths) >= side / 1.7 - 1


@pytest.mark.parametrize('name', ['striped', 'checkered'])
def test_no_place_in_an_outline_is_farther_than_a_cell_from_its_texture(
    name: str,
) -> None:
    """At 300 pixels a unit and 2.6 cells a unit at least, a cell is 115 pixels."""
    for seed in range(20):
        figure = DRAWINGS[name](np.random.default_rng(seed))
        outline = Part((box(0, 0, 300, 300),))
        texture = Part(tuple(300 * points for points in figure[1].outlines), 1, True)
        white = rasterise([outline, texture], BLACK_AND_WHITE).paint[..., 0] > 127
        gaps = cv2.distanceTransform(1 - white.astype(np.uint8), cv2.DIST_L2, 5)
        assert 20 < gaps.max() < 116


def test_every_corner_lies_between_dots() -> None:
    """Half the diagonal between dots 1 / 2 apart is 0.354."""
    for seed in range(20):
        figure = DRAWINGS['dotted'](np.random.default_rng(seed))
        edges = np.concatenate(figure[1].outlines)
        for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
            assert np.linalg.norm(edges - corner, axis=1).min() < 0.36


@pytest.mark.parametrize('pair', [('car', 'robot'), ('flower', 'paw')])
def test_classes_of_a_pair_differ_in_arrangement_only(pair: tuple[str, str]) -> None:
    def parts(name: str) -> Counter:
        figure = DRAWINGS[name](np.random.default_rng(0))
        return Counter((part.tone, len(xy)) for part in figure for xy in part.outlines)

    assert parts(pair[0]) == parts(pair[1])


def test_colours_keep_apart() -> None:
    distances = []
    for seed in range(200):
        unlike = np.array([90.0, 120.0, 150.0])
        colours = pick_colours(np.random.default_rng(seed), 2, unlike=unlike)
        gaps = (colours[0] - colours[1], colours[0] - unlike, colours[1] - unlike)
        distances.append(min(np.linalg.norm(gap) for gap in gaps))

    assert np.quantile(distances, 0.02) > 30


# Scenes


def test_a_box_is_the_extent_of_the_pixels_that_its_object_owns(
    scenes: list[Scene],
) -> None:
    for scene in scenes:
        for index, item in enumerate(scene.objects):
            ys, xs = np.nonzero(scene.owners == index)
            x, y, width, height = item.box
            assert (x, y) == (xs.min(), ys.min())
            assert (x + width - 1, y + height - 1) == (xs.max(), ys.max())
            assert item.area == len(xs)


def test_a_box_encloses_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """On black, with nothing else around, the object is what is not black."""

    def black(_: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        return np.zeros((size[1], size[0], 3), np.float32)

    monkeypatch.setattr(composer, 'MAX_OBJECTS', 1)
    monkeypatch.setattr(composer, 'make_background', black)
    monkeypatch.setattr(composer, 'add_distractors', lambda rng, image: None)
    monkeypatch.setattr(composer, 'develop', lambda rng, image: image)
    for seed in range(40):
        scene = compose_scene(np.random.default_rng(seed), (200, 200))
        ys, xs = np.nonzero(scene.image.max(axis=2))
        x, y, width, height = scene.objects[0].box
        drawn = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
        # Pixels covered by less than half are painted but not owned.
        np.testing.assert_allclose(drawn, (x, y, x + width, y + height), atol=2)


def test_scenes_hold_one_to_eight_objects(scenes: list[Scene]) -> None:
    counts = {len(scene.objects) for scene in scenes}

    assert counts == set(range(1, 9))


def test_objects_are_occluded_but_never_mostly(scenes: list[Scene]) -> None:
    visible = [item.visible for scene in scenes for item in scene.objects]

    assert 0.7 <= min(visible) < 0.8
    assert max(visible) == 1


def test_sides_span_the_promised_range(scenes: list[Scene]) -> None:
    whole = [item for scene in scenes for item in scene.objects if item.visible == 1]
    longer = np.array([max(item.box[2:]) for item in whole])

    assert 0.06 * SHORTER - 2 <= longer.min() < 0.08 * SHORTER
    assert 0.65 * SHORTER < longer.max() <= 0.8 * SHORTER + 1


def test_coco_small_medium_and_large_objects_all_occur_often(
    scenes: list[Scene],
) -> None:
    areas = np.array([item.area for scene in scenes for item in scene.objects])
    shares = np.histogram(areas, [0, 32**2, 96**2, np.inf])[0] / len(areas)

    assert shares.min() > 0.1


def test_every_class_occurs_about_equally_often(scenes: list[Scene]) -> None:
    names = Counter(item.name for scene in scenes for item in scene.objects)

    assert set(names) == set(CLASSES)
    assert max(names.values()) < 2.5 * min(names.values())


def test_there_are_three_grades_of_at_least_three_classes() -> None:
    assert tuple(GRADES) == CLASSES
    grades = Counter(GRADES.values())
    assert set(grades) == {'plain', 'textured', 'composed'}
    assert min(grades.values()) >= 3


# Folders


def test_the_same_seed_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / 'again', **FEW)
    write_scenes(tmp_path / 'other', **FEW, seed=1)

    first, again = digests(written), digests(tmp_path / 'again')
    other = digests(tmp_path / 'other')
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_an_image_does_not_depend_on_how_many_there_are(
    written: Path, tmp_path: Path
) -> None:
    write_scenes(tmp_path, **{**FEW, 'num_train': 1, 'num_val': 3})

    more, fewer = digests(written), digests(tmp_path)
    common = ['train/000001.jpg', 'val/000001.jpg', 'val/000002.jpg', 'test/000001.jpg']
    assert [more[name] for name in common] == [fewer[name] for name in common]


def test_splits_share_no_image(written: Path) -> None:
    images = {name: key for name, key in digests(written).items() if 'jpg' in name}

    assert len(images) == 3 + 2 + 2
    assert len(set(images.values())) == len(images)


@pytest.mark.parametrize(('split', 'count'), [('train', 3), ('val', 2), ('test', 2)])
def test_pycocotools_loads_what_was_written(
    written: Path, split: str, count: int
) -> None:
    coco = COCO(written / 'annotations' / f'{split}.json')

    assert len(coco.getImgIds()) == count
    # Each shows an object.
    assert {item['image_id'] for item in coco.anns.values()} == set(coco.imgs)
    grades = {item['name']: item['supercategory'] for item in coco.cats.values()}
    assert grades == GRADES
    for image in coco.imgs.values():
        pixels = cv2.imread(str(written / split / image['file_name']))
        assert pixels.shape == (128, 160, 3)
        assert (image['width'], image['height']) == (160, 128)
    for item in coco.anns.values():
        x, y, width, height = item['bbox']
        assert min(x, y) >= 0
        assert x + width <= 160
        assert y + height <= 128
        assert 0 < item['area'] <= width * height
        assert item['iscrowd'] == 0
    assert 0 not in coco.anns


def test_annotations_are_those_of_the_scene(written: Path) -> None:
    content = json.loads((written / 'annotations' / 'val.json').read_text())
    # The second image of the second split.
    scene = compose_scene(np.random.default_rng([0, 1, 1]), FEW['size'])

    boxes = [a['bbox'] for a in content['annotations'] if a['image_id'] == 2]
    labels = [a['category_id'] for a in content['annotations'] if a['image_id'] == 2]
    assert boxes == [list(item.box) for item in scene.objects]
    assert labels == [CLASSES.index(item.name) + 1 for item in scene.objects]


def test_toys_are_other_classes(tmp_path: Path) -> None:
    write_scenes(tmp_path, **FEW, collection='toys')

    content = json.loads((tmp_path / 'annotations' / 'train.json').read_text())
    scene = compose_scene(
        np.random.default_rng([0, 0, 1]), FEW['size'], collection=COLLECTIONS['toys']
    )
    names = [category['name'] for category in content['categories']]
    assert names == ['house', 'tree', 'fish', 'boat']
    assert not {*names} & {*CLASSES}
    labels = [a['category_id'] for a in content['annotations'] if a['image_id'] == 2]
    assert labels == [names.index(item.name) + 1 for item in scene.objects]
    assert labels


def test_progress_counts_images_of_all_splits(tmp_path: Path) -> None:
    calls = []
    write_scenes(tmp_path, **FEW, progress=lambda *call: calls.append(call))

    assert calls == [(done, 7) for done in range(1, 8)]


# Refusals


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'num_train': 0}, r'num_train must be at least 1, got 0\.'),
        ({'num_test': -5}, r'num_test must be at least 1, got -5\.'),
        ({'size': (320, 64)}, r'size must be at least 128 x 128 .*got 320 x 64\.'),
        ({'seed': -1}, r'seed must not be negative, got -1\.'),
        ({'collection': 'cars'}, r"one of figures, toys, got 'cars'\."),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_written(
    tmp_path: Path, changed: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_scenes(tmp_path / 'out', **{**FEW, **changed})
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('name', ['notes.txt', 'train/000001.jpg'])
@pytest.mark.parametrize('overwrite', [False, True])
def test_a_folder_of_other_files_is_left_untouched(
    tmp_path: Path, name: str, overwrite: bool
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('mine')
    with pytest.raises(ScenesError, match='which is no scene of this generator'):
        write_scenes(tmp_path, **FEW, overwrite=overwrite)
    assert digests(tmp_path) == {name: hashlib.sha256(b'mine').hexdigest()}


def test_a_file_added_to_scenes_keeps_them_from_being_replaced(tmp_path: Path) -> None:
    write_scenes(tmp_path, **FEW)
    (tmp_path / 'train' / 'mine.txt').write_text('mine')
    before = digests(tmp_path)
    with pytest.raises(ScenesError, match=r'holds train/mine\.txt'):
        write_scenes(tmp_path, **FEW, seed=1, overwrite=True)
    assert digests(tmp_path) == before


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    precious, out = tmp_path / 'precious', tmp_path / 'out'
    write_scenes(out, **FEW)
    (out / 'val').rename(precious)
    (out / 'val').symlink_to(precious, target_is_directory=True)
    before = digests(precious)
    with pytest.raises(ScenesError, match='holds val,'):
        write_scenes(out, **FEW, overwrite=True)
    assert digests(precious) == before


def test_scenes_are_replaced_only_on_request(tmp_path: Path, written: Path) -> None:
    write_scenes(tmp_path, **{**FEW, 'num_train': 5}, seed=1)
    with pytest.raises(ScenesError, match='already holds scenes.*overwrite=True'):
        write_scenes(tmp_path, **FEW)
    assert (tmp_path / 'train' / '000005.jpg').exists()

    write_scenes(tmp_path, **FEW, overwrite=True)
    assert digests(tmp_path) == digests(written)


def test_out_must_not_be_a_file(tmp_path: Path) -> None:
    (tmp_path / 'out').write_text('mine')
    with pytest.raises(ScenesError, match='is a file. Name a folder'):
        write_scenes(tmp_path / 'out', **FEW, overwrite=True)
    assert (tmp_path / 'out').read_text() == 'mine'


def test_an_interrupted_write_never_looks_complete(
    tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path, **FEW, progress=interrupt)
    assert (tmp_path / 'test' / '000001.jpg').exists()
    assert not (tmp_path / 'annotations').exists()

    write_scenes(tmp_path, **FEW, overwrite=True)
    assert digests(tmp_path) == digests(written)
