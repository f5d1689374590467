"""A certificate for the servers of the tests, made when the tests run."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from .conftest import require


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate.

    Attributes:
        path: The certificate, as PEM.
        key_path: Its private key, as PEM.
        key_hash: The hash of its public key, in the form that Chromium takes to trust it.
    """

    path: Path
    key_path: Path
    key_hash: str

    @classmethod
    def make(cls, folder: Path) -> Certificate:
        """Write a new one into a folder."""
        x509 = require("cryptography.x509", "certificates are made with it")
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = dt.datetime.now(dt.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        path, key_path = folder / "certificate.pem", folder / "key.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(path, key_path, base64.b64encode(hashlib.sha256(public).digest()).decode("ascii"))
