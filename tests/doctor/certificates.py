"""Certificates that the tests' usual authority does not make: of another name, or expired."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.backends.tls import Certificates, make_certificates


def server_of(folder: Path, *, name: str = "localhost", ends_in_days: float = 400) -> Certificates:
    """An authority, and a server's certificate of it for one DNS name."""
    made = make_certificates(folder)
    now = dt.datetime.now(dt.UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The doctor's tests")])
    key = ec.generate_private_key(ec.SECP256R1())
    ends = now + dt.timedelta(days=ends_in_days)
    begins = min(now, ends) - dt.timedelta(days=2)

    def builder(public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .issuer_name(subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    authority = (
        builder(authority_key.public_key())
        .subject_name(subject)
        .not_valid_after(now + dt.timedelta(days=800))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    server = (
        builder(key.public_key())
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = {
        "other-authority.pem": authority.public_bytes(pem),
        "other-server.pem": server.public_bytes(pem),
        "other-server.key": key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    for file, content in files.items():
        (folder / file).write_bytes(content)
    authority_path, certificate_path, key_path = (folder / file for file in files)
    return replace(
        made,
        authority=authority_path,
        server_certificate=certificate_path,
        server_key=key_path,
    )
