"""Configs that are the defaults of arguments."""

from typing import Any, NoReturn


class FrozenConfig(dict):
    """A config that cannot be changed, so that calls may share it as a default.

    mmcv asks for a ``dict``, and this is one. A copy of it is an ordinary ``dict``.

    Raises:
        TypeError: At any attempt to change it.
    """

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f'{dict(self)} is a default: change a copy of it.')

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[dict], tuple[dict]]:
        # By default copy.deepcopy and pickle would fill a new one key by key.
        return dict, (dict(self),)
