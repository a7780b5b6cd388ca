"""What a receiver of webhooks needs: is a message really the service's?"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Mapping, cast

from .errors import WrongSignature
from .types import WebhookMessage


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, *,
                   tolerance_s: float = 300) -> WebhookMessage:
    """The message of a request whose headers and body, as they arrived, are these.

    Raises WrongSignature when it is not signed with the secret of the webhook (`whsec_...`), or was
    sent longer ago than the tolerance. A message may arrive more than once: its header `webhook-id`
    tells. Signatures are those of Standard Webhooks."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message, sent = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split()
        age_s = abs(time.time() - int(sent))
    except (KeyError, ValueError) as error:
        raise WrongSignature(f"the headers of a webhook are missing or malformed: {error}") from None
    key = base64.b64decode(secret[len("whsec_"):] if secret.startswith("whsec_") else secret)
    signed = f"{message}.{sent}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in signatures):
        raise WrongSignature("the signature is not that of this message")
    if age_s > tolerance_s:
        raise WrongSignature(f"the message was sent {age_s:.0f} s ago")
    return cast(WebhookMessage, json.loads(body))
