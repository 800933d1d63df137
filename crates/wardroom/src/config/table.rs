//! Every setting there is.

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the file.
    pub(crate) name: &'static str,
    /// Its value where nobody sets it.
    pub(crate) default: Option<&'static str>,
    /// What it does, for people.
    pub(crate) about: &'static str,
}

impl Setting {
    /// Its name in the environment.
    pub(crate) fn environment(&self) -> String {
        format!("WARDROOM_{}", self.name.to_ascii_uppercase())
    }
}

const fn setting(
    name: &'static str,
    default: Option<&'static str>,
    about: &'static str,
) -> Setting {
    Setting { name, default, about }
}

/// Every setting there is.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "listen",
        Some("127.0.0.1:4000"),
        "Address for people, programs and, unless `listen_nodes` is set, nodes. HTTPS only.",
    ),
    setting(
        "listen_nodes",
        None,
        "An address of its own for nodes; the main one then does not serve them.",
    ),
    setting(
        "listen_metrics",
        None,
        "Loopback address for `/metrics` in plain HTTP; none where absent.",
    ),
    setting(
        "metrics_off_loopback",
        Some("false"),
        "Allows `listen_metrics` on other addresses. Only behind a firewall.",
    ),
    setting(
        "public_url",
        None,
        "The URL that nodes and people use, e.g. `https://wardroom.example.org:4000`. Made from `listen` where absent.",
    ),
    setting(
        "names",
        None,
        "Further host names and addresses of this server, comma-separated: in its certificate and accepted in requests.",
    ),
    setting(
        "cors_origins",
        None,
        "Origins whose scripts may call the API with a token of their own, comma-separated. Never `*`.",
    ),
    setting(
        "oauth_client_documents",
        None,
        "Sites whose programs may ask people for tools without being registered, comma-separated: origins such as `https://editor.example`, or addresses of single documents (OAuth Client ID Metadata Documents). Nobody's where absent.",
    ),
    setting(
        "tls_certificate_file",
        None,
        "Your own certificate chain, PEM. Read anew when it changes. Wardroom's own authority issues one where absent.",
    ),
    setting("tls_key_file", None, "The key of `tls_certificate_file`, PEM."),
    setting("tls12", Some("false"), "Accepts TLS 1.2 beside 1.3."),
    setting(
        "database_url",
        None,
        "`sqlite:///absolute/path` or `postgres://user@host/database`. A file in the data folder where absent.",
    ),
    setting(
        "database_url_file",
        None,
        "A file that holds `database_url`, for URLs with a password.",
    ),
    setting(
        "postgres_tls_mode",
        None,
        "`verify-full`, `require` or `disable`. `verify-full` where absent, except on loopback.",
    ),
    setting(
        "postgres_tls_ca_file",
        None,
        "The authority of the database's certificate, PEM; the system's where absent.",
    ),
    setting(
        "postgres_statement_timeout_seconds",
        Some("30"),
        "The database ends a statement that takes longer.",
    ),
    setting("postgres_connections_max", Some("10"), "The most connections to PostgreSQL."),
    setting(
        "encryption_key_file",
        None,
        "A file with the key-encryption key (32 bytes, base64 or hexadecimal); the data folder's key ring where absent.",
    ),
    setting(
        "encryption_key",
        None,
        "The same key itself, from the environment only; rather use `encryption_key_file`.",
    ),
    setting(
        "api_key_header",
        None,
        "A further header that carries an API token, such as `x-api-key`; `Authorization: Bearer` is always taken.",
    ),
    setting(
        "policy_file",
        None,
        "Cedar policy that replaces the default roles. Checked against the schema at the start.",
    ),
    setting(
        "access_token_expire_minutes",
        Some("15"),
        "How long an access token is good for, a node's and a person's: 1 to 60.",
    ),
    setting("session_minutes", Some("720"), "How long a session lasts whatever happens."),
    setting("session_idle_minutes", Some("60"), "How long a session lasts without being used."),
    setting(
        "sessions_max",
        Some("10"),
        "Sessions that an account has at most; the oldest ends when there would be more.",
    ),
    setting(
        "fresh_proof_minutes",
        Some("15"),
        "How long a proof of who somebody is counts as fresh, for actions that need one: 1 to 720.",
    ),
    setting(
        "second_factor_roles",
        Some("admin"),
        "Roles whose accounts need a second factor, comma-separated; `none` for no role.",
    ),
    setting("invite_hours", Some("72"), "How long an invitation is good for: 1 to 720."),
    setting(
        "reset_minutes",
        Some("60"),
        "How long a link that resets a password is good for: 1 to 1440.",
    ),
    setting("password_chars_min", Some("12"), "The fewest characters of a new password: 8 to 64."),
    setting(
        "password_classes_min",
        Some("3"),
        "Of lower case, upper case, digits and others, how many a new password must mix: 1 to 4.",
    ),
    setting(
        "password_strength_min",
        Some("3"),
        "The least strength of a new password as zxcvbn estimates it, 0 to 4; common passwords are below 2.",
    ),
    setting(
        "password_history",
        Some("5"),
        "How many of an account's last passwords may not be taken again: 0 to 24.",
    ),
    setting("password_days", Some("90"), "How long a password is good for, in days; 0 for ever."),
    setting(
        "password_memory_kib",
        Some("19456"),
        "Memory of an Argon2id password hash, in KiB: 19456 to 1048576. Raised, each hash is renewed at its account's next sign-in.",
    ),
    setting("password_passes", Some("2"), "Passes of an Argon2id password hash: 2 to 16."),
    setting(
        "trusted_proxies",
        None,
        "Addresses or networks of proxies whose `X-Forwarded-For` is believed, comma-separated, e.g. `10.0.0.0/8`.",
    ),
    setting(
        "rate_limit_address_per_minute",
        Some("1200"),
        "Requests of one address within a minute; 0 for any number. Nodes are not counted.",
    ),
    setting(
        "rate_limit_principal_per_minute",
        Some("3000"),
        "Requests of one account, or of one API token, within a minute; 0 for any number.",
    ),
    setting(
        "failed_attempts_max",
        Some("10"),
        "Failed attempts of one network within `failure_window_minutes` after which it is blocked; 0 for never.",
    ),
    setting("failure_window_minutes", Some("10"), "See `failed_attempts_max`: 1 to 1440."),
    setting(
        "block_minutes",
        Some("15"),
        "How long a first block lasts: 1 to 1440. Each further one within a day is twice as long, up to a day.",
    ),
    setting(
        "block_exempt",
        Some("127.0.0.0/8,::1"),
        "Addresses or networks that are never blocked, comma-separated.",
    ),
    setting(
        "request_filter",
        Some("detect"),
        "What happens to requests that have the form of an attack: `off`, `detect` or `block`, with exceptions as `RULE=MODE` behind it; the rules are `sqli`, `xss`, `traversal`, `ssrf`, `pollution`.",
    ),
    setting(
        "listen_redirect",
        None,
        "Address of a listener in plain HTTP that does nothing but send browsers to `public_url`; none where absent.",
    ),
    setting(
        "oidc_issuer",
        None,
        "An OpenID provider through which people sign in, as it names itself, e.g. `https://id.example.org`. Its client's redirect URI is `public_url` and `/sign-in/oidc/callback`, its back-channel logout `/oidc/backchannel-logout`.",
    ),
    setting("oidc_client_id", None, "What this installation is called at the provider."),
    setting(
        "oidc_client_secret_file",
        None,
        "What proves to the provider that it is this installation; PKCE alone where absent.",
    ),
    setting(
        "oidc_label",
        Some("single sign-on"),
        "What the provider is called on the sign-in page.",
    ),
    setting("oidc_scope", Some("openid profile email"), "What the provider is asked for."),
    setting(
        "oidc_role_claim",
        None,
        "The claim that says what somebody may do, e.g. `groups` or `realm_access.roles`.",
    ),
    setting(
        "oidc_roles",
        None,
        "Which values of `oidc_role_claim` make which role, comma-separated, e.g. `wardroom-admins=admin,ops=operator`. The strongest counts.",
    ),
    setting(
        "oidc_default_role",
        None,
        "The role of those with none of these values; where absent they are not let in.",
    ),
    setting(
        "oidc_session_audience",
        None,
        "Session tokens of the provider with this audience are taken in `Authorization: Bearer`.",
    ),
    setting(
        "oidc_session_parties",
        None,
        "Session tokens of the provider that were made for these parties (`azp`), comma-separated, are taken in `Authorization: Bearer`, as those of Clerk.",
    ),
    setting(
        "webhook_url",
        None,
        "Where alerts are sent to as JSON, signed as Standard Webhooks 1.0 has it, e.g. `https://hooks.example.org/wardroom`.",
    ),
    setting(
        "webhook_secret_file",
        None,
        "The secret that signs them: `whsec_` and base64 of at least 24 bytes.",
    ),
    setting(
        "smtp_url",
        None,
        "How e-mail is sent: `smtps://NAME@HOST` or `smtp://NAME@HOST:587` (STARTTLS, always). Without TLS only on loopback: `smtp://127.0.0.1:25?tls=none`.",
    ),
    setting("smtp_password_file", None, "The password that goes with the name in `smtp_url`."),
    setting("mail_from", None, "Who e-mail is from, e.g. `Wardroom <wardroom@example.org>`."),
    setting("alert_mail_to", None, "Who is told of alerts by e-mail, comma-separated."),
    setting(
        "tracker_dsn_file",
        None,
        "The DSN of an error tracker that speaks Sentry's protocol, `https://KEY@HOST/PROJECT`; faults are sent there.",
    ),
    setting(
        "otlp_traces_endpoint",
        None,
        "Where traces of what passes the gateway are sent to: an OpenTelemetry collector's whole address for them (OTLP over HTTP), e.g. `http://127.0.0.1:4318/v1/traces`, by HTTPS where it is a name. Wants a build with `--features otlp`.",
    ),
    setting(
        "otlp_headers_file",
        None,
        "HTTP headers that are sent to the collector, `Name: value` on each line.",
    ),
    setting(
        "otlp_sample_percent",
        Some("100"),
        "Of a hundred traces that begin here, how many are recorded. Whoever began a trace elsewhere decides for it.",
    ),
    setting(
        "models_file",
        None,
        "The file (TOML) that names who runs language models, where their keys are and what they cost; `models.toml` in the data folder where absent. See `docs/models.md`.",
    ),
    setting(
        "model_call_days",
        Some("400"),
        "How long what questions to language models took is kept, in days.",
    ),
    setting(
        "outbound_allow",
        None,
        "Addresses or networks that are not public and may still be asked, comma-separated, e.g. `10.1.2.0/24`. Nothing else private, on loopback or of a cloud's metadata is ever asked over HTTP. The mail server is not meant: it is the one that you name.",
    ),
    setting(
        "outbound_ca_file",
        None,
        "Authorities (PEM) that are trusted in requests to the outside, beside the machine's own.",
    ),
    setting(
        "listen_mcp_websocket",
        None,
        "Address of a listener for MCP over WebSocket alone, port 3002 where it names none; none where absent. `listen` takes WebSockets at `/mcp` too.",
    ),
    setting(
        "mcp_websocket_plain",
        Some("false"),
        "`listen_mcp_websocket` without TLS; only on loopback.",
    ),
    setting(
        "listen_mcp_tcp",
        None,
        "Address of a listener for MCP over TCP with TLS, one message on each line, port 9500 where it names none; none where absent.",
    ),
    setting("mcp_tcp_plain", Some("false"), "`listen_mcp_tcp` without TLS; only on loopback."),
    setting(
        "mcp_websocket_token_file",
        None,
        "A file with a token that is good for WebSockets to the gateway: at least 32 random bytes, in base64 or hexadecimal.",
    ),
    setting(
        "mcp_websocket_token",
        None,
        "The same token itself, from the environment only; rather use `mcp_websocket_token_file`.",
    ),
    setting("mcp_tcp_token_file", None, "The same for TCP."),
    setting(
        "mcp_tcp_token",
        None,
        "The same token itself, from the environment only; rather use `mcp_tcp_token_file`.",
    ),
    setting(
        "mcp_static_token_user",
        None,
        "The account in whose name whoever shows one of these tokens calls tools.",
    ),
    setting(
        "mcp_websocket_connections_max",
        Some("10000"),
        "Open connections to the gateway by WebSocket.",
    ),
    setting("mcp_tcp_connections_max", Some("10000"), "Open connections to the gateway by TCP."),
    setting(
        "mcp_connections_per_principal_max",
        Some("256"),
        "Open connections to the gateway of one account or API token, by WebSocket and TCP.",
    ),
    setting(
        "mcp_message_bytes_max",
        Some("1048576"),
        "The largest message to the gateway, in bytes.",
    ),
    setting(
        "tool_call_days",
        Some("90"),
        "How long calls of tools are kept, in days. The audit log keeps that they were made.",
    ),
    setting(
        "approval_minutes",
        Some("60"),
        "How long a person has to approve what policy wants approved, and whoever asked to use it, in minutes.",
    ),
    setting(
        "tool_breaker_failures",
        Some("5"),
        "Failures of a tool server in a row after which it is left alone; 0 for never.",
    ),
    setting(
        "tool_breaker_open_seconds",
        Some("30"),
        "How long a tool server is left alone before one request tries it.",
    ),
    setting(
        "tool_breaker_successes",
        Some("1"),
        "Successes in a row, one request at a time, after which a tool server is as before.",
    ),
    setting("connections_max", Some("20000"), "Open connections, all together, per listener."),
    setting(
        "connections_per_address_max",
        Some("512"),
        "Open connections from one address, per listener.",
    ),
    setting("body_bytes_max", Some("262144"), "The largest request body, in bytes."),
    setting("request_timeout_seconds", Some("30"), "A request's whole time; streams excepted."),
    setting(
        "log",
        Some("info"),
        "What is logged: a level, or directives such as `info,wardroom_engine=debug`.",
    ),
    setting("log_format", Some("pretty"), "`pretty` or `json`."),
];
