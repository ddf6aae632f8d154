"""wrk with one thread, and what it measured."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
wrk.method = "POST"
local file = io.open({body!r}, "rb")
wrk.body = file:read("*a")
file:close()
{headers}
done = function(summary, latency, requests)
  local bad = summary.errors
  io.write(string.format(
    '\\nRESULT {{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    bad.connect + bad.read + bad.write + bad.status + bad.timeout))
end
"""


@dataclass
class Load:
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_us: float = 0.0  # of the server, for each answer


def wrk(url: str, body: bytes, headers: dict[str, str], *, clients: int, seconds: float) -> Load:
    """Every client sends its next request when it has its answer."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "body").write_bytes(body)
        lines = "\n".join(f"wrk.headers[{n!r}] = {v!r}" for n, v in headers.items())
        script = Path(folder) / "post.lua"
        script.write_text(_SCRIPT.format(body=str(Path(folder) / "body"), headers=lines))
        done = subprocess.run(
            ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "-s", str(script), url],
            check=True,
            capture_output=True,
            text=True,
        )
    result = json.loads(done.stdout.rpartition("RESULT ")[2])
    return Load(
        per_second=result["requests"] / result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        errors=result["errors"],
    )
