import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from m2det_mmdet.apis import FrameDone, VideoStarted, predict_video
from m2det_mmdet.apis.prediction_look import BuiltDetector, DetectorPlan
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.utils import video_files
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.video_files import h264_encoder

COUNT = 12
MODEL = 'm2det_r18_scenes'
needs_trackers = pytest.mark.skipif(
    find_spec('trackers') is None, reason='trackers is not installed'
)


def _moving_square() -> list[np.ndarray]:
    """A white square of 20 pixels, which moves to the right by 3 pixels a frame."""
    frames = np.zeros((COUNT, 64, 96, 3), np.uint8)
    for index, frame in enumerate(frames):
        frame[20:40, 10 + 3 * index : 30 + 3 * index] = 255
    return [*frames]


def _box(index: int) -> list[float]:
    return [10 + 3 * index, 20, 30 + 3 * index, 40]


class SquareDetector:
    """Finds white squares, and with low scores what lies below them.

    Args:
        fails: Tells by the left side of the square where it fails.
    """

    def __init__(self, fails: Callable[[int], bool] = lambda left: False) -> None:
        self.fails = fails
        self.batches: list[int] = []

    def __call__(self, images: list[np.ndarray], **_: Any) -> dict[str, list]:
        self.batches.append(len(images))
        return {'predictions': [self._look(image) for image in images]}

    def _look(self, image: np.ndarray) -> DetDataSample:
        rows, columns = np.nonzero(image[..., 0] > 128)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        if self.fails(box[0]):
            raise RuntimeError('a test has it fail')
        below = [box[0], box[3], box[2], box[3] + 10]
        found = InstanceData(
            bboxes=torch.tensor([box, below], dtype=torch.float32),
            scores=torch.tensor([0.9, 0.2]),
            labels=torch.tensor([1, 0]),
        )
        return DetDataSample(pred_instances=found)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> SquareDetector:
    look = SquareDetector()
    built = BuiltDetector(look, classes=('floor', 'square'))
    monkeypatch.setattr(DetectorPlan, 'build', lambda plan: built)
    # What ffmpeg writes is tested with the writers.
    monkeypatch.setattr(video_files, 'h264_encoder', lambda: None)
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    return look


@pytest.fixture
def video(tmp_path: Path, write_video: Callable[..., Path]) -> Path:
    return write_video(tmp_path / 'clip.avi', _moving_square())


def _lines(out: Path) -> list[dict]:
    return [json.loads(x) for x in (out / 'results.jsonl').read_text().splitlines()]


def _record(out: Path) -> dict:
    return json.loads((out / 'predict.json').read_text())


def _shown(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    images = []
    while (image := capture.read()[1]) is not None:
        images.append(image)
    return images


def test_a_video_gives_a_line_and_a_picture_for_each_frame(
    detector: SquareDetector, video: Path, tmp_path: Path
) -> None:
    out, events = tmp_path / 'out', []

    result = predict_video(MODEL, video, out, batch_size=5, on_event=events.append)

    lines = _lines(out)
    assert [line['frame'] for line in lines] == [*range(COUNT)]
    assert [line['time'] for line in lines] == [x / 10 for x in range(COUNT)]
    for index, line in enumerate(lines):
        # A JPEG blurs a side.
        np.testing.assert_allclose(line['boxes'], [_box(index)], atol=1.01)
        assert line['labels'] == [1]
        assert line['names'] == ['square']
        assert line['scores'] == [0.9]
        assert 'tracks' not in line
    assert detector.batches == [5, 5, 2]
    assert len(_shown(out / 'video.mp4')) == COUNT
    assert (result.tally.num_images, result.tally.counts) == (COUNT, {'square': COUNT})
    assert (result.problems, result.dropped, result.objects) == ([], 0, None)
    assert result.files == ('video.mp4', 'results.jsonl')
    assert {x.name for x in out.iterdir()} == {*result.files, 'predict.json'}
    record = _record(out)
    assert (record['state'], record['video'], record['done']) == (
        'done',
        str(video),
        COUNT,
    )
    started, *frames = events
    assert isinstance(started, VideoStarted)
    assert (started.num_frames, started.rate, started.size) == (COUNT, 10.0, (96, 64))
    assert started.remarks[0].startswith('ffmpeg is not installed')
    assert [event.index for event in frames] == [*range(COUNT)]
    assert frames[3].prediction.names == ('square',)
    assert frames[3].prediction.image.shape == (64, 96, 3)


def test_boxes_are_drawn_into_the_video(
    detector: SquareDetector, video: Path, tmp_path: Path
) -> None:
    predict_video(MODEL, video, tmp_path / 'out')

    picture = _shown(tmp_path / 'out' / 'video.mp4')[0].astype(int)
    # The lower side, below which nothing is; the source is grey everywhere.
    colored = picture.max(axis=2) - picture.min(axis=2) > 40
    assert colored[37:43, 15:25].any()
    assert not colored[50:, 60:].any()


def test_scores_and_classes_choose(
    detector: SquareDetector, video: Path, tmp_path: Path
) -> None:
    predict_video(MODEL, video, tmp_path / 'all', score_thr=0.1)
    predict_video(MODEL, video, tmp_path / 'floor', score_thr=0.1, classes=['floor'])

    assert [x['names'] for x in _lines(tmp_path / 'all')] == [['square', 'floor']] * 12
    assert [x['scores'] for x in _lines(tmp_path / 'floor')] == [[0.2]] * COUNT


@needs_trackers
def test_an_object_has_one_number_in_all_frames(
    detector: SquareDetector, video: Path, tmp_path: Path
) -> None:
    result = predict_video(MODEL, video, tmp_path / 'out', track=True)

    tracks = [line['tracks'] for line in _lines(tmp_path / 'out')]
    assert tracks == [[None]] + [[1]] * (COUNT - 1)
    assert result.objects == 1


def test_tracking_needs_its_package(
    detector: SquareDetector, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'trackers', None)

    with pytest.raises(M2DetError, match=r'Tracking needs .* "m2det\[track\]"'):
        predict_video(MODEL, video, track=True)


def test_a_frame_that_the_detector_fails_with_costs_itself_alone(
    detector: SquareDetector, video: Path, tmp_path: Path
) -> None:
    detector.fails = lambda left: 20 < left < 26

    result = predict_video(MODEL, video, tmp_path / 'out', batch_size=4)

    lines = _lines(tmp_path / 'out')
    failed = [line['frame'] for line in lines if 'problem' in line]
    assert failed == [4, 5]
    assert len(_shown(tmp_path / 'out' / 'video.mp4')) == COUNT
    assert result.tally.num_images == COUNT - 2
    (problem,) = result.problems
    assert problem.startswith('The detector fails with the frame at 0.40 seconds')
    assert problem.endswith('The same befell 1 other frames.')
    assert _record(tmp_path / 'out')['problems'] == [problem]


def test_a_detector_that_always_fails_is_an_error(
    detector: SquareDetector, video: Path
) -> None:
    detector.fails = lambda left: True

    with pytest.raises(M2DetError, match='The detector found nothing, for it fails'):
        predict_video(MODEL, video)


def test_an_interrupt_keeps_what_is_done(
    detector: SquareDetector, video: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'

    def interrupt(event: VideoStarted | FrameDone) -> None:
        if isinstance(event, FrameDone) and event.index == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_video(MODEL, video, out, on_event=interrupt)

    assert len(_lines(out)) == len(_shown(out / 'video.mp4')) == 5
    assert _record(out)['state'] == 'interrupted'
    assert {x.name for x in out.iterdir()} == {
        *('video.mp4', 'results.jsonl', 'predict.json')
    }
    with pytest.raises(M2DetError, match='ended early, and what it found is kept'):
        predict_video(MODEL, video, out)
    predict_video(MODEL, video, out, force=True)
    assert len(_lines(out)) == COUNT


def test_what_cannot_be_read_leaves_nothing(
    detector: SquareDetector, tmp_path: Path
) -> None:
    (tmp_path / 'clip.mp4').write_text('no video')

    with pytest.raises(M2DetError, match='no video that OpenCV can read'):
        predict_video(MODEL, tmp_path / 'clip.mp4', tmp_path / 'out')

    assert not (tmp_path / 'out').exists()


def test_a_video_is_not_replaced_by_what_is_made_of_it(
    detector: SquareDetector, video: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    predict_video(MODEL, video, out)

    with pytest.raises(M2DetError, match='is what the prediction in .* wrote'):
        predict_video(MODEL, out / 'video.mp4', out, force=True)

    assert len(_shown(out / 'video.mp4')) == COUNT


def test_what_names_no_video_is_refused(detector: SquareDetector) -> None:
    with pytest.raises(M2DetError, match='A video is named by .*, got True'):
        predict_video(MODEL, True)


@pytest.fixture(scope='module')
def scene_video(
    tmp_path_factory: pytest.TempPathFactory, write_video: Callable[..., Path]
) -> Path:
    """A scene that moves to the right, 300 frames."""
    folder = tmp_path_factory.mktemp('scene')
    write_scenes(folder, num_train=1, num_val=1, num_test=1, size=(128, 128))
    (image,) = (cv2.imread(str(path)) for path in (folder / 'val').iterdir())
    frames = [np.roll(image, index % 16, axis=1) for index in range(300)]
    return write_video(folder / 'scene.mp4', frames, 25.0, 'mp4v')


@pytest.mark.slow
def test_objects_of_a_scene_are_found_where_the_images_have_them(
    scene_video: Path, tmp_path: Path
) -> None:
    from m2det_mmdet import Detector

    events = []
    with pytest.raises(KeyboardInterrupt):
        predict_video(MODEL, scene_video, device='cpu', on_event=_stop_after(4, events))

    detect = Detector(MODEL, device='cpu')
    for event in events[1:]:
        alone = detect(event.prediction.image, score_thr=0.3)
        assert len(alone) > 0
        np.testing.assert_allclose(event.prediction.boxes, alone.boxes, atol=1e-3)
        assert event.prediction.names == alone.names


def _stop_after(count: int, events: list) -> Callable[[Any], None]:
    def note(event: VideoStarted | FrameDone) -> None:
        events.append(event)
        if len(events) == count + 1:
            raise KeyboardInterrupt

    return note


def _start(video: Path, out: Path) -> subprocess.Popen:
    """Start the command, and wait until some frames are done."""
    command = [sys.executable, '-m', 'm2det_command', 'predict', MODEL, str(video)]
    process = subprocess.Popen(
        [*command, '-o', str(out), '--device', 'cpu'],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 120
    lines = out / 'results.jsonl'
    while not lines.exists() or lines.read_bytes().count(b'\n') < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.slow
@pytest.mark.parametrize(
    'with_ffmpeg',
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.skipif(
                h264_encoder() is None, reason='there is no program ffmpeg with H.264'
            ),
        ),
    ],
)
def test_ctrl_c_ends_the_command_and_the_video(
    with_ffmpeg: bool,
    scene_video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not with_ffmpeg:
        folders = os.environ['PATH'].split(os.pathsep)
        left = [x for x in folders if not Path(x, 'ffmpeg').exists()]
        monkeypatch.setenv('PATH', os.pathsep.join(left))
    out = tmp_path / 'out'

    process = _start(scene_video, out)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[0]

    assert process.returncode == 130
    done = len(_lines(out))
    assert 5 <= done < 300
    # A frame may be cut on its way into the lines, the count or the video.
    counts = (done - 1, done)
    assert any(f'Stopped after {x} of 300 frames: {out}.' in told for x in counts)
    assert len(_shown(out / 'video.mp4')) in counts
    assert _record(out)['state'] == 'interrupted'
    assert {x.name for x in out.iterdir()} == {
        *('video.mp4', 'results.jsonl', 'predict.json')
    }


@pytest.mark.slow
def test_a_command_that_is_killed_leaves_whole_lines(
    scene_video: Path, tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    out = tmp_path / 'out'

    process = _start(scene_video, out)
    process.kill()
    process.communicate()

    lines = (out / 'results.jsonl').read_text()
    assert lines.endswith('\n')
    assert [x['frame'] for x in _lines(out)] == [*range(lines.count('\n'))]
    assert not (out / 'video.mp4').exists()
    short = write_video(tmp_path / 'short.avi', _shown(scene_video)[:3])
    predict_video(MODEL, short, out, force=True, device='cpu')
    assert {x.name for x in out.iterdir()} == {
        *('video.mp4', 'results.jsonl', 'predict.json')
    }
