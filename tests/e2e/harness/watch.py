"""The memory of processes while something big passes through them."""
import threading


class Watch(threading.Thread):
    """Follows the processes of a bastion's connections; `most` is KiB of private memory by kind."""

    def __init__(self, bastion):
        super().__init__(daemon=True)
        self.bastion = bastion
        self.done = threading.Event()
        self.most = {}

    def run(self):
        while not self.done.wait(0.1):
            for process in self.bastion.connections():
                try:
                    self.most[process.kind] = max(self.most.get(process.kind, 0), process.memory_kib())
                except OSError:
                    pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()
