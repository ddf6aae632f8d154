"""Server time, as far as this node can tell: orders expire by it, whatever the local clock says."""

import time


class Clock:
    """The local clock and how far it is from the server's."""

    def __init__(self) -> None:
        self._offset = 0.0

    def heard(self, server_time: float, *, sent_at: float, received_at: float) -> None:
        """The server said its time somewhere between two local moments."""
        self._offset = server_time - (sent_at + received_at) / 2

    @property
    def offset(self) -> float:
        """Seconds that the server's clock is ahead of ours, as it was last heard."""
        return self._offset

    def now(self) -> float:
        """Server time in Unix seconds."""
        return time.time() + self._offset
