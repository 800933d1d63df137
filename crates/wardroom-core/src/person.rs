//! Personal data: what is known of a person, under whose key it is sealed, and how it is found again.

use crate::{NodeId, PersonId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest sign-in name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest name by which a person is shown, in characters.
pub const DISPLAY_NAME_CHARS_MAX: usize = 100;
/// The longest e-mail address (RFC 5321 §4.5.3.1.3), in bytes.
pub const EMAIL_BYTES_MAX: usize = 254;

/// One generation of a person's key, wrapped under the key ring. When the last one is gone, nothing that
/// was sealed for the person can be read any more, wherever a copy of it lies.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonKey {
    /// Whose it is.
    pub person: PersonId,
    /// Counts from 1; the highest one seals, all open.
    pub generation: u32,
    /// The key, sealed; the ring's key id is inside.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonKey")
            .field("person", &self.person)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// By what a sealed value is found again: a keyed hash of it (HMAC-SHA256), the same for the same value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindIndex(pub [u8; 32]);

impl fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndex(…)")
    }
}

/// What is known of the person behind an account. It is stored sealed, as one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name to sign in with: 1 to 64 of `a-z 0-9 . _ -`.
    pub name: String,
    /// The name by which the person is shown; empty where nobody gave one.
    #[serde(default)]
    pub display_name: String,
    /// Where messages go; empty where nobody gave one.
    #[serde(default)]
    pub email: String,
}

/// What is wrong with one part of a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct ProfileError {
    /// Which part.
    pub field: &'static str,
    /// What it must be.
    pub reason: &'static str,
}

impl Profile {
    /// Checks every part, after white space around it was dropped.
    pub fn checked(mut self) -> Result<Self, ProfileError> {
        for text in [&mut self.name, &mut self.display_name, &mut self.email] {
            *text = text.trim().to_owned();
        }
        let wrong = |field, reason| Err(ProfileError { field, reason });
        if !is_name(&self.name) {
            return wrong(
                "name",
                "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit",
            );
        }
        let shown = self.display_name.chars();
        if shown.clone().count() > DISPLAY_NAME_CHARS_MAX || shown.clone().any(char::is_control) {
            return wrong(
                "display_name",
                "must be at most 100 characters, none of them a control character",
            );
        }
        if !self.email.is_empty() && !is_email(&self.email) {
            return wrong("email", "must be an e-mail address such as ada@example.org");
        }
        Ok(self)
    }

    /// The name by which the person is shown.
    pub fn shown(&self) -> &str {
        if self.display_name.is_empty() { &self.name } else { &self.display_name }
    }
}

/// Whether `text` has the form of a sign-in name.
pub fn is_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest =
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    // What records call those who are no accounts, and the form of ids.
    let taken = ["system", "anonymous"].contains(&text)
        || text.parse::<UserId>().is_ok()
        || text.parse::<NodeId>().is_ok();
    first && rest && !taken && text.len() <= NAME_BYTES_MAX
}

/// The groups that one account may be in.
pub const GROUPS_MAX: usize = 32;

/// Groups, sorted and each once; their names have the form of sign-in names.
pub fn checked_groups(mut groups: Vec<String>) -> Result<Vec<String>, ProfileError> {
    groups.sort();
    groups.dedup();
    if groups.len() > GROUPS_MAX || !groups.iter().all(|name| is_name(name)) {
        let reason = "must be at most 32 names of a-z 0-9 . _ -";
        return Err(ProfileError { field: "groups", reason });
    }
    Ok(groups)
}

/// Whether `text` has the form of an e-mail address: a dot-atom (RFC 5322 §3.2.3), `@`, a host name.
/// Quoted local parts and address literals are not accepted: nobody types them on purpose.
pub fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else { return false };
    let atoms = |text: &str, allowed: fn(u8) -> bool| {
        text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(allowed))
    };
    let label = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    text.len() <= EMAIL_BYTES_MAX
        && local.len() <= 64
        && atoms(local, |b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
        && atoms(host, label)
        && host
            .split('.')
            .all(|part| part.len() <= 63 && !part.starts_with('-') && !part.ends_with('-'))
        && host.contains('.')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn profiles_are_trimmed_and_held_to_their_forms() {
        let profile = |name: &str, email: &str| Profile {
            name: name.into(),
            email: email.into(),
            display_name: " Ada ".into(),
        };
        let ada = profile(" ada ", "ada@example.org").checked().unwrap();
        assert_eq!((ada.name.as_str(), ada.shown()), ("ada", "Ada"));
        for bad in ["", "Ada", ".ada", "a b", &"a".repeat(65)] {
            assert_eq!(profile(bad, "").checked().unwrap_err().field, "name", "{bad:?}");
        }
        for bad in ["ada", "@x.y", "a@b", "a@@b.c", "a@b..c", "a b@c.d", "a@-b.c", "\"a\"@b.c"] {
            assert_eq!(profile("ada", bad).checked().unwrap_err().field, "email", "{bad:?}");
        }
    }
}
