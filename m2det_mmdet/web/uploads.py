"""The pictures of the visitors, as files that do not outlive their use."""

import os
import shutil
from hashlib import sha256
from pathlib import Path


class Uploads:
    """A folder with a picture for each visitor.

    Gradio gives equal files of several visitors one place, from which none of them may
    remove it. Here each visitor has a name of their own for the same bytes.

    Args:
        folder: Where the files are, on the disk where Gradio puts them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, file: Path, session: str) -> Path:
        """Return a visitor's own path for a file, in the place of an earlier one.

        Args:
            file: The file, which may go then.
            session: What Gradio calls the visitor.
        """
        self.drop(session)
        place = self._place(session)
        place.mkdir()
        os.link(file, place / file.name)
        return place / file.name

    def drop(self, session: str | None) -> None:
        """Remove the picture of a visitor, if there is one.

        Args:
            session: ``None`` for one who has given no picture.
        """
        if session is None:
            return
        shutil.rmtree(self._place(session), ignore_errors=True)

    def _place(self, session: str) -> Path:
        # Browsers choose the name of their session, which may be a path.
        return self.folder / f'picture-{sha256(session.encode()).hexdigest()}'
