"""What the services say: to the console with a prefix, and each to a file of its own."""

import logging
import logging.handlers
import sys
from pathlib import Path

from controlplane.cli.output import harmless

LARGEST_FILE = 16 * 1024 * 1024
OLDER_FILES = 2
WIDTH = len("controller")
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)


class Logs:
    """Lines by service. Files are kept below a size; older ones are numbered."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._files: dict[str, logging.handlers.RotatingFileHandler] = {}
        self._colours = sys.stderr.isatty()

    def write(self, service: str, line: str) -> None:
        """A line that a service wrote."""
        self._file(service).emit(logging.makeLogRecord({"msg": line}))
        self._show(service, harmless(line))

    def say(self, line: str) -> None:
        """Something we have to say ourselves."""
        self.write("datahall", line)

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _file(self, service: str) -> logging.handlers.RotatingFileHandler:
        if service not in self._files:
            self._files[service] = handler = logging.handlers.RotatingFileHandler(
                self._folder / f"{service}.log",
                maxBytes=LARGEST_FILE,
                backupCount=OLDER_FILES,
                encoding="utf-8",
                errors="replace",
            )
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        return self._files[service]

    def _show(self, service: str, line: str) -> None:
        name = f"{service:{WIDTH}}"
        if self._colours:
            name = f"\x1b[{COLOURS[sum(service.encode()) % len(COLOURS)]}m{name}\x1b[0m"
        try:
            sys.stderr.write(f"{name} | {line}\n")
            sys.stderr.flush()
        except OSError:
            pass  # whoever read our output is gone; the files go on
