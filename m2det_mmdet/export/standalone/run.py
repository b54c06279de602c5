"""Find objects in an image with an ONNX file that m2det exported.

It needs three packages: pip install onnxruntime numpy opencv-python-headless

A line is printed for each object, its parts with tabs between them: class, score, and
the left, upper, right and lower side in pixels. OUT is the image with the boxes.
"""

import argparse
import json
import os
import sys
from pathlib import Path

try:
    import cv2
    import numpy as np
    import onnxruntime
except ImportError as error:
    print(f'{error}: {__doc__.splitlines()[2]}', file=sys.stderr)
    sys.exit(2)

KEY, FORMAT = 'm2det', 1  # What a file tells about itself; its latest form known here.
Found = list[tuple[str, float, np.ndarray]]  # Name, score and x1, y1, x2, y2.


class BadInput(Exception):
    """Something that was given cannot be used; one sentence on it."""

    def __init__(self, sentence: str, cause: Exception | None = None) -> None:
        lines = str(cause or '').strip().splitlines()
        super().__init__(sentence + (f' ({lines[0]})' if lines else ''))


def find_model() -> Path:
    """Return the one ONNX file beside this script."""
    here = Path(__file__).resolve().parent
    files = sorted(here.glob('*.onnx'))
    if len(files) != 1:
        raise BadInput(f'{here} has {len(files)} .onnx files: name one by --model.')
    return files[0]


def open_model(path: Path) -> tuple[onnxruntime.InferenceSession, dict]:
    """Return what runs a detector, and what its file tells about it."""
    if not path.is_file():
        raise BadInput(f'There is no file {path}: give an .onnx file by --model.')
    onnxruntime.set_default_logger_severity(4)  # What it raises tells the same.
    try:
        session = onnxruntime.InferenceSession(
            str(path), providers=['CPUExecutionProvider']
        )
    except Exception as error:
        raise BadInput(f'{path} is damaged, or not of ONNX', error) from error
    try:
        about = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
        version, suppression = about['format'], about['suppression']
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f'{path} was not written by `m2det export`.') from error
    if version != FORMAT:
        raise BadInput(f'{path} is of format {version}: take the run.py beside it.')
    if suppression is None:
        raise BadInput(
            f'{path} gives the boxes of all anchors: export it with --nms soft or hard.'
        )
    return session, about


def read_image(path: Path) -> np.ndarray:
    """Read an image, turned as its camera noted: ``(H, W, 3)``, uint8, BGR."""
    if not path.is_file():
        raise BadInput(f'There is no image {path}: check its name.')
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise BadInput(f'{path} cannot be read', error) from error
    if image is None:
        raise BadInput(f'{path} is no image that OpenCV reads: give a JPEG or a PNG.')
    return image


def prepare(image: np.ndarray, about: dict) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the network's input, and the pixels of the image in one of it, x and y."""
    how, (height, width) = about['preparation'], image.shape[:2]
    if how['inside']:
        return image[None], (1.0, 1.0)
    rows, columns = about['size'] or how['resize']
    if how['keep_ratio']:
        if not about['size'] and (height > width) != (rows > columns):
            rows, columns = columns, rows  # Its long side is that of the image.
        scale = min(rows / height, columns / width)
        rows, columns = (max(1, int(x * scale + 0.5)) for x in (height, width))
    pixels = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
    if how['rgb']:
        pixels = pixels[..., ::-1]
    pixels = (pixels - np.float32(how['mean'])) / np.float32(how['std'])
    step = how['pad_divisor']
    full = about['size'] or [-(-x // step) * step for x in (rows, columns)]
    padding = [(0, full[0] - rows), (0, full[1] - columns), (0, 0)]
    pixels = np.pad(pixels, padding, constant_values=how['pad_value'])
    return pixels.transpose(2, 0, 1)[None], (width / columns, height / rows)


def detect(
    session: onnxruntime.InferenceSession, about: dict, image: np.ndarray
) -> Found:
    """Return the objects in an image, the best first."""
    images, growth = prepare(image, about)
    # A file for several images gets the same one several times.
    images = np.repeat(images, about['batch'] or 1, axis=0)
    try:
        outputs = session.run(['boxes', 'scores', 'labels'], {'images': images})
    except Exception as error:
        raise BadInput('The model cannot run on the image', error) from error
    boxes, scores, labels = (x[0] for x in outputs)
    boxes = (boxes * np.float32(growth * 2)).clip(0, image.shape[1::-1] * 2)
    found = zip(boxes, scores, labels, strict=True)
    # Rows behind the last object have the label -1.
    return [(about['classes'][k], float(s), box) for box, s, k in found if k >= 0]


def draw(image: np.ndarray, found: Found) -> np.ndarray:
    """Return a picture with boxes and names, the best on top."""
    picture, font, side = image.copy(), cv2.FONT_HERSHEY_SIMPLEX, sum(image.shape[:2])
    line, pen, size = 1 + side // 500, max(1, side // 1000), 0.3 + side / 4000
    last = [x - 1 for x in image.shape[1::-1]] * 2
    for name, score, box in reversed(found):
        x1, y1, x2, y2 = np.minimum(box.round(), last).astype(int).tolist()
        # A colour of its name, dark enough for white letters.
        color = [30 + sum(name.encode()) * step % 140 for step in (37, 101, 173)]
        text = f'{name} {score:.2f}'
        (width, height), below = cv2.getTextSize(text, font, size, pen)
        bottom = max(y1, height + below)
        cv2.rectangle(picture, (x1, y1), (x2, y2), color, line)
        corner = (x1 + width, bottom - height - below)
        cv2.rectangle(picture, (x1, bottom), corner, color, cv2.FILLED)
        place = (x1, bottom - below // 2)
        cv2.putText(picture, text, place, font, size, (255,) * 3, pen, cv2.LINE_AA)
    return picture


def save(picture: np.ndarray, path: Path) -> None:
    """Write a picture, whole or not at all."""
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        partial.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
        partial.replace(path)
    except (OSError, cv2.error) as error:
        raise BadInput(f'{path} cannot be written', error) from error
    finally:
        partial.unlink(missing_ok=True)


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('image', type=Path, metavar='IMAGE')
    parser.add_argument(
        '--model', type=Path, metavar='FILE', help='default: the .onnx file beside this'
    )
    parser.add_argument('-o', '--out', type=Path, default=Path('found.png'))
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score')
    args = parser.parse_args()
    try:
        if args.out.resolve() == args.image.resolve():
            raise BadInput(f'{args.out} is the image itself: give another name by -o.')
        image = read_image(args.image)
        session, about = open_model(args.model or find_model())
        found = [x for x in detect(session, about, image) if x[1] >= args.score_thr]
        save(draw(image, found), args.out)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    for name, score, box in found:
        print(name, f'{score:.4f}', *(f'{x:.1f}' for x in box), sep='\t')
    return 0


if __name__ == '__main__':
    sys.exit(main())
