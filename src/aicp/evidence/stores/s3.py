"""Evidence in a bucket: Amazon S3, or whatever speaks its protocol (Supabase Storage, SeaweedFS …)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import S3Store

from aicp.errors import BadInput
from aicp.evidence.stores.objects import ObjectEvidence

if TYPE_CHECKING:
    from obstore.store import S3Config

HINT = "check AICP_EVIDENCE_URL, its endpoint, region and keys, and that the bucket is there"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where evidence goes: `url` is s3://bucket or s3://bucket/prefix; no endpoint means Amazon's own."""

    url: str
    endpoint: str = ""
    region: str = "us-east-1"
    key_id: str = ""
    secret: str = ""


class S3Evidence(ObjectEvidence):
    """One bucket, addressed by path. Answers of 5xx and broken connections are tried again, with pauses
    that grow by chance (obstore); a refusal is not. Bytes are sent with their SHA-256, which the store checks.

    Raises:
        BadInput: the URL names no bucket.
    """

    def __init__(self, bucket: Bucket, *, patience: timedelta = timedelta(seconds=30)) -> None:
        parts = urlsplit(bucket.url)
        if parts.scheme != "s3" or not parts.hostname:
            raise BadInput(
                "AICP_EVIDENCE_URL names no bucket", hint="write s3://bucket or s3://bucket/prefix"
            )
        config: S3Config = {
            "region": bucket.region,
            "virtual_hosted_style_request": False,
            "checksum_algorithm": "sha256",
        }
        if bucket.endpoint:
            config["endpoint"] = bucket.endpoint
        if bucket.key_id:
            config["access_key_id"], config["secret_access_key"] = bucket.key_id, bucket.secret
        store = S3Store(
            parts.hostname,
            prefix=parts.path.strip("/") or None,
            config=config,
            client_options={
                "allow_http": bucket.endpoint.startswith("http://"),
                "timeout": "20s",
                "connect_timeout": "5s",
            },
            retry_config={"max_retries": 12, "retry_timeout": patience},
        )
        super().__init__(store, place=f"the bucket {parts.hostname}", hint=HINT)
