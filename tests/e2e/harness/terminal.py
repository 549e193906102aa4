"""A program on a terminal of its own, and what its screen shows."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")


class Terminal:
    def __init__(self, argv, rows=24, columns=100, env=None):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(["setsid", "--ctty", *argv], stdin=theirs, stdout=theirs, stderr=theirs,
                                        env={**os.environ, "TERM": "xterm", **(env or {})})
        os.close(theirs)
        os.set_blocking(ours, False)
        self.fd = ours
        self.raw = b""
        self.position = 0

    @property
    def text(self):
        return ESCAPES.sub("", self.raw.decode(errors="replace"))

    def _read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            chunk = os.read(self.fd, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.raw += chunk
        return bool(chunk)

    def expect(self, pattern, seconds=15):
        """Waits until the pattern shows up beyond what was matched before."""
        end = time.monotonic() + seconds
        while True:
            found = re.compile(pattern, re.S).search(self.text, self.position)
            if found:
                self.position = found.end()
                return found
            left = end - time.monotonic()
            if left <= 0 or not self._read(left):
                found = re.compile(pattern, re.S).search(self.text, self.position)
                assert found, f"no {pattern!r} in {self.text[self.position:]!r}"

    def send(self, text, seconds=60):
        """Reads meanwhile: who waits for somebody to read its output reads no keys."""
        left = text.encode()
        end = time.monotonic() + seconds
        while left:
            ready, room, _ = select.select([self.fd], [self.fd], [], max(0, end - time.monotonic()))
            assert ready or room, f"nobody reads what is typed; {len(left)} bytes are left"
            if room:
                try:
                    left = left[os.write(self.fd, left):]
                except BlockingIOError:
                    pass
            if ready and not self._read(0):
                return

    def line(self, text):
        self.send(text + "\r")

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, seconds=15):
        """The exit status, after all output was read."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._read(0.2):
            if self.process.poll() is not None and not select.select([self.fd], [], [], 0.1)[0]:
                break
        return self.process.wait(max(0.1, end - time.monotonic()))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
