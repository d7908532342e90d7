"""What Fulcio wrote into a certificate.

Source: sigstore/fulcio, docs/oid-info.md: extensions 1.3.6.1.4.1.57264.1.8 to .22 hold DER UTF8Strings. Those below 8 are
older spellings of the same and are not read.
"""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.hazmat import asn1

from weighlock import jsonio
from weighlock.errors import SignatureError
from weighlock.signing import Bundle, Certificate

_ARC = "1.3.6.1.4.1.57264.1."
_USER_NAME = _ARC + "7"
_FIELDS = {
    _ARC + "8": "issuer",
    _ARC + "9": "builder",
    _ARC + "10": "builder_commit",
    _ARC + "11": "runner",
    _ARC + "12": "source",
    _ARC + "13": "source_commit",
    _ARC + "14": "ref",
    _ARC + "15": "source_id",
    _ARC + "16": "owner",
    _ARC + "17": "owner_id",
    _ARC + "18": "workflow",
    _ARC + "19": "workflow_commit",
    _ARC + "20": "trigger",
    _ARC + "21": "invocation",
    _ARC + "22": "visibility",
}


def claimed(bundle: Bundle) -> Certificate:
    """Return what the certificate in a bundle says, which nobody has verified; `SignatureError` where it says nothing."""
    try:
        encoded = jsonio.field(bundle.material, "certificate", dict, "bundle material")
        raw = base64.b64decode(jsonio.field(encoded, "rawBytes", str, "bundle certificate"), validate=True)
        return read(x509.load_der_x509_certificate(raw))
    except Exception:  # noqa: BLE001 - a stranger's bytes, and the library has a class for each thing they can lack
        raise SignatureError("the bundle has no certificate that can be read") from None


def read(certificate: x509.Certificate) -> Certificate:
    """Return what the certificate says; `SignatureError` where it names nobody, or two, or no issuer."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        claims = {
            _FIELDS[extension.oid.dotted_string]: _text(extension.value)
            for extension in certificate.extensions
            if extension.oid.dotted_string in _FIELDS
        }
        identities = [_name(name) for name in names]
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise SignatureError("the certificate names nobody in a way that Sigstore does") from None
    if len(identities) != 1 or not identities[0] or not claims.get("issuer"):
        raise SignatureError("the certificate does not name one identity and its issuer")
    return Certificate(identity=identities[0], issued=certificate.not_valid_before_utc, **claims)


def _name(name: x509.GeneralName) -> str:
    match name:
        case x509.UniformResourceIdentifier() | x509.RFC822Name():
            return name.value
        case x509.OtherName() if name.type_id.dotted_string == _USER_NAME:
            return _decode(name.value)
    raise ValueError("a name of another kind")


def _text(extension: x509.ExtensionType) -> str:
    if not isinstance(extension, x509.UnrecognizedExtension):
        raise ValueError("an extension of another kind")  # noqa: TRY004 - it is about bytes, not about a type
    return _decode(extension.value)


def _decode(der: bytes) -> str:
    return asn1.decode_der(str, der)
