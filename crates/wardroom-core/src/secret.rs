//! Named secrets: values that commands are given and nobody reads again, in versions.

use crate::{Timestamp, UserId, field::FieldError};

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;
/// The longest description, in characters.
const ABOUT_CHARS_MAX: usize = 200;
/// The most secrets that are kept.
pub const SECRETS_MAX: usize = 1000;
/// Versions of one secret that are kept.
pub const VERSIONS_KEPT: u32 = 5;
/// The longest time after which somebody is reminded to renew a secret, in days.
const ROTATE_DAYS_MAX: u32 = 3650;

/// A secret that has a name. Its values are [`SecretVersion`]s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSecret {
    /// Its name, by which it is used and by which policy speaks of it.
    pub name: String,
    /// What it is, for people.
    pub about: String,
    /// After how many days somebody is reminded to renew it; never where absent.
    pub rotate_days: Option<u32>,
    /// The number of the version that is used.
    pub current: i64,
    /// The version that somebody was reminded to renew, 0 for none.
    pub reminded: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its present version was made.
    pub renewed_at: Timestamp,
}

/// One version of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersion {
    /// Whose.
    pub name: String,
    /// Its number, counting up from 1.
    pub number: i64,
    /// The value, sealed under the key ring.
    pub sealed: Vec<u8>,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// Whether a secret can have this name.
pub fn is_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    starts && name.len() <= NAME_CHARS_MAX && name.chars().all(sound)
}

impl NamedSecret {
    /// Checks what people say of it.
    pub fn check(&self) -> Result<(), FieldError> {
        if !is_name(&self.name) {
            let reason = "must be 1 to 64 of a-z 0-9 . _ -, with a letter first";
            return Err(FieldError::new("name", reason));
        }
        if self.about.chars().count() > ABOUT_CHARS_MAX || self.about.chars().any(char::is_control)
        {
            return Err(FieldError::new("about", "must be at most 200 characters in one line"));
        }
        if self.rotate_days.is_some_and(|days| !(1..=ROTATE_DAYS_MAX).contains(&days)) {
            return Err(FieldError::new("rotate_days", "must be 1 to 3650"));
        }
        Ok(())
    }

    /// Whether somebody should renew it.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.rotate_days
            .is_some_and(|days| now.since(self.renewed_at).as_secs() >= u64::from(days) * 86_400)
    }
}

/// Checks a value. SECURITY: the reason does not repeat it.
pub fn check_value(value: &str) -> Result<(), FieldError> {
    if value.is_empty() || value.len() > VALUE_BYTES_MAX || value.contains('\0') {
        return Err(FieldError::new("value", "must be 1 to 16,384 bytes, without NUL"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_times_are_checked() {
        let day = 86_400 * 1_000_000;
        let secret = |name: &str, rotate_days| NamedSecret {
            name: name.to_owned(),
            about: String::new(),
            rotate_days,
            current: 1,
            reminded: 0,
            created_at: Timestamp::from_micros(0),
            renewed_at: Timestamp::from_micros(0),
        };
        assert!(secret("db.password-2", Some(90)).check().is_ok());
        for bad in ["", "Db", "9db", "d b", "d/b", &"d".repeat(65)] {
            assert!(secret(bad, None).check().is_err(), "{bad}");
        }
        assert!(secret("db", Some(0)).check().is_err());
        let due = |at| secret("db", Some(90)).is_due(Timestamp::from_micros(at));
        assert_eq!([due(89 * day), due(90 * day)], [false, true]);
        assert!(!secret("db", None).is_due(Timestamp::from_micros(9999 * day)));
        assert!(check_value("x").is_ok());
        assert!(check_value("").is_err() && check_value("a\0b").is_err());
    }
}
