"""Databases for transcripts: SQLite in a file, and a PostgreSQL server of this run where Debian's is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def _postgres_tool(name: str) -> str:
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), shutil.which(name)]
    assert found[0], "PostgreSQL is missing; install Debian's package postgresql"
    return str(found[0])


@pytest.fixture(scope="session")
def postgres() -> Iterator[tuple[str, Path]]:
    """Start a PostgreSQL server; give the URL of its database and its folder."""
    with (
        tempfile.TemporaryDirectory(prefix="askdmt-postgres-") as folder,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        home, port = Path(folder), free.getsockname()[1]
        free.close()
        as_user = []
        if os.geteuid() == 0:  # it refuses to run as root
            shutil.chown(home, "postgres")
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        make = [*as_user, _postgres_tool("initdb"), "-D", home / "data", "-U", "clinic", "-A", "trust"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd="/")
        server = subprocess.Popen(
            [*as_user, _postgres_tool("postgres"), "-D", home / "data", "-p", str(port), "-k", home, "-h", "127.0.0.1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
        ready = [_postgres_tool("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
        while subprocess.run(ready, check=False).returncode:
            assert server.poll() is None, "PostgreSQL did not start"
        yield f"postgresql+psycopg://clinic@127.0.0.1:{port}/postgres", home / "data"
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """Return the URL of an empty database, and the file or folder that holds it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kept.db'}", tmp_path
    url, data = request.getfixturevalue("postgres")
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS askdmt_transcripts"))
    engine.dispose()
    return url, data
