"""Accepts ID tokens of CI jobs, as AssumeRoleWithWebIdentity does.

    identities  {"issuers": {URL of an issuer: its public RSA key in PEM}}

AWS reads the keys of an issuer from its URL; here the control call supplies them. The account of
the role needs an OIDC provider in IAM for the issuer, with the audience of the token among its
client IDs, and the trust policy of the role must allow the token. It is always checked.
Without issuers, no token is accepted.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from ..api_call import ApiCall
from .policy_documents import (
    MalformedPolicyError,
    Request,
    UnsupportedPolicyError,
    find_matches,
    parse_policy,
)
from .settings import SettingError, check_members, check_text

ACTION = "AssumeRoleWithWebIdentity"
_INVALID = "InvalidIdentityToken"


@dataclass
class TokenError(Exception):
    """Token or role that AWS would not accept."""

    code: str
    message: str
    status: int = 400


class WebIdentities:
    """Issuers of ID tokens, with their keys."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}

    def describe(self) -> dict[str, Any]:
        """Returns the URLs of the issuers."""
        return {"issuers": sorted(self.keys)}

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces all issuers."""
        members = check_members(body, ("issuers",))
        issuers = members.get("issuers", {})
        if not isinstance(issuers, dict):
            raise SettingError(f"issuers must be an object, and not {issuers!r}")
        self.keys = {url: _load_key(check_text(pem, "a key")) for url, pem in issuers.items()}
        return self.describe()

    def check(self, call: ApiCall) -> Response | None:
        """Returns the error of a call with a token that is not accepted, or None."""
        from ..ec2.state import current_state

        if "Policy" in call.parameters or "PolicyArns.member.1.arn" in call.parameters:
            text = f"The sandbox supports no session policies in {ACTION}."
            return call.error_response("UnsupportedOperation", text, 400)
        if not self.keys:
            text = "The sandbox knows no issuer of web identities: use AssumeRole."
            return call.error_response("AccessDenied", text, 403)
        with current_state().lock:
            try:
                claims = self._read_token(str(call.parameters.get("WebIdentityToken", "")))
                call.caller = f"web identity {claims.get('sub')}"
                _check_trust(str(call.parameters.get("RoleArn", "")), claims)
            except TokenError as error:
                return call.error_response(error.code, error.message, error.status)
            except (UnsupportedPolicyError, MalformedPolicyError) as error:
                text = f"The local EC2 cannot evaluate a trust policy: {error}."
                return call.error_response("AccessDenied", text, 403)
        return None

    def _read_token(self, token: str) -> dict[str, Any]:
        """Returns the claims of a token with a valid signature that has not expired."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            header, payload, signature = token.split(".")
            algorithm = json.loads(_decode(header))["alg"]
            claims = dict(json.loads(_decode(payload)))
            signed = _decode(signature)
        except (ValueError, KeyError, TypeError):
            raise TokenError(_INVALID, "The ID Token provided is not a valid JWT.") from None
        key = self.keys.get(str(claims.get("iss")))
        if key is None or algorithm != "RS256":
            text = "Couldn't retrieve verification key from your identity provider"
            raise TokenError(_INVALID, text)
        try:
            key.verify(signed, f"{header}.{payload}".encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            raise TokenError(_INVALID, "The token's signature is invalid") from None
        now, expiry = time.time(), claims.get("exp", 0)
        if not isinstance(expiry, int | float) or expiry <= now:
            text = f"Token expired: current date/time {now:.0f} must be before {expiry}"
            raise TokenError("ExpiredTokenException", text)
        return claims


def _load_key(pem: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, RSAPublicKey):
        raise SettingError("the key of an issuer must be a public RSA key in PEM")
    return key


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _check_trust(role_arn: str, claims: dict[str, Any]) -> None:
    """Fails unless the account has an OIDC provider for the token, and the role trusts it."""
    from moto.iam.models import iam_backends

    from ..ec2 import sts_iam

    host = str(claims["iss"]).removeprefix("https://")
    account, partition = (role_arn.split(":") + [""] * 5)[4], role_arn.split(":")[1:2]
    provider_arn = f"arn:{''.join(partition)}:iam::{account}:oidc-provider/{host}"
    provider = None
    if account in iam_backends:
        providers = iam_backends[account][partition[0]].open_id_providers
        provider = providers.get(provider_arn)
    if provider is None:
        text = f"No OpenIDConnect provider found in your account for {claims['iss']}"
        raise TokenError(_INVALID, text)
    audiences = claims.get("aud")
    audiences = audiences if isinstance(audiences, list) else [audiences]
    if not set(audiences) & set(provider.client_id_list):
        raise TokenError(_INVALID, "Incorrect token audience")
    keys = {
        f"{host}:aud".lower(): tuple(str(audience) for audience in audiences),
        f"{host}:sub".lower(): (str(claims.get("sub")),),
    }
    role = sts_iam.find_role(role_arn)
    if role is not None:
        statements = parse_policy(role.assume_role_policy_document)
        request = Request(f"sts:{ACTION}", role_arn, keys)
        found = find_matches(statements, request, [provider_arn])
        if "Allow" in found and "Deny" not in found:
            return
    raise TokenError("AccessDenied", f"Not authorized to perform sts:{ACTION}", 403)
