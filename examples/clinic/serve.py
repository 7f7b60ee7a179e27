"""Serve a clinic's website on http://localhost:8000, and on http://127.0.0.1:7860 the AskDMT that it shows.

Two names make two origins, as in real life: the clinic's scripts cannot read what is typed into AskDMT.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

CLINIC = "http://localhost:8000"
SETTINGS = {
    "ASKDMT_ALLOWED_ORIGINS": CLINIC,
    "ASKDMT_REGION": "gb",
    "ASKDMT_OPERATOR": "Riverside Clinic",
    "ASKDMT_CONTACT": "the contact form of Riverside Clinic",
}


def main() -> int:
    """Run both until AskDMT is stopped; its exit code is ours."""
    pages = partial(SimpleHTTPRequestHandler, directory=Path(__file__).parent)
    with ThreadingHTTPServer(("localhost", 8000), pages) as website:
        Thread(target=website.serve_forever, daemon=True).start()
        print(f"The clinic's website is {CLINIC}. AskDMT is starting.", flush=True)  # noqa: T201
        try:
            return subprocess.run([sys.executable, "-m", "askdmt", "serve"], env={**os.environ, **SETTINGS}).returncode
        except KeyboardInterrupt:
            return 0
        finally:
            website.shutdown()


if __name__ == "__main__":
    sys.exit(main())
