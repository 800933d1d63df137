//! Outside parties whose users see only their own.

use super::check_text;
use crate::{
    CustomerId, Timestamp, UserId,
    field::FieldError,
    named::named,
    person::{BlindIndex, is_email},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// The longest notes, in characters.
pub const NOTES_CHARS_MAX: usize = 10_000;
/// Fields of a customer's own.
pub const FIELDS_MAX: usize = 50;
/// The longest value of one, in characters.
pub const FIELD_CHARS_MAX: usize = 1000;
/// Operators that one customer may have.
pub const OPERATORS_MAX: usize = 100;

named! {
    /// Whether a customer counts.
    CustomerState = "active, erased" {
        /// May order.
        Active = "active",
        /// Its key was destroyed. Only its id is left, so that what was done for it stays attributed.
        Erased = "erased",
    }
}

/// An outside party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The customer.
    pub id: CustomerId,
    /// Counts changes; an update names the version that it was made from.
    pub version: i64,
    /// The [`CustomerProfile`], sealed under the customer's key; empty when erased.
    pub profile: Vec<u8>,
    /// By what its e-mail address is found; unique.
    pub email_index: Option<BlindIndex>,
    /// The accounts that look after it; sorted.
    pub operators: Vec<UserId>,
    /// Whether it counts.
    pub state: CustomerState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is known of a customer. It is stored sealed, as one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerProfile {
    /// What it is called, 1 to 100 characters.
    pub name: String,
    /// Where messages go.
    pub email: String,
    /// By what it is called on the telephone (E.164: `+` and 8 to 15 digits); may be empty.
    #[serde(default)]
    pub phone: String,
    /// What those who look after it should know.
    #[serde(default)]
    pub notes: String,
    /// Further fields, by name.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

impl CustomerProfile {
    /// Checks every part, after white space around it was dropped.
    pub fn checked(mut self) -> Result<Self, FieldError> {
        for text in [&mut self.name, &mut self.email, &mut self.phone, &mut self.notes] {
            *text = text.trim().replace("\r\n", "\n");
        }
        check_text("name", &self.name, NAME_CHARS_MAX, false, false)?;
        if !is_email(&self.email) {
            let reason = "must be an e-mail address such as ada@example.org";
            return Err(FieldError::new("email", reason));
        }
        if !self.phone.is_empty() && !is_phone(&self.phone) {
            let reason = "must be + and 8 to 15 digits, such as +4930123456";
            return Err(FieldError::new("phone", reason));
        }
        check_text("notes", &self.notes, NOTES_CHARS_MAX, true, true)?;
        if self.fields.len() > FIELDS_MAX {
            return Err(FieldError::new("fields", format!("must be at most {FIELDS_MAX}")));
        }
        for (name, value) in &self.fields {
            if !is_field_name(name) {
                let reason = "a field’s name is 1 to 40 of a-z 0-9 _ and begins with a letter";
                return Err(FieldError::new(format!("fields.{name}"), reason));
            }
            check_text(&format!("fields.{name}"), value, FIELD_CHARS_MAX, true, true)?;
        }
        Ok(self)
    }
}

/// Whether `text` is a telephone number by ITU-T E.164: `+`, then 8 to 15 digits of which the first is not 0.
fn is_phone(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (8..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0')
}

/// Whether `text` can name a field: 1 to 40 of `a-z 0-9 _`, a letter first. `constructor` and `prototype` are
/// refused as well as what has other characters: a script that takes fields over by name must not meet them.
pub fn is_field_name(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !matches!(text, "constructor" | "prototype")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn profiles_are_held_to_their_forms() {
        let sound = CustomerProfile {
            name: " Harbour Works ".into(),
            email: "desk@harbour.example".into(),
            phone: "+4930123456".into(),
            notes: "a\r\nb".into(),
            fields: BTreeMap::from([("plan".into(), "gold".into())]),
        };
        let checked = sound.clone().checked().unwrap();
        assert_eq!((checked.name.as_str(), checked.notes.as_str()), ("Harbour Works", "a\nb"));
        let wrong = |change: &dyn Fn(&mut CustomerProfile)| {
            let mut profile = sound.clone();
            change(&mut profile);
            profile.checked().unwrap_err().field
        };
        assert_eq!(wrong(&|p| p.name = " ".into()), "name");
        assert_eq!(wrong(&|p| p.name = "x".repeat(101)), "name");
        assert_eq!(wrong(&|p| p.name = "a\u{0}".into()), "name");
        assert_eq!(wrong(&|p| p.email = "".into()), "email");
        for phone in ["030123456", "+0123456789", "+12", "+4930 123456", "+1234567890123456"] {
            assert_eq!(wrong(&|p| p.phone = phone.into()), "phone", "{phone}");
        }
        for name in ["__proto__", "constructor", "prototype", "A", "", "1a"] {
            let field = wrong(&|p| {
                p.fields.insert(name.into(), "x".into());
            });
            assert_eq!(field, format!("fields.{name}"));
        }
    }
}
