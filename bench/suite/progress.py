"""One line of progress on stderr, with the time left."""
import sys


def words(seconds: float) -> str:
    seconds = max(0, round(seconds))
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min {seconds % 60:02d} s"


class Progress:
    """On a terminal the line is written over; elsewhere each message is a line, and those within a case are left out."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()

    def step(self, text: str) -> None:
        if self.live:
            print(f"\r\033[Kbench: {text}", end="", file=self.stream, flush=True)

    def line(self, text: str) -> None:
        print(("\r\033[K" if self.live else "") + f"bench: {text}", file=self.stream, flush=True)
