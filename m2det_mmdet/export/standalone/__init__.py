"""A script that runs an exported ONNX file where there is no PyTorch.

``run.py`` is copied beside the file. It imports nothing of this package, and nothing
here imports it.
"""

from pathlib import Path

from ...utils.files import check_output, write_whole

SCRIPT = 'run.py'


def check_standalone(folder: Path, *, force: bool = False) -> None:
    """Stop where :func:`write_standalone` could not write the script.

    Raises:
        M2DetError: If another file of its name is there and ``force`` is off, or the
            folder takes no files.
    """
    script = folder / SCRIPT
    check_output(script, force=force or _is_it(script))


def write_standalone(folder: Path) -> Path:
    """Write the script into a folder, also over another file of its name.

    Args:
        folder: Where the exported file is.

    Returns:
        The script.

    Raises:
        M2DetError: If it cannot be written.
    """
    script = folder / SCRIPT
    if not _is_it(script):
        write_whole(script, lambda file: file.write(_content()))
    return script


def _content() -> bytes:
    return Path(__file__).with_name(SCRIPT).read_bytes()


def _is_it(path: Path) -> bool:
    return path.is_file() and path.read_bytes() == _content()
