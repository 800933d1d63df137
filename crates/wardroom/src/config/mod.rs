//! Settings: TOML file < environment < flags. One table names them all and makes their reference.

mod aliases;
mod explain;
mod gateway;
mod model_prices;
mod models;
mod outside;
mod secrets;
mod table;
mod traces;
pub(crate) use aliases::{ALIASES, Meaning};
pub(crate) use models::ModelParts;
pub(crate) use table::{SETTINGS, Setting};

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};
use wardroom_server::{AccountRules, DoorRules, Limits};
use wardroom_store::{Options, TlsMode};
use wardroom_trust::{password::Cost, password_rules::PasswordRules};

/// The settings in force, by name.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    values: BTreeMap<&'static str, (String, Source)>,
    data: PathBuf,
}

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The settings file.
    File(PathBuf),
    /// The environment, by our own name.
    Environment(String),
    /// The environment, by a name of another system.
    Alias(String),
    /// The command line.
    Flag,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) | Self::Alias(name) => write!(f, "environment, {name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

impl Config {
    /// Reads the settings. `flags` are those that the command line gave.
    pub(crate) fn load(
        data: &Path,
        file: Option<&Path>,
        flags: &[(&'static str, Option<String>)],
    ) -> anyhow::Result<Self> {
        let environment = environment()?;
        let mut values: BTreeMap<&'static str, (String, Source)> = BTreeMap::new();
        let implied = data.join("wardroom.toml");
        let file = file.or_else(|| implied.exists().then_some(implied.as_path()));
        if let Some(file) = file {
            read_file(file, &mut values)?;
        }
        values.extend(aliases::read(&environment)?);
        for setting in SETTINGS {
            let name = setting.environment();
            if let Some(value) = environment.get(&name) {
                values.insert(setting.name, (value.clone(), Source::Environment(name)));
            }
        }
        for (name, value) in flags {
            if let Some(value) = value {
                values.insert(name, (value.clone(), Source::Flag));
            }
        }
        for name in secrets::FROM_ENVIRONMENT {
            if let Some((_, source @ (Source::File(_) | Source::Flag))) = values.get(name) {
                bail!(
                    "{name} comes from {source}: a secret stands in no settings file and on no command line, where others read it. Put it into a file and name that: {name}_file = \"/path/only/you/can/read\""
                );
            }
        }
        let config = Self { values, data: data.to_owned() };
        config.check()?;
        Ok(config)
    }

    /// Reads every setting once, so that a mistake shows at the start and not in the night.
    fn check(&self) -> anyhow::Result<()> {
        self.limits()?;
        self.store()?;
        self.address("listen")?;
        self.address("listen_nodes")?;
        self.address("listen_metrics")?;
        self.token_ttl()?;
        self.password_cost()?;
        self.accounts()?;
        self.doors()?;
        self.check_token_header()?;
        self.networks("outbound_allow")?;
        self.delivery()?;
        self.client_documents()?;
        self.traces()?;
        self.oidc()?;
        self.static_tokens()?;
        self.models()?;
        self.model_calls_kept()?;
        self.address("listen_redirect")?;
        self.flag("tls12")?;
        let metrics = self.address("listen_metrics")?;
        if metrics.is_some_and(|address| !address.ip().is_loopback())
            && !self.flag("metrics_off_loopback")?
        {
            bail!(
                "listen_metrics is not a loopback address: metrics have neither TLS nor sign-in. Set metrics_off_loopback = true if a firewall protects it"
            );
        }
        if self.text("tls_certificate_file").is_some() != self.text("tls_key_file").is_some() {
            bail!("tls_certificate_file and tls_key_file go together");
        }
        Ok(())
    }

    /// A setting's text, if it has one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let set = self.values.get(name).map(|(value, _)| value.as_str());
        let default = || {
            SETTINGS.iter().find(|setting| setting.name == name).and_then(|setting| setting.default)
        };
        set.or_else(default).filter(|text| !text.is_empty())
    }

    fn parsed<T: FromStr>(&self, name: &str) -> anyhow::Result<Option<T>>
    where
        T::Err: std::fmt::Display,
    {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|error| {
                    anyhow::anyhow!("the setting {name} is not acceptable: {error}")
                })
            })
            .transpose()
    }

    fn required<T: FromStr>(&self, name: &str) -> anyhow::Result<T>
    where
        T::Err: std::fmt::Display,
    {
        self.parsed(name)?.with_context(|| format!("the setting {name} is missing"))
    }

    fn within<T>(&self, name: &str, bounds: RangeInclusive<T>) -> anyhow::Result<T>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
        T::Err: std::fmt::Display,
    {
        let value = self.required(name)?;
        if !bounds.contains(&value) {
            bail!("the setting {name} must be {} to {}", bounds.start(), bounds.end());
        }
        Ok(value)
    }

    /// The data folder.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn address(&self, name: &str) -> anyhow::Result<Option<SocketAddr>> {
        self.parsed(name).context("an address is like 127.0.0.1:4000 or [::]:4000")
    }

    pub(crate) fn flag(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.parsed(name)?.unwrap_or(false))
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// A list, comma-separated.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// What is demanded of accounts.
    pub(crate) fn accounts(&self) -> anyhow::Result<AccountRules> {
        const MINUTE: u64 = 60;
        let days: u64 = self.within("password_days", 0..=3650)?;
        let minutes = |name| Ok::<_, anyhow::Error>(self.within(name, 1..=43_200)? * MINUTE);
        let roles = self.list("second_factor_roles");
        let roles = roles.iter().filter(|role| *role != "none").map(|role| {
            role.parse()
                .map_err(|error| anyhow::anyhow!("the setting second_factor_roles: {error}"))
        });
        Ok(AccountRules {
            passwords: PasswordRules {
                chars_min: self.within("password_chars_min", 8..=64)?,
                classes_min: self.within("password_classes_min", 1..=4)?,
                strength_min: self.within("password_strength_min", 0..=4)?,
                history: self.within("password_history", 0..=24)?,
            },
            password_ttl: (days > 0).then(|| Duration::from_secs(days * 86_400)),
            second_factor_roles: roles.collect::<anyhow::Result<_>>()?,
            session_ttl: Duration::from_secs(minutes("session_minutes")?),
            session_idle: Duration::from_secs(minutes("session_idle_minutes")?),
            sessions_max: self.within("sessions_max", 1..=1000)?,
            fresh_for: Duration::from_secs(
                self.within::<u64>("fresh_proof_minutes", 1..=720)? * MINUTE,
            ),
            invite_ttl: Duration::from_secs(self.within::<u64>("invite_hours", 1..=720)? * 3600),
            reset_ttl: Duration::from_secs(self.within::<u64>("reset_minutes", 1..=1440)? * MINUTE),
        })
    }

    /// What holds at every door.
    pub(crate) fn doors(&self) -> anyhow::Result<DoorRules> {
        let some = |name| {
            Ok::<_, anyhow::Error>(Some(self.within(name, 0..=10_000_000_u32)?).filter(|n| *n > 0))
        };
        let minutes = |name| {
            Ok::<_, anyhow::Error>(Duration::from_secs(self.within::<u64>(name, 1..=1440)? * 60))
        };
        Ok(DoorRules {
            trusted_proxies: self.networks("trusted_proxies")?,
            block_exempt: self.networks("block_exempt")?,
            failed_attempts_max: some("failed_attempts_max")?,
            failure_window: minutes("failure_window_minutes")?,
            block_ttl: minutes("block_minutes")?,
            token_header: self.parsed("api_key_header")?,
            address_per_minute: some("rate_limit_address_per_minute")?,
            principal_per_minute: some("rate_limit_principal_per_minute")?,
            filter: self.required("request_filter")?,
        })
    }

    /// A header that means something else already can't carry a token.
    fn check_token_header(&self) -> anyhow::Result<()> {
        let name = self.text("api_key_header").unwrap_or_default().to_ascii_lowercase();
        let taken = [
            "authorization",
            "cookie",
            "host",
            "origin",
            "referer",
            "content-type",
            "forwarded",
            "x-forwarded-for",
            "idempotency-key",
            "if-match",
        ];
        if taken.contains(&name.as_str()) || name.starts_with("sec-") {
            bail!(
                "the setting api_key_header can't be {name}: that header has a meaning of its own"
            );
        }
        Ok(())
    }

    /// A list of addresses and networks.
    fn networks(&self, name: &str) -> anyhow::Result<Vec<IpNet>> {
        let items = self.list(name);
        let networks = items.iter().map(|text| {
            let address = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
            text.parse::<IpNet>().ok().or_else(address).with_context(|| {
                format!("the setting {name}: {text:?} is neither an address nor a network such as 10.0.0.0/8")
            })
        });
        networks.collect()
    }

    /// How long access tokens are good for.
    pub(crate) fn token_ttl(&self) -> anyhow::Result<Duration> {
        let minutes: u64 = self.within("access_token_expire_minutes", 1..=60)?;
        Ok(Duration::from_secs(minutes * 60))
    }

    /// What hashing a password costs: never less than the default.
    pub(crate) fn password_cost(&self) -> anyhow::Result<Cost> {
        let least = Cost::default();
        Ok(Cost {
            memory_kib: self.within("password_memory_kib", least.memory_kib..=1024 * 1024)?,
            passes: self.within("password_passes", least.passes..=16)?,
            ..least
        })
    }

    /// The bounds of the doors.
    pub(crate) fn limits(&self) -> anyhow::Result<Limits> {
        Ok(Limits {
            connections_max: self.within("connections_max", 1..=1_000_000)?,
            connections_per_address_max: self
                .within("connections_per_address_max", 1..=1_000_000)?,
            websockets_max: self.within("mcp_websocket_connections_max", 1..=1_000_000)?,
            tcp_max: self.within("mcp_tcp_connections_max", 1..=1_000_000)?,
            channels_per_party_max: self
                .within("mcp_connections_per_principal_max", 1..=1_000_000)?,
            message_bytes_max: self.within("mcp_message_bytes_max", 1024..=64 * 1024 * 1024)?,
            body_bytes_max: self.within("body_bytes_max", 4096..=64 * 1024 * 1024)?,
            request_timeout: Duration::from_secs(self.within("request_timeout_seconds", 1..=600)?),
            ..Limits::default()
        })
    }

    /// What the store is opened with.
    pub(crate) fn store(&self) -> anyhow::Result<Options> {
        let set_by = self.values.get("database_url").map(|(_, source)| source.to_string());
        let url = match self.path("database_url_file") {
            Some(file) => fs::read_to_string(&file)
                .with_context(|| format!("database_url_file {} can't be read", file.display()))?
                .trim()
                .to_owned(),
            None => match self.text("database_url") {
                Some(url) => url.to_owned(),
                None => format!("sqlite://{}", self.data.join("wardroom.db").display()),
            },
        };
        secrets::check_database_url(&url, set_by.as_deref().unwrap_or("the settings file"))?;
        let mut options = Options::new(url);
        options.postgres.tls_mode = self.parsed::<TlsMode>("postgres_tls_mode")?;
        options.postgres.tls_ca_file = self.path("postgres_tls_ca_file");
        options.postgres.statement_timeout =
            Duration::from_secs(self.within("postgres_statement_timeout_seconds", 1..=3600)?);
        options.postgres.connections_max = self.within("postgres_connections_max", 2..=1000)?;
        Ok(options)
    }
}

/// The environment, as far as it is text; a name that matters must be.
fn environment() -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => {
                found.insert(name, value);
            }
            Err(_) if name.starts_with("WARDROOM_") || aliases::is_one(&name) => {
                bail!("{name} is not UTF-8 text")
            }
            Err(_) => {}
        }
    }
    Ok(found)
}

/// How many lines end before byte `at`.
fn lines_before(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn read_file(
    file: &Path,
    values: &mut BTreeMap<&'static str, (String, Source)>,
) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("the settings file {} can't be read", file.display()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // SECURITY: the parser's own message quotes the line, and that may have a password in it.
        let line = error.span().map_or(0, |span| lines_before(&text, span.start)) + 1;
        anyhow::anyhow!("the settings file {} is not TOML: look at line {line}", file.display())
    })?;
    for (key, value) in table {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == key) else {
            bail!("{}: there is no setting {key:?}; `wardroom docs` lists them", file.display());
        };
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            toml::Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .with_context(|| format!("{}: {key} must be a list of texts", file.display()))?
                .join(","),
            _ => bail!("{}: {key} has the wrong type", file.display()),
        };
        values.insert(setting.name, (value, Source::File(file.to_owned())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn flags_go_before_the_file_and_unknown_settings_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wardroom.toml");
        fs::write(&file, "listen = \"127.0.0.1:1\"\nnames = [\"a\", \"b\"]\n").unwrap();
        let config =
            Config::load(folder.path(), None, &[("listen", Some("127.0.0.1:2".into()))]).unwrap();
        assert_eq!(config.address("listen").unwrap().unwrap().port(), 2);
        assert_eq!(config.list("names"), ["a", "b"]);
        fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
        assert!(Config::load(folder.path(), None, &[]).unwrap_err().to_string().contains("lisen"));
    }

    #[test]
    fn bounds_out_of_reason_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [
            ("password_passes", "1"),
            ("password_memory_kib", "64"),
            ("connections_max", "0"),
            ("body_bytes_max", "1e9"),
            ("session_minutes", "307445734561825861"),
            ("access_token_expire_minutes", "0"),
            ("password_strength_min", "5"),
            ("second_factor_roles", "admin,wizard"),
            ("trusted_proxies", "10.0.0.0/99"),
            ("request_filter", "sqli"),
        ] {
            let refused = Config::load(folder.path(), None, &[(name, Some(value.to_owned()))]);
            assert!(refused.unwrap_err().to_string().contains(name), "{name}");
        }
    }

    #[test]
    fn metrics_stay_on_loopback_unless_asked_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let open = [("listen_metrics", Some("0.0.0.0:9464".to_owned()))];
        assert!(Config::load(folder.path(), None, &open).is_err());
    }
}
