//! One's own account.

pub(crate) mod factors;
pub(crate) mod passkeys;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod tool_accounts;
pub(crate) mod totp;

use crate::error::ApiError;

/// What a second factor is called.
pub(crate) fn factor_name(text: &str) -> Result<String, ApiError> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(ApiError::field("name", "must be 1 to 64 characters"));
    }
    Ok(name.to_owned())
}
