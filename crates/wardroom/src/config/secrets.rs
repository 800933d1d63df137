//! Secrets that settings lead to. One that everybody knows, or that is easily guessed, is refused at the start.

use anyhow::bail;

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
    let Some((user, password, host)) = parts(url) else { return Ok(()) };
    let nearby = host.is_empty()
        || host.starts_with("localhost")
        || host.starts_with("127.")
        || host.starts_with("[::1]")
        || host.starts_with('/');
    let Some(password) = password else { return Ok(()) };
    let lower = password.to_ascii_lowercase();
    if KNOWN.contains(&lower.as_str()) || password == user {
        bail!(
            "the database's password is one that everybody knows. Set another one (ALTER ROLE {user} PASSWORD '…') and put the URL with it into a file that {set_by} names: database_url_file = \"/path/only/you/can/read\""
        );
    }
    if !nearby && password.chars().count() < CHARS_MIN {
        bail!(
            "the database's password is shorter than {CHARS_MIN} characters. Set a longer one (ALTER ROLE {user} PASSWORD '…') and put the URL with it into a file that {set_by} names: database_url_file = \"/path/only/you/can/read\""
        );
    }
    Ok(())
}

/// User, password and host of a PostgreSQL URL.
fn parts(url: &str) -> Option<(&str, Option<&str>, &str)> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    match login.split_once(':') {
        Some((user, password)) => Some((user, Some(password), host)),
        None => Some((login, None, host)),
    }
}

/// A setting's value as it may be shown: without the secrets in it.
pub(super) fn shown(name: &str, value: &str) -> String {
    if name == "encryption_key" {
        return "[secret]".to_owned();
    }
    match parts(value) {
        Some((_, Some(password), _)) if name == "database_url" && !password.is_empty() => {
            value.replacen(&format!(":{password}@"), ":[secret]@", 1)
        }
        _ => value.to_owned(),
    }
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
            "postgres://w:@db.example/x",
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
        assert_eq!(shown("encryption_key", "abc"), "[secret]");
        assert_eq!(shown("listen", "a"), "a");
    }
}
