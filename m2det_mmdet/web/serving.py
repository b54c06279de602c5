"""Serves the page."""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet

from ..apis.checks import check_fraction
from ..utils.arguments import texts_of
from ..utils.errors import M2DetError, clause_of, our_errors
from ..utils.values import is_count, is_number
from .looking import Looker
from .uploads import Uploads

if TYPE_CHECKING:
    from gradio import Blocks

LOCAL = '127.0.0.1'
PORT = 7860
_LAST_PORT = 65535
_GRADIO = '>=6.31,<7'
_MEGABYTE = 10**6
_UPLOADS = 'GRADIO_TEMP_DIR'
# Gradio and what it brings would tell their makers of each start.
_QUIET = {
    'GRADIO_ANALYTICS_ENABLED': 'False',
    'HF_HUB_DISABLE_TELEMETRY': '1',
    'HF_HUB_OFFLINE': '1',
}


@contextmanager
def serving(
    models: Sequence[str | Path] = ('m2det_r18_scenes',),
    *,
    host: str = LOCAL,
    port: int = PORT,
    max_size: float = 20,
    score_thr: float = 0.3,
    device: str | None = None,
    browser: bool = False,
) -> Iterator[str]:
    """Serve a page on which detectors look at pictures, while the context lasts.

    Nothing outside of this machine is asked for anything, but for weights that have to
    be downloaded. All files of visitors are gone at the end.

    Args:
        models: What visitors may choose from, the first one at first: run folders,
            names of the zoo, checkpoints with their config, or exported files.
        host: Address of this machine where the page is served. By default this machine
            alone reaches it; ``0.0.0.0`` is all of its addresses.
        port: Its port; 0 for one that is free.
        max_size: Size of the largest picture that is taken, MB.
        score_thr: Lowest score of a box, as the slider stands at first.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        browser: Whether to open the page in a browser.

    Yields:
        The address of the page.

    Raises:
        M2DetError: One sentence on what is wrong with an argument or a model, or if
            Gradio is not installed.
    """
    check_fraction('score_thr', score_thr)
    _check_size(max_size)
    with ExitStack() as stack:
        # What goes wrong while the page is served is not ours.
        with our_errors():
            names = _names(models)
            port = _free_port(host, port)
            folder = Path(stack.enter_context(_folder()))
            builder = _page()
            lookers = {name: Looker(model, device) for name, model in names.items()}
            page = builder.Page(lookers, Uploads(folder)).build(score_thr)
            stack.callback(page.close, verbose=False)
            # As it stands in an address.
            name = f'[{host}]' if ':' in host else host
            _launch(
                page,
                server_name=name,
                server_port=port,
                inbrowser=browser,
                max_file_size=round(max_size * _MEGABYTE),
                css_paths=builder.STYLE,
            )
        yield f'http://{name}:{port}'


def _check_size(max_size: float) -> None:
    if not is_number(max_size) or not 0 < max_size < float('inf'):
        raise M2DetError(f'max_size must be a positive number of MB, got {max_size}.')


def _names(models: Sequence[str | Path]) -> dict[str, str]:
    """Name models so that visitors do not learn where files are, but for equal ones."""
    words = texts_of('models', models)
    if not words:
        raise M2DetError('There is no model to choose from: name one.')
    short = [Path(word).name if Path(word).exists() else word for word in words]
    return {
        word if short.count(name) > 1 else name: word
        for word, name in zip(words, short, strict=True)
    }


@contextmanager
def _folder() -> Iterator[str]:
    """Make a folder for all files of visitors, where Gradio puts them, too."""
    with TemporaryDirectory(prefix='m2det-webui-') as folder:
        former = {name: os.environ.get(name) for name in (*_QUIET, _UPLOADS)}
        os.environ.update(_QUIET, **{_UPLOADS: folder})
        try:
            yield folder
        finally:
            for name, value in former.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def _page() -> ModuleType:
    """Import what builds the page, and Gradio with it."""
    remedy = f'pip install "gradio{_GRADIO}"'
    try:
        from gradio import __version__ as version

        if version not in SpecifierSet(_GRADIO):
            raise M2DetError(f'The page does not work with Gradio {version}: {remedy}.')
        from . import page
    except ModuleNotFoundError as error:
        raise M2DetError(
            f'The page needs Gradio, and {error.name} is not installed: {remedy}.'
        ) from error
    except ImportError as error:
        raise M2DetError(
            f'The page needs Gradio, which cannot be imported ({clause_of(error)}): '
            f'{remedy}.'
        ) from error
    return page


def _free_port(host: str, port: int) -> int:
    """Return a port on which nobody listens.

    Raises:
        M2DetError: If it is in use, or the address is none of this machine.
    """
    if not is_count(port) or port > _LAST_PORT:
        raise M2DetError(f'port must be from 0 to {_LAST_PORT}, got {port}.')
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
            return trial.getsockname()[1]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _in_use(port) from error
        raise M2DetError(
            f'The page cannot be served at {host}, port {port} ({error.strerror}): '
            f'give an address of this machine, such as {LOCAL}, and another port.'
        ) from error


def _in_use(port: int) -> M2DetError:
    return M2DetError(
        f'Port {port} is in use: give another one, or 0 for one that is free.'
    )


def _launch(page: 'Blocks', **how: Any) -> None:
    """Serve the page in threads of its own, with nothing of Gradio's around it."""
    try:
        page.launch(
            **how,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
        )
    except OSError as error:
        if error.errno is not None:
            raise
        # Gradio's own: somebody has taken the port in the meantime.
        raise _in_use(how['server_port']) from error
