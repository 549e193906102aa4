"""A terminal whose screen is looked at as a person does: by pyte, which draws what a program sends."""
import pyte

from .system import wait_until
from .terminal import Terminal


class Screen(Terminal):
    def __init__(self, argv, rows=24, columns=80, env=None):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.fed = 0
        super().__init__(argv, rows, columns, env)

    def _read(self, seconds):
        going = super()._read(seconds)
        self.stream.feed(self.raw[self.fed:])
        self.fed = len(self.raw)
        return going

    @property
    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        super().resize(rows, columns)

    def shows(self, *texts, seconds=20):
        """Waits until each stands somewhere on the screen, within one line."""
        def found():
            self._read(0.05)
            return all(any(text in line for line in self.lines) for text in texts)
        try:
            wait_until(found, str(texts), seconds, 0.01)
        except AssertionError:
            raise AssertionError(f"no {texts} in\n" + "\n".join(self.lines)) from None

    def lacks(self, text, seconds=20):
        def gone():
            self._read(0.05)
            return not any(text in line for line in self.lines)
        try:
            wait_until(gone, f"{text} is gone", seconds, 0.01)
        except AssertionError:
            raise AssertionError(f"still {text} in\n" + "\n".join(self.lines)) from None

    @property
    def is_restored(self):
        """Out of the alternate screen, with a cursor and no colour."""
        return (self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h") and
                self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l"))
