"""Live fan-out: see docs/subsystems/live.md. Filled in with the live socket."""

from typing import Any


def tell(topic: str, message: dict[str, Any]) -> None:
    """Tell every watcher of a topic, in whichever process; best effort, never raises."""
