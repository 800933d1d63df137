//! Names that other systems use for what are settings here, so that their `.env` files carry over. What such a
//! name asks for and can't be had is an error: a limit that only looks as if it held is worse than none.

use super::{SETTINGS, Source};
use anyhow::{anyhow, bail};
use std::collections::BTreeMap;

/// What becomes of an alias's value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meaning {
    /// It is the value of this setting.
    Same(&'static str),
    /// Times this, it is the value of this setting.
    Times(&'static str, u64),
    /// Divided by this, it is the value of this setting; it must come out whole.
    Divided(&'static str, u64),
    /// `false` sets this setting to 0; `true` leaves it as it is.
    OffIsZero(&'static str),
    /// Only this value is possible here; the text says why.
    Only(&'static str, &'static str),
    /// Nothing here has this yet; the text says what stands instead.
    Nothing(&'static str),
}

/// A name of another system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alias {
    /// The name in the environment; with `*` at its end all that begin so.
    pub(crate) name: &'static str,
    /// What becomes of its value.
    pub(crate) meaning: Meaning,
}

const fn alias(name: &'static str, meaning: Meaning) -> Alias {
    Alias { name, meaning }
}

/// Every such name.
pub(crate) const ALIASES: &[Alias] = &[
    alias("ACCESS_TOKEN_EXPIRE_MINUTES", Meaning::Same("access_token_expire_minutes")),
    alias("REFRESH_TOKEN_EXPIRE_DAYS", Meaning::Times("session_minutes", 1440)),
    alias("SESSION_TIMEOUT", Meaning::Divided("session_idle_minutes", 60)),
    alias("MAX_CONCURRENT_SESSIONS", Meaning::Same("sessions_max")),
    alias("MAX_FAILED_ATTEMPTS", Meaning::Same("failed_attempts_max")),
    alias("BLOCK_DURATION", Meaning::Divided("block_minutes", 60)),
    alias("AUTO_BLOCK_ENABLED", Meaning::OffIsZero("failed_attempts_max")),
    alias("API_AUTH_ENABLED", Meaning::Only("true", "every request is authenticated")),
    alias("API_KEY_HEADER", Meaning::Same("api_key_header")),
    alias("MAX_REQUEST_SIZE", Meaning::Same("body_bytes_max")),
    alias("MAX_REQUESTS_PER_MINUTE", Meaning::Same("rate_limit_address_per_minute")),
    alias("RATE_LIMIT_ENABLED", Meaning::OffIsZero("rate_limit_address_per_minute")),
    alias("RATE_LIMIT_PER_MINUTE", Meaning::Same("rate_limit_address_per_minute")),
    alias("RATE_LIMIT_REQUESTS", Meaning::Same("rate_limit_address_per_minute")),
    alias("RATE_LIMIT_WINDOW", Meaning::Only("60", "limits count within a minute")),
    alias(
        "RATE_LIMIT_*",
        Meaning::Nothing(
            "use rate_limit_address_per_minute and rate_limit_principal_per_minute instead",
        ),
    ),
    alias("ENCRYPTION_KEY_FILE", Meaning::Same("encryption_key_file")),
    alias("ENCRYPTION_KEY", Meaning::Same("encryption_key")),
    alias("DATABASE_URL", Meaning::Same("database_url")),
    alias("DATABASE_URL_FILE", Meaning::Same("database_url_file")),
    alias("POSTGRES_SSL_MODE", Meaning::Same("postgres_tls_mode")),
    alias(
        "POSTGRES_STATEMENT_TIMEOUT",
        Meaning::Divided("postgres_statement_timeout_seconds", 1000),
    ),
    alias("POSTGRES_MAX_CONNECTIONS", Meaning::Same("postgres_connections_max")),
    alias(
        "LOG_RETENTION_DAYS",
        Meaning::Nothing(
            "the log goes to standard error: whatever keeps it there decides for how long",
        ),
    ),
    alias("WS_AUTH_TOKEN", Meaning::Same("mcp_websocket_token")),
    alias("TCP_AUTH_TOKEN", Meaning::Same("mcp_tcp_token")),
    alias("WS_MAX_CONNECTIONS", Meaning::Same("mcp_websocket_connections_max")),
    alias("TCP_MAX_CONNECTIONS", Meaning::Same("mcp_tcp_connections_max")),
    alias("MAX_MESSAGE_SIZE", Meaning::Same("mcp_message_bytes_max")),
    alias("CIRCUITBREAKER_ENABLED", Meaning::OffIsZero("tool_breaker_failures")),
    alias("CIRCUITBREAKER_FAILURE_THRESHOLD", Meaning::Same("tool_breaker_failures")),
    alias("CIRCUITBREAKER_SUCCESS_THRESHOLD", Meaning::Same("tool_breaker_successes")),
    alias("CIRCUITBREAKER_RESET_TIMEOUT", Meaning::Divided("tool_breaker_open_seconds", 1000)),
    alias(
        "CIRCUITBREAKER_*",
        Meaning::Nothing(
            "use tool_breaker_failures, tool_breaker_open_seconds and tool_breaker_successes instead",
        ),
    ),
];

/// What the aliases in the environment set, by setting.
pub(super) fn read(
    environment: &BTreeMap<String, String>,
) -> anyhow::Result<BTreeMap<&'static str, (String, Source)>> {
    let mut found: BTreeMap<&'static str, (String, Source)> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut on = Vec::new();
    for (name, value) in environment {
        let Some(alias) = lookup(name) else { continue };
        if let Meaning::OffIsZero(setting) = alias.meaning {
            on.push((name, setting));
        }
        let (setting, value) = match apply(alias, name, value.trim()) {
            Ok(Some(set)) => set,
            Ok(None) => continue,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let source = Source::Alias(name.clone());
        match found.get(setting) {
            Some((other, Source::Alias(first))) if *other != value => {
                problems.push(format!(
                    "{first} and {name} both set {setting}, to {other:?} and {value:?}: take one away"
                ));
            }
            _ => {
                found.insert(setting, (value, source));
            }
        }
    }
    // What says that something is on goes with no value that turns it off.
    for (name, setting) in on {
        let own = environment.get(&format!("WARDROOM_{}", setting.to_ascii_uppercase()));
        let off = match (own, found.get(setting)) {
            (Some(own), _) => own.trim() == "0",
            (None, Some((value, Source::Alias(by)))) => value == "0" && by != name,
            (None, _) => false,
        };
        if off {
            problems.push(format!(
                "{name} says that {setting} is on, and its value is 0: take one away"
            ));
        }
    }
    // The name of our own goes with no other value of an alias.
    for setting in SETTINGS {
        let own = setting.environment();
        if let (Some(value), Some((other, Source::Alias(alias)))) =
            (environment.get(&own), found.get(setting.name))
            && value != other
        {
            // SECURITY: a key or a URL with a password is not repeated.
            problems.push(format!(
                "{own} and {alias} set {} to different values: take one away",
                setting.name
            ));
        }
    }
    if !problems.is_empty() {
        bail!("the environment can't be honoured:\n{}", problems.join("\n"));
    }
    Ok(found)
}

/// Whether a name is an alias.
pub(super) fn is_one(name: &str) -> bool {
    lookup(name).is_some()
}

/// The alias that a name is. The first one counts: single names stand before those that take in many.
fn lookup(name: &str) -> Option<&'static Alias> {
    ALIASES.iter().find(|alias| match alias.name.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => alias.name == name,
    })
}

fn apply(alias: &Alias, name: &str, value: &str) -> anyhow::Result<Option<(&'static str, String)>> {
    let number = || -> anyhow::Result<u64> {
        value.parse().map_err(|_| anyhow!("{name} must be a whole number"))
    };
    let flag = || match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(anyhow!("{name} must be true or false")),
    };
    Ok(match alias.meaning {
        Meaning::Same(setting) => Some((setting, value.to_owned())),
        Meaning::Times(setting, factor) => {
            let product = number()?.checked_mul(factor);
            let product = product.ok_or_else(|| anyhow!("{name} is too large for {setting}"))?;
            Some((setting, product.to_string()))
        }
        Meaning::Divided(setting, divisor) => {
            let number = number()?;
            if number % divisor != 0 {
                bail!(
                    "{name} is {number}, but {setting} counts steps of {divisor} of it: give a multiple of {divisor}"
                );
            }
            Some((setting, (number / divisor).to_string()))
        }
        Meaning::OffIsZero(setting) => (!flag()?).then(|| (setting, "0".to_owned())),
        Meaning::Only(only, why) => {
            let same = only == value || (only == "true" && flag()?);
            if !same {
                bail!("{name} can be nothing but {only} here: {why}");
            }
            None
        }
        Meaning::Nothing(instead) => bail!("{name} has no setting here: {instead}; take it away"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> anyhow::Result<BTreeMap<&'static str, (String, Source)>> {
        read(&pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn every_alias_leads_to_a_setting_that_is_there() {
        for alias in ALIASES {
            let (Meaning::Same(setting)
            | Meaning::Times(setting, _)
            | Meaning::Divided(setting, _)
            | Meaning::OffIsZero(setting)) = alias.meaning
            else {
                continue;
            };
            assert!(
                SETTINGS.iter().any(|known| known.name == setting),
                "{}: {setting}",
                alias.name
            );
        }
    }

    #[test]
    fn values_are_carried_over_in_our_units() {
        let found = of(&[
            ("REFRESH_TOKEN_EXPIRE_DAYS", "7"),
            ("BLOCK_DURATION", "3600"),
            ("AUTO_BLOCK_ENABLED", "false"),
            ("POSTGRES_STATEMENT_TIMEOUT", "30000"),
            ("API_AUTH_ENABLED", "True"),
            ("RATE_LIMIT_WINDOW", "60"),
        ])
        .unwrap();
        let value = |name: &str| found[name].0.as_str();
        assert_eq!(value("session_minutes"), "10080");
        assert_eq!(value("block_minutes"), "60");
        assert_eq!(value("failed_attempts_max"), "0");
        assert_eq!(value("postgres_statement_timeout_seconds"), "30");
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn what_conflicts_or_cannot_be_had_is_told_by_both_names() {
        for (pairs, told) in [
            (&[("API_AUTH_ENABLED", "false")][..], vec!["API_AUTH_ENABLED", "true"]),
            (&[("SESSION_TIMEOUT", "90")], vec!["SESSION_TIMEOUT", "session_idle_minutes"]),
            (&[("CIRCUITBREAKER_THRESHOLD", "5")], vec!["CIRCUITBREAKER_THRESHOLD"]),
            (
                &[("RATE_LIMIT_BURST", "5")],
                vec!["RATE_LIMIT_BURST", "rate_limit_address_per_minute"],
            ),
            (
                &[("MAX_REQUESTS_PER_MINUTE", "5"), ("RATE_LIMIT_PER_MINUTE", "6")],
                vec!["MAX_REQUESTS_PER_MINUTE", "RATE_LIMIT_PER_MINUTE"],
            ),
            (
                &[("RATE_LIMIT_ENABLED", "true"), ("MAX_REQUESTS_PER_MINUTE", "0")],
                vec!["RATE_LIMIT_ENABLED", "rate_limit_address_per_minute"],
            ),
            (
                &[("AUTO_BLOCK_ENABLED", "true"), ("WARDROOM_FAILED_ATTEMPTS_MAX", "0")],
                vec!["AUTO_BLOCK_ENABLED", "failed_attempts_max"],
            ),
            (
                &[("MAX_FAILED_ATTEMPTS", "5"), ("AUTO_BLOCK_ENABLED", "no")],
                vec!["MAX_FAILED_ATTEMPTS", "AUTO_BLOCK_ENABLED"],
            ),
            (
                &[("MAX_CONCURRENT_SESSIONS", "5"), ("WARDROOM_SESSIONS_MAX", "6")],
                vec!["MAX_CONCURRENT_SESSIONS", "WARDROOM_SESSIONS_MAX"],
            ),
        ] {
            let error = of(pairs).unwrap_err().to_string();
            assert!(told.iter().all(|name| error.contains(name)), "{error}");
        }
        assert!(of(&[("MAX_CONCURRENT_SESSIONS", "5"), ("WARDROOM_SESSIONS_MAX", "5")]).is_ok());
    }
}
