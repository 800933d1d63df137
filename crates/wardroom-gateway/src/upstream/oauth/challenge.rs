//! What a tool server says when it does not let somebody in (RFC 6750 §3, RFC 9728 §5.1).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use std::fmt;

/// A refusal, and what it says would help.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denial {
    /// The status, 401 or 403.
    pub status: u16,
    /// Where the server's metadata is.
    pub(super) metadata: Option<String>,
    /// The scopes that are wanted.
    pub(super) scopes: Vec<String>,
    /// Whether a token of more scopes would do.
    pub(super) wants_more: bool,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)
    }
}

impl Denial {
    /// What an answer says.
    pub(in crate::upstream) fn read(status: u16, headers: &HeaderMap) -> Self {
        let mut denial = Self { status, ..Self::default() };
        let values =
            headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        for value in values {
            // One that can't be read says nothing.
            let challenges = http_auth::parse_challenges(value).unwrap_or_default();
            let bearer = challenges.iter().filter(|one| one.scheme.eq_ignore_ascii_case("bearer"));
            for (name, value) in bearer.flat_map(|one| &one.params) {
                let text = value.to_unescaped();
                match name.to_ascii_lowercase().as_str() {
                    "resource_metadata" => denial.metadata = Some(text),
                    "scope" => denial.scopes = text.split_whitespace().map(str::to_owned).collect(),
                    "error" => denial.wants_more = text == "insufficient_scope",
                    _ => {}
                }
            }
        }
        denial
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(values: &[&str]) -> Denial {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Denial::read(401, &headers)
    }

    #[test]
    fn what_would_help_is_found_among_whatever_else_is_said() {
        let found = read(&[
            "Basic realm=\"x\"",
            "bearer realm=\"a, b\", resource_metadata=\"https://a.example/m\", scope=\"one two\", error=insufficient_scope",
        ]);
        assert_eq!(found.metadata.as_deref(), Some("https://a.example/m"));
        assert_eq!(found.scopes, ["one", "two"]);
        assert!(found.wants_more);
        for value in ["", "Bearer", "nonsense \"", "Basic scope=\"one\""] {
            assert_eq!(read(&[value]), Denial { status: 401, ..Denial::default() }, "{value:?}");
        }
    }
}
