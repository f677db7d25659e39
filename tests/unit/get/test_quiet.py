"""Nothing is contacted before somebody asks for a download."""

from __future__ import annotations

import subprocess
import sys

from .conftest import PACKAGE

CHILD = """
import sys

def listen(event, arguments):
    if event.startswith("socket.") or event in ("urllib.Request", "subprocess.Popen"):
        print("contacted:", event, arguments)

sys.addaudithook(listen)
sys.path.insert(0, sys.argv[1])
import get.cli, get.download, get.found, get.hub, get.known
get.cli.main(["--list"])
hub = get.hub.Hub.of_environment()
get.download.Download(get.known.MODELS[0], get.cli.FOLDER, hub).progress()
print("torch" in sys.modules, "kandinsky_engine" in sys.modules, "requests" in sys.modules)
"""


def test_importing_and_listing_contacts_nobody(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, PACKAGE.parent],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "contacted" not in done.stdout
    assert done.stdout.splitlines()[-1] == "False False False"
    assert list(tmp_path.iterdir()) == []


def test_the_hook_hears_what_is_contacted(tmp_path):
    code = CHILD + 'import urllib.request\ntry: urllib.request.urlopen("http://127.0.0.1:9")\n'
    code += "except OSError: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", code, PACKAGE.parent],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "contacted: urllib.Request" in done.stdout
    assert "contacted: socket.connect" in done.stdout
