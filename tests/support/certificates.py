"""Certificates for tests, made with the command `openssl`."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[between]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
subjectAltName = IP:127.0.0.1, DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass
class Certificate:
    file: Path
    key: Path


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_certificate(
    folder: Path, kind: str, signer: Certificate | None = None, key: str = "ec"
) -> Certificate:
    """kind: a section of CONFIG. Without a signer it signs itself."""
    folder.mkdir(exist_ok=True)
    config = folder / "openssl.cnf"
    config.write_text(CONFIG, encoding="ascii")
    made = Certificate(folder / f"{kind}.pem", folder / f"{kind}.key")
    keys = {"ec": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa1024": ("rsa:1024",)}[key]
    signed = ("-CA", signer.file, "-CAkey", signer.key) if signer else ()
    openssl(
        *("req", "-x509", "-config", config, "-extensions", kind, "-subj", f"/CN={kind}"),
        *("-days", "2", "-newkey", *keys, "-noenc", *signed),
        *("-keyout", made.key, "-out", made.file),
    )
    return made


def make_chain(folder: Path) -> tuple[Path, Certificate]:
    """An authority's certificate, and a server's whose file also has the one between them."""
    root = make_certificate(folder, "root")
    between = make_certificate(folder, "between", root)
    server = make_certificate(folder, "server", between)
    with server.file.open("ab") as file:
        file.write(between.file.read_bytes())
    return root.file, server
