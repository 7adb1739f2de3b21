"""The examples in `docs/server.md`: every block of shell that calls curl is run against the server."""

import os
import re
import shutil
import subprocess

import pytest

from sounds import SAMPLES
from target import CONTRACT, SECONDS

BLOCKS = [block for block in re.findall(r"^```(?:sh|bash|shell|console)\n(.*?)^```", CONTRACT.read_text("utf-8"), re.M | re.S) if "curl" in block]


@pytest.mark.amanuensis
def test_there_are_examples():
    """The contract has examples with curl"""
    if not BLOCKS:
        pytest.skip("docs/server.md has no block ```sh with curl")


@pytest.mark.amanuensis
@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(1, len(BLOCKS) + 1)])
def test_example(target, tmp_path, block):
    """An example of the contract works, and no request of it is refused"""
    shutil.copytree(SAMPLES, tmp_path / "samples")
    for file in SAMPLES.iterdir():
        shutil.copy(file, tmp_path)
    # curl exits with 0 although a request was refused, unless it is told otherwise.
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\nmax-time = 120\n")
    block = re.sub(r"^\$ ", "", block, flags=re.M)
    script = re.sub(r"http://(127\.0\.0\.1|localhost):8000", target.root, block)
    environment = {**os.environ, "CURL_HOME": str(tmp_path), "HOME": str(tmp_path), "AMANUENSIS_KEY": target.key or "none", "KEY": target.key or "none", "OPENAI_API_KEY": target.key or "none", "OPENAI_BASE_URL": target.base_url}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"exit code {done.returncode}\n{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
