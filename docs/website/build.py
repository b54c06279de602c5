"""Build the documentation as a site.

python docs/website/build.py [--pages-only]

Writes the pages to ``site/pages``, and the site that Zensical makes of them to
``site/html``. A link that leads nowhere, or a name that is not there, is an error.
``mkdocs.yml`` says what the site looks like.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pages import BrokenLink, write_pages
from reference import write_reference
from registry import registered, write_registry

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / 'site' / 'pages'


def main() -> int:
    """Build the site; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--pages-only', action='store_true', help='write no site')
    args = parser.parse_args()
    try:
        write(PAGES)
    except BrokenLink as error:
        print(error, file=sys.stderr)
        return 1
    if args.pages_only:
        return 0
    command = [sys.executable, '-m', 'zensical', 'build', '--strict', '--clean']
    # Where `docstrings` finds its neighbour.
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | {'PYTHONPATH': path}
    ).returncode


def write(pages: Path) -> None:
    """Write all pages of the site into a folder, which is emptied before.

    Raises:
        BrokenLink: If a page names a file that is not there.
    """
    shutil.rmtree(pages, ignore_errors=True)
    names = registered(ROOT)
    places = write_registry(names, ROOT, pages)
    write_pages(ROOT, pages, places)
    write_reference(ROOT, pages)
    for name in ('iframe-worker.js', 'narrow.css'):
        shutil.copy(Path(__file__).with_name(name), pages)


if __name__ == '__main__':
    sys.exit(main())
