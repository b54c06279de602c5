"""A script that runs an exported ONNX file where there is no PyTorch.

``run.py`` is copied beside the file. It imports nothing of this package, and nothing
here imports it.
"""

from pathlib import Path

from ...utils.files import check_output, write_whole

SCRIPT = 'run.py'


def write_standalone(folder: Path, *, force: bool = False) -> Path:
    """Write the script into a folder.

    Args:
        folder: Where the exported file is; it is made where it is missing.
        force: Whether another file of this name may be replaced.

    Returns:
        The script.

    Raises:
        M2DetError: If another file of this name is there and ``force`` is off, or the
            script cannot be written.
    """
    content = Path(__file__).with_name(SCRIPT).read_bytes()
    script = folder / SCRIPT
    same = script.is_file() and script.read_bytes() == content
    path = check_output(script, force=force or same)
    if not same:
        write_whole(path, lambda file: file.write(content))
    return script
