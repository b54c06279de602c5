"""Chromium without a window, for tests of pages."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
PATIENCE = 60  # seconds
_ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # The key that WebDriver gives it.


class Browser:
    """Chromium without a window, by the WebDriver protocol.

    Args:
        address: Of chromedriver.
    """

    def __init__(self, address: str) -> None:
        self._address = f'{address}/session'
        options = {
            'binary': CHROMIUM,
            'args': ['--headless=new', '--no-sandbox', '--disable-dev-shm-usage'],
        }
        # All that the page asks for.
        wanted = {
            'goog:chromeOptions': options,
            'goog:loggingPrefs': {'performance': 'ALL'},
        }
        answer = self._post('', {'capabilities': {'alwaysMatch': wanted}})
        self._address += f'/{answer["sessionId"]}'

    def _post(self, path: str, values: dict) -> Any:
        content = json.dumps(values).encode()
        headers = {'Content-Type': 'application/json'}
        request = Request(self._address + path, content, headers)
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)['value']

    def open(self, address: str) -> None:
        self._post('/url', {'url': address})

    def run(self, script: str) -> Any:
        """Run the body of a function, and return what it returns."""
        return self._post('/execute/sync', {'script': script, 'args': []})

    def wait(self, script: str) -> Any:
        """Wait until the body of a function returns what is true, and return that."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.1)
        raise TimeoutError(f'It never became true: {script}')

    def give(self, selector: str, file: Path) -> None:
        """Choose a file in a field for files."""
        place = {'using': 'css selector', 'value': selector}
        element = self._post('/element', place)[_ELEMENT]
        self._post(f'/element/{element}/value', {'text': str(file)})

    def asked(self) -> set[str]:
        """Return the addresses that were asked for since the last call."""
        log = self._post('/se/log', {'type': 'performance'})
        messages = [json.loads(entry['message'])['message'] for entry in log]
        return {
            message['params']['request']['url']
            for message in messages
            if message['method'] == 'Network.requestWillBeSent'
        }

    def quit(self) -> None:
        with urlopen(Request(self._address, method='DELETE'), timeout=PATIENCE):
            pass


@contextmanager
def running_browser(log: Path) -> Iterator[Browser]:
    """Start Chromium, and end it.

    Args:
        log: File for what its driver says.
    """
    argv = [DRIVER, '--port=0']
    with open(log, 'w') as file, subprocess.Popen(argv, stdout=file) as process:
        try:
            found = Browser(_address_in(log))
            try:
                yield found
            finally:
                # Without its driver it would go on.
                found.quit()
        finally:
            process.terminate()


def _address_in(log: Path) -> str:
    """Wait until a driver tells its port."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := re.search(r'on port (\d+)\.', text := log.read_text()):
            return f'http://127.0.0.1:{found[1]}'
        time.sleep(0.1)
    raise URLError(f'chromedriver does not start: {text}')
