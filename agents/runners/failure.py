"""How a runner says that something went wrong, and whose fault it was."""

import json
import os
from pathlib import Path
from typing import Any

from agents.protocol.workloads import Cause

FILE = "failure.json"


class Failure(Exception):
    """An end with a reason: a code of the message catalogue and its parameters."""

    def __init__(self, code: str, /, *, cause: Cause = Cause.USER_CODE, **params: Any) -> None:
        super().__init__(code, params)
        self.code = code
        self.cause = cause
        self.params = params

    def __str__(self) -> str:
        details = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.code}: {details}" if details else self.code

    def leave_in(self, folder: Path) -> None:
        """Write ``failure.json``, whole or not at all."""
        body = {"code": self.code, "params": self.params, "cause": self.cause.value}
        temporary = folder / f"{FILE}.tmp"
        temporary.write_text(json.dumps(body), "utf-8")
        os.replace(temporary, folder / FILE)
