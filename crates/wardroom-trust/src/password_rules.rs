//! Which passwords may be set.

use secrecy::{ExposeSecret, SecretString};

/// What a new password must be like. Each part is a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRules {
    /// The fewest characters.
    pub chars_min: usize,
    /// The fewest of the classes lower case, upper case, digits and others.
    pub classes_min: usize,
    /// The least strength: 0 (guessed at once) to 4, as zxcvbn estimates it; common passwords are below 2.
    pub strength_min: u8,
    /// How many of the last passwords may not be taken again.
    pub history: u32,
}

/// The most characters: what is longer gains nothing and costs the check time.
pub const PASSWORD_CHARS_MAX: usize = 128;

impl Default for PasswordRules {
    fn default() -> Self {
        Self { chars_min: 12, classes_min: 3, strength_min: 3, history: 5 }
    }
}

impl PasswordRules {
    /// Checks a password against everything but the ones before it. `known` is what others may know of its
    /// owner. Takes up to some tens of milliseconds: not for an async worker.
    pub fn check(&self, password: &SecretString, known: &[&str]) -> Result<(), String> {
        let text = password.expose_secret();
        let chars = text.chars().count();
        if chars < self.chars_min {
            return Err(format!("must have at least {} characters", self.chars_min));
        }
        if chars > PASSWORD_CHARS_MAX {
            return Err(format!("must have at most {PASSWORD_CHARS_MAX} characters"));
        }
        if classes(text) < self.classes_min {
            return Err(format!(
                "must mix at least {} of lower case, upper case, digits and other characters",
                self.classes_min
            ));
        }
        let lower = text.to_lowercase();
        // A name within a password is worth nothing to whoever knows the name.
        let parts = known.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        if let Some(part) = parts
            .filter(|part| part.chars().count() >= 4)
            .find(|part| lower.contains(&part.to_lowercase()))
        {
            return Err(format!("must not contain {part:?}"));
        }
        let estimate = zxcvbn::zxcvbn(text, known);
        if u8::from(estimate.score()) < self.strength_min {
            return Err(match estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning) {
                Some(warning) => format!("is too easy to guess: {warning}"),
                None => "is too easy to guess: use more words, or a generated one".to_owned(),
            });
        }
        Ok(())
    }
}

fn classes(text: &str) -> usize {
    let tests: [fn(char) -> bool; 4] =
        [char::is_lowercase, char::is_uppercase, char::is_numeric, |c| {
            !c.is_lowercase() && !c.is_uppercase() && !c.is_numeric()
        }];
    tests.iter().filter(|test| text.chars().any(**test)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        PasswordRules::default()
            .check(&SecretString::from(text), &["ada", "ada.lovelace@example.org"])
    }

    #[test]
    fn short_plain_common_and_personal_passwords_are_refused() {
        for (bad, why) in [
            ("Short-1", "at least 12"),
            ("nothing but small letters", "must mix"),
            ("Password1234", "too easy"),
            ("Qwertyuiop-1", "too easy"),
            ("My-Lovelace-91-tide", "Lovelace"),
            (&"aB1-".repeat(40), "at most 128"),
        ] {
            let said = check(bad).expect_err(bad);
            assert!(said.to_lowercase().contains(&why.to_lowercase()), "{bad}: {said}");
            assert!(!said.contains(bad), "a password is not repeated");
        }
        assert_eq!(check("Brine-harbour 7 lanterns"), Ok(()));
        let lax = PasswordRules { chars_min: 4, classes_min: 1, strength_min: 0, history: 0 };
        assert_eq!(lax.check(&SecretString::from("abcd"), &[]), Ok(()));
    }
}
