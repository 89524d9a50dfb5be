"""Every setting, read from the environment once. Secrets may come from a file: NAME_FILE=/path."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from aicp.errors import BadInput

SANDBOX = "sandbox"  # the one folder inside the data folder that missions may use


def _setting(name: str, default: str, doc: str, *, secret: bool = False) -> str:
    return field(  # type: ignore[return-value]
        default=default, metadata={"name": name, "doc": doc, "secret": secret}
    )


@dataclass(frozen=True)
class Settings:
    """All settings as text; the properties below give them their types."""

    data: str = _setting(
        "AICP_DATA_DIR", ".aicp", "Folder for the embedded database, evidence, logs and tokens."
    )
    database_url: str = _setting(
        "DATABASE_URL", "", "PostgreSQL to use instead of the embedded one.", secret=True
    )
    direct_database_url: str = _setting(
        "DATABASE_DIRECT_URL",
        "",
        "The same PostgreSQL past a transaction pooler, for leases, live events and the job queue (default: DATABASE_URL).",
        secret=True,
    )
    owner_database_url: str = _setting(
        "AICP_OWNER_DATABASE_URL",
        "",
        "Login that owns the schema, for `aicp db apply` (default: DATABASE_URL).",
        secret=True,
    )
    host: str = _setting("AICP_HOST", "127.0.0.1", "Address the server binds to.")
    port: str = _setting(
        "AICP_PORT", "8700", "Port the server binds to; a busy one moves to the next free one."
    )
    env: str = _setting(
        "AICP_ENV", "dev", "Environment tag of every log line: dev, staging or prod."
    )
    log_level: str = _setting("AICP_LOG_LEVEL", "INFO", "Lowest level that is logged.")
    file_roots: str = _setting(
        "AICP_FILE_ROOTS",
        "",
        "Folders missions may use, separated by ':' (default: where the server was started).",
    )
    hold_seconds: str = _setting(
        "AICP_HOLD_SECONDS",
        "900",
        "How long a mail is held, cancellable, before it may leave (TR-18).",
    )
    approval_hours: str = _setting(
        "AICP_APPROVAL_HOURS", "24", "How long an approval request stays open."
    )
    issues_dir: str = _setting(
        "AICP_ISSUES_DIR",
        "",
        "Repository, or its .beads folder, with the issue graph (default: the one around where the server was started).",
    )
    workers: str = _setting("AICP_WORKERS", "1", "Worker processes that `aicp up` runs.")
    heartbeat_seconds: str = _setting(
        "AICP_HEARTBEAT_SECONDS", "2", "How often a worker says that it lives."
    )
    stalled_seconds: str = _setting(
        "AICP_STALLED_SECONDS",
        "8",
        "Silence after which a worker counts as dead and its jobs are taken over.",
    )
    prepare: str = _setting(
        "AICP_PREPARE_STATEMENTS",
        "auto",
        "Server-side prepared statements: on, off, or auto (off behind a pooler, which is noticed).",
    )
    providers: str = _setting(
        "AICP_PROVIDERS",
        "",
        "Own toolkit providers: name=package.module:Class, separated by commas.",
    )
    quotas: str = _setting(
        "AICP_QUOTAS",
        "60, table=600, calendar=600",
        "Most calls a minute of one tenant to one toolkit, and own numbers for some; `crm=20/5` is 20 in 5 seconds.",
    )
    cooldown_seconds: str = _setting(
        "AICP_COOLDOWN_SECONDS",
        "60",
        "How long a toolkit rests after three failed calls in a row.",
    )
    policies: str = _setting(
        "AICP_POLICIES",
        "",
        "Folder with Cedar policies, *.cedar (default: policies/ in the data folder).",
    )
    mcp_servers: str = _setting(
        "AICP_MCP_SERVERS",
        "",
        "TOML file that declares MCP servers and their tools (default: mcp.toml in the data folder).",
    )
    composio_api_key: str = _setting(
        "COMPOSIO_API_KEY",
        "",
        "Key for Composio; without it only its sandbox is used.",
        secret=True,
    )
    composio_url: str = _setting(
        "COMPOSIO_BASE_URL", "", "Address of Composio, or of the sandbox that speaks its protocol."
    )
    secret_key: str = _setting(
        "AICP_SECRET_KEY",
        "",
        "Key that secrets of connections are sealed with, 32 bytes in base64 (default: secret.key in the data folder, made once).",
        secret=True,
    )
    redaction_key: str = _setting(
        "AICP_REDACTION_KEY",
        "",
        "Key of the hashes in redaction markers, 32 bytes in base64 (default: redaction.key in the data folder, made once).",
        secret=True,
    )
    redaction_regions: str = _setting(
        "AICP_REDACTION_REGIONS",
        "",
        "Countries, as in `DE, FR`, whose phone numbers and ids are redacted in their national form as well.",
    )
    telemetry_content: str = _setting(
        "AICP_TELEMETRY_CONTENT",
        "off",
        "Keep free text of models and tools in telemetry, redacted: on or off.",
    )
    evidence_url: str = _setting(
        "AICP_EVIDENCE_URL",
        "",
        "Bucket for evidence, s3://bucket or s3://bucket/prefix (default: evidence/ in the data folder).",
    )
    evidence_endpoint: str = _setting(
        "AICP_EVIDENCE_ENDPOINT", "", "Address of the S3 server, when it is not Amazon's own."
    )
    evidence_region: str = _setting("AICP_EVIDENCE_REGION", "us-east-1", "Region of the bucket.")
    evidence_key_id: str = _setting(
        "AICP_EVIDENCE_KEY_ID", "", "Access key of the bucket.", secret=True
    )
    evidence_secret: str = _setting(
        "AICP_EVIDENCE_SECRET", "", "Secret key of the bucket.", secret=True
    )
    audit_key: str = _setting(
        "AICP_AUDIT_KEY",
        "",
        "Key that seals of the audit trail are signed with, 32 bytes in base64 (default: audit.key in the data folder, made once).",
        secret=True,
    )
    model: str = _setting(
        "AICP_MODEL",
        "",
        "Model the agents use, as an ADK model string (default: Gemini with GOOGLE_API_KEY, else the rules planner).",
    )
    google_api_key: str = _setting(
        "GOOGLE_API_KEY", "", "Key for Gemini; its presence switches the agents to it.", secret=True
    )

    @property
    def data_dir(self) -> Path:
        return Path(self.data).expanduser().resolve()

    @property
    def roots(self) -> tuple[Path, ...]:
        named = [Path(part).expanduser() for part in self.file_roots.split(":") if part]
        return tuple(root.resolve() for root in (*(named or [Path.cwd()]), self.data_dir / SANDBOX))

    @property
    def own_providers(self) -> dict[str, str]:
        """AICP_PROVIDERS as name -> "package.module:Class".

        Raises:
            BadInput: an entry is of another form.
        """
        pairs = [part.strip().partition("=") for part in self.providers.split(",") if part.strip()]
        for name, _, path in pairs:
            if not name or not path.count(":") == 1:
                raise BadInput(
                    f"AICP_PROVIDERS has the entry '{name}'", hint="write name=package.module:Class"
                )
        return {name: path for name, _, path in pairs}

    @property
    def policies_dir(self) -> Path:
        return (
            Path(self.policies).expanduser().resolve()
            if self.policies
            else self.data_dir / "policies"
        )

    @property
    def mcp_file(self) -> Path:
        named = Path(self.mcp_servers).expanduser() if self.mcp_servers else None
        return named.resolve() if named else self.data_dir / "mcp.toml"

    @property
    def pooled(self) -> bool:
        """Whether DATABASE_URL has the port that poolers in transaction mode listen on (Supabase)."""
        return re.search(r":6543\b|\bport=6543\b", self.database_url) is not None

    @property
    def regions(self) -> tuple[str, ...]:
        """AICP_REDACTION_REGIONS as country codes.

        Raises:
            BadInput: one is no code of two letters.
        """
        codes = tuple(c.strip().upper() for c in self.redaction_regions.split(",") if c.strip())
        for code in codes:
            if not (len(code) == 2 and code.isascii() and code.isalpha()):
                raise BadInput(
                    f"AICP_REDACTION_REGIONS has '{code}', which is no country code",
                    hint='write codes of two letters: AICP_REDACTION_REGIONS="DE, FR"',
                )
        return codes

    @property
    def keeps_content(self) -> bool:
        """Whether AICP_TELEMETRY_CONTENT is on.

        Raises:
            BadInput: it is neither on nor off.
        """
        if self.telemetry_content not in ("on", "off"):
            raise BadInput(
                f"AICP_TELEMETRY_CONTENT is '{self.telemetry_content}'", hint="write on or off"
            )
        return self.telemetry_content == "on"

    @property
    def redaction_key_file(self) -> Path:
        return self.data_dir / "redaction.key"

    @property
    def prepares(self) -> bool | None:
        """Whether statements may be prepared; None: find out from the connection."""
        if self.prepare == "auto":
            return False if self.pooled else None
        return self.prepare == "on"

    @property
    def direct(self) -> str:
        """DATABASE_DIRECT_URL, where DATABASE_URL is set as well.

        Raises:
            BadInput: DATABASE_URL is a transaction pooler, and nothing leads past it.
        """
        if self.pooled and not self.direct_database_url:
            raise BadInput(
                "DATABASE_URL is a transaction pooler (port 6543), which keeps neither leases nor live events",
                hint="set DATABASE_DIRECT_URL to the direct or session connection, port 5432",
            )
        return self.direct_database_url if self.database_url else ""

    def integer(self, name: str) -> int:
        """A whole-number setting by field name.

        Raises:
            BadInput: it is not a whole number of zero or more.
        """
        text = getattr(self, name)
        if not text.isdecimal():
            env = next(f.metadata["name"] for f in fields(self) if f.name == name)
            raise BadInput(
                f"{env} is '{text}', which is not a whole number", hint=f"set {env}=10, say"
            )
        return int(text)


def from_env(env: Mapping[str, str] = os.environ) -> Settings:
    """Settings out of the environment.

    Raises:
        BadInput: a NAME_FILE points at a file that cannot be read.
    """
    return Settings(
        **{f.name: _value(env, f.metadata["name"], str(f.default)) for f in fields(Settings)}
    )


def _value(env: Mapping[str, str], name: str, default: str) -> str:
    if path := env.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadInput(
                f"{name}_FILE points at {path}, which cannot be read ({error.strerror})",
                hint=f"mend the path or set {name} itself",
            ) from None
    return env.get(name) or default
