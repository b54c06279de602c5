"""The page: its controls, and what happens when one is moved."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from ..report.page import render_sections
from ..utils.errors import explain
from .html import found_html, note_html
from .looking import Look, Looker
from .suppression import HARD, OWN, SOFT
from .uploads import Uploads

STYLE = Path(__file__).with_name('page.css')
_WAYS = [("the model's own", OWN), ('soft-NMS', SOFT), ('NMS', HARD)]
_FIRST = 'Drop a picture on the left.'
_CHOOSE = (
    'Choose one of the objects that were found: the network runs once more, and tells '
    'what made its score.'
)
# Asks for the object whose button is pressed.
_ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-object]');
  if (button) trigger('click', { place: Number(button.dataset.object) });
});
"""
_FIXED = (
    "This model's suppression cannot be chosen here: it is inside of the exported "
    'file, or that of a detector with two stages.'
)
_BOXES, _WHY = 'boxes', 'why'
# Seconds that a picture stays, between Gradio's sweeps, and that it keeps an upload.
_FORGET, _SWEEP, _UPLOAD = 3600, 10, 60
# Events that need a detector: one at a time, in the order of their arrival.
_IN_TURN = {'concurrency_limit': 1, 'concurrency_id': 'detector'}
# Pictures that are drawn at a time.
_DRAWN = 4
# Events that are the page's own, and take no time.
_UNSEEN = {'queue': False, 'show_progress': 'hidden', 'api_visibility': 'private'}


class Page:
    """What happens on the page. Each method answers an event.

    Args:
        models: The detectors by the names that the visitors see.
        uploads: The pictures of the visitors.
    """

    def __init__(self, models: Mapping[str, Looker], uploads: Uploads) -> None:
        self._models, self._uploads = models, uploads

    def take(self, file: str, request: gr.Request) -> tuple[Path, str, None]:
        """Keep a picture that was dropped, in the place of the one before it.

        It is taken out of its field, where another one can be dropped then.
        """
        session = request.session_hash
        return self._uploads.keep(Path(file), session), session, None

    def leave(self, request: gr.Request) -> None:
        """Forget the picture of a visitor who has closed the page."""
        self._uploads.drop(request.session_hash)

    def look(
        self,
        picture: Path | None,
        name: str,
        score_thr: float,
        way: str,
        overlap: float,
    ) -> tuple[Look | None, Any, str, str, list[dict[str, Any]], Any]:
        """Find objects, show them, and leave it to be asked why."""
        chosen, look, why = (score_thr, way, overlap), None, note_html(_FIRST)
        shown = self.show(None, *chosen)
        if picture is not None:
            try:
                look = self._models[name].look(picture)
                shown, why = self.show(look, *chosen), note_html(_CHOOSE)
            except Exception as error:
                look, shown = None, (_problem(error, picture), *shown[1:])
        return look, gr.Tabs(selected=_BOXES), why, *shown

    def show(
        self, look: Look | None, score_thr: float, way: str, overlap: float
    ) -> tuple[str, list[dict[str, Any]], Any]:
        """Show the boxes that remain, without running the network."""
        if look is None:
            return note_html(_FIRST), [], gr.Dropdown([], value=None)
        found = look.choose(score_thr, way, overlap)
        names = [
            (f'{number}: {x.name} {x.score:.3f}', number - 1)
            for number, x in enumerate(found, start=1)
        ]
        text = found_html(found, look.draw(found))
        return text, found.to_coco(), gr.Dropdown(names, value=None)

    def press(self, pressed: gr.EventData) -> tuple[Any, int]:
        """Choose the object whose button was pressed."""
        return gr.Tabs(selected=_WHY), pressed.place

    def why(
        self,
        look: Look | None,
        score_thr: float,
        way: str,
        overlap: float,
        place: int | None,
    ) -> Any:
        """Tell why an object was found; what is told stays when none is chosen."""
        if look is None or place is None:
            return gr.skip()
        try:
            objects = [*look.choose(score_thr, way, overlap)]
            # The boxes may be others since it was chosen.
            if place >= len(objects):
                return note_html(_CHOOSE)
            return render_sections(look.explain(objects[place]))
        except Exception as error:
            return _problem(error, look.file)

    def ways(self, name: str) -> tuple[Any, Any]:
        """Offer a choice of suppressions where a model leaves it."""
        free = self._models[name].suppression is not None
        radio = gr.Radio(value=OWN, interactive=free, info=None if free else _FIXED)
        return radio, gr.Slider(interactive=free)

    def build(self, score_thr: float) -> gr.Blocks:
        """Return the page.

        Args:
            score_thr: Lowest score of a box, as the slider stands at first.
        """
        with gr.Blocks(
            title='M2Det',
            analytics_enabled=False,
            fill_width=True,
            delete_cache=(_SWEEP, _UPLOAD),
        ) as page:
            with gr.Row():
                with gr.Column(scale=1, min_width=260):
                    controls = _controls([*self._models], score_thr)
                with gr.Column(scale=3):
                    views = _views()
            self._connect(controls, views)
            model_and_ways = (controls.model, [controls.way, controls.overlap])
            page.load(self.ways, *model_and_ways, **_UNSEEN)
            page.unload(self.leave)
        return page

    def _connect(self, controls: '_Controls', views: '_Views') -> None:
        """Let events call the methods."""
        picture = gr.State(time_to_live=_FORGET)
        # Of a visitor who does not close the page.
        session = gr.State(time_to_live=_FORGET, delete_callback=self._uploads.drop)
        look = gr.State(time_to_live=_FORGET)
        # For programs: what the link holds.
        records = gr.JSON(visible=False)
        file, model, *chosen = controls
        score, way, overlap = chosen
        shown = [views.found, records, views.objects]
        looking = {
            'fn': self.look,
            'inputs': [picture, model, *chosen],
            'outputs': [look, views.tabs, views.why, *shown],
            **_IN_TURN,
        }
        file.upload(
            self.take,
            file,
            [picture, session, file],
            queue=False,
            show_progress='hidden',
            api_name='take',
        ).success(**looking, api_name='look')
        # Gradio calls it an input, too, when a field is left as it was.
        model.change(self.ways, model, [way, overlap], **_UNSEEN).success(
            **looking, api_visibility='private'
        )
        gr.on(
            [score.change, way.input, overlap.change],
            self.show,
            [look, *chosen],
            shown,
            show_progress='hidden',
            trigger_mode='always_last',
            concurrency_limit=_DRAWN,
            api_name='show',
        )
        views.found.click(self.press, outputs=[views.tabs, views.objects], **_UNSEEN)
        views.objects.change(
            self.why,
            [look, *chosen, views.objects],
            views.why,
            **_IN_TURN,
            api_visibility='private',
        )


class _Controls(NamedTuple):
    """What visitors move."""

    file: gr.File
    model: gr.Dropdown
    score: gr.Slider
    way: gr.Radio
    overlap: gr.Slider


class _Views(NamedTuple):
    """What visitors see."""

    tabs: gr.Tabs
    found: gr.HTML
    objects: gr.Dropdown
    why: gr.HTML


def _controls(names: Sequence[str], score_thr: float) -> _Controls:
    return _Controls(
        _file(),
        gr.Dropdown(names, value=names[0], label='Model'),
        gr.Slider(0, 1, score_thr, step=0.01, label='Lowest score', elem_id='score'),
        gr.Radio(_WAYS, value=OWN, label='Suppression'),
        gr.Slider(
            0, 1, 0.5, step=0.01, label='Overlap (IoU) above which soft-NMS and NMS act'
        ),
    )


def _file() -> gr.File:
    """Return a field for a file, not for the address of one that Gradio would fetch."""
    file = gr.File(label='Picture', height=140)
    move = file.async_move_resource_to_block_cache

    async def move_no_address(place: str | Path | None) -> str | None:
        if '://' in str(place):
            raise gr.Error('A picture is a file, not an address: download it first.')
        return await move(place)

    file.async_move_resource_to_block_cache = move_no_address
    return file


def _views() -> _Views:
    with gr.Tabs(selected=_BOXES) as tabs:
        with gr.Tab('Boxes', id=_BOXES):
            found = gr.HTML(note_html(_FIRST), js_on_load=_ON_CLICK)
        with gr.Tab('Why', id=_WHY):
            objects = gr.Dropdown([], value=None, label='Object', elem_id='object')
            why = gr.HTML(note_html(_FIRST), elem_id='why')
    return _Views(tabs, found, objects, why)


def _problem(error: Exception, picture: Path) -> str:
    """Return a sentence on an error that names the file as the visitor does."""
    sentence = explain(error).replace(f'{picture.parent}/', '')
    return note_html(sentence, problem=True)
