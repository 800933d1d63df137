//! Secrets that settings lead to. One that everybody knows, or that is easily guessed, is refused at the start.

use anyhow::bail;
use reqwest::Url;
use std::net::IpAddr;

/// Passwords that installations are shipped with, and what people put in their place.
const KNOWN: [&str; 16] = [
    "",
    "admin",
    "changeit",
    "changeme",
    "change_me",
    "change-me",
    "default",
    "example",
    "password",
    "postgres",
    "root",
    "secret",
    "test",
    "user",
    "wardroom",
    "your_password_here",
];
/// The fewest characters of a password that travels over a network.
const CHARS_MIN: usize = 12;

/// Refuses a database's URL whose password is none. On loopback and over a socket the server may know its callers
/// by other means.
pub(super) fn check_database_url(url: &str, set_by: &str) -> anyhow::Result<()> {
    let Some(parsed) = postgres(url) else { return Ok(()) };
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let nearby = host.is_empty()
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || host.starts_with("%2F");
    let Some(password) = password(&parsed) else { return Ok(()) };
    let user = parsed.username();
    let lower = password.to_ascii_lowercase();
    let what = if KNOWN.contains(&lower.as_str()) || password == user {
        "is one that everybody knows".to_owned()
    } else if !nearby && password.chars().count() < CHARS_MIN {
        format!("is shorter than {CHARS_MIN} characters")
    } else {
        return Ok(());
    };
    bail!(
        "the database's password {what}. Set another one (ALTER ROLE {user} PASSWORD '…') and put the URL with it into a file that {set_by} names: database_url_file = \"/path/only/you/can/read\""
    );
}

fn postgres(url: &str) -> Option<Url> {
    Url::parse(url).ok().filter(|url| matches!(url.scheme(), "postgres" | "postgresql"))
}

/// The password in a URL: before its host, or among its parameters.
fn password(url: &Url) -> Option<String> {
    let given = url.password().map(str::to_owned);
    given.or_else(|| {
        let found = url.query_pairs().find(|(name, _)| name == "password");
        found.map(|(_, value)| value.into_owned())
    })
}

/// Settings that are secrets themselves: they come from the environment, or as a file that another setting names.
pub(super) const FROM_ENVIRONMENT: [&str; 3] =
    ["encryption_key", "mcp_websocket_token", "mcp_tcp_token"];

/// A setting's value as it may be shown: without the secrets in it.
pub(super) fn shown(name: &str, value: &str) -> String {
    if FROM_ENVIRONMENT.contains(&name) {
        return "[secret]".to_owned();
    }
    let is_url = name.ends_with("_url") || name == "oidc_issuer";
    match Url::parse(value) {
        Ok(url) if url.has_authority() => without_secrets(url).unwrap_or_else(|| value.to_owned()),
        // SECURITY: what can't be read may have a secret anywhere.
        _ if is_url && !value.is_empty() => "[unreadable]".to_owned(),
        _ => value.to_owned(),
    }
}

/// A URL without its password, and without what follows its path: that may be one in any part. A name alone is one
/// where no database is meant. Nothing where none of them is there.
fn without_secrets(mut url: Url) -> Option<String> {
    let database = matches!(url.scheme(), "postgres" | "postgresql");
    let named = !database && !url.username().is_empty();
    if url.password().is_none() && url.query().is_none() && url.fragment().is_none() && !named {
        return None;
    }
    let mut hidden = Ok(());
    if url.password().is_some() {
        hidden = url.set_password(Some("[secret]"));
    } else if named {
        hidden = url.set_username("[secret]");
    }
    if hidden.is_err() {
        return Some("[unreadable]".to_owned());
    }
    url.set_fragment(None);
    if url.query().is_some() {
        url.set_query(Some("[secret]"));
    }
    Some(url.to_string().replace("%5Bsecret%5D", "[secret]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_none_are_refused_and_none_is_shown() {
        for bad in [
            "postgres://postgres:postgres@db.example/x",
            "postgres://w:ChangeMe@localhost/x",
            "postgresql://ann:ann@db.example/x",
            "postgres://w:short-one@db.example/x",
            "postgres://postgres@db.example/x?password=changeme",
            "postgres://w:short-one@localhost.evil.example/x",
        ] {
            assert!(check_database_url(bad, "WARDROOM_DATABASE_URL").is_err(), "{bad}");
        }
        for good in [
            "sqlite:///x",
            "postgres://w@db.example/x",
            "postgres://w:a-long-one-of-many@db.example/x",
            "postgres://w:short-one@127.0.0.1/x",
        ] {
            assert!(check_database_url(good, "database_url").is_ok(), "{good}");
        }
        assert_eq!(shown("database_url", "postgres://w:p4ss@h/x"), "postgres://w:[secret]@h/x");
        let hidden = shown("database_url", "postgres://w@h/x?password=p4ss");
        assert!(!hidden.contains("p4ss"), "{hidden}");
        assert_eq!(shown("encryption_key", "abc"), "[secret]");
        assert_eq!(shown("listen", "a"), "a");
        assert_eq!(shown("smtp_url", "smtps://u:p4ss@h"), "smtps://u:[secret]@h");
        assert_eq!(shown("webhook_url", "u:p4ss@h"), "[unreadable]");
        for open in ["https://h/x", "https://h", "https://a.example,https://b.example:8443"] {
            assert_eq!(shown("webhook_url", open), open, "as it is");
        }
        assert_eq!(
            shown("webhook_url", "https://t0ken@h/x?k=p4ss#p4ss"),
            "https://[secret]@h/x?[secret]"
        );
        assert_eq!(shown("oidc_issuer", "u:p4ss@h"), "[unreadable]");
        assert_eq!(
            shown("database_url", "postgres://w@h/x?sslpassword=p4ss"),
            "postgres://w@h/x?[secret]"
        );
        assert_eq!(shown("database_url", "postgres//p4ss"), "[unreadable]");
    }
}
