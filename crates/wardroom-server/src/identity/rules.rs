//! What is demanded of accounts. Each part is a setting.

use std::{collections::BTreeSet, time::Duration};
use wardroom_core::Role;
use wardroom_trust::password_rules::PasswordRules;

/// What is demanded of accounts.
#[derive(Debug, Clone)]
pub struct AccountRules {
    /// Of new passwords.
    pub passwords: PasswordRules,
    /// How long a password is good for; for ever where absent.
    pub password_ttl: Option<Duration>,
    /// Roles whose accounts need a second factor.
    pub second_factor_roles: BTreeSet<Role>,
    /// How long a session lasts whatever happens.
    pub session_ttl: Duration,
    /// How long it lasts without being used.
    pub session_idle: Duration,
    /// How many sessions an account has at most; the oldest ends when there would be more.
    pub sessions_max: usize,
    /// How long a proof of who somebody is counts as fresh.
    pub fresh_for: Duration,
    /// How long an invitation is good for.
    pub invite_ttl: Duration,
    /// How long a link that resets a password is good for.
    pub reset_ttl: Duration,
}

impl Default for AccountRules {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            passwords: PasswordRules::default(),
            password_ttl: Some(Duration::from_secs(90 * 24 * HOUR)),
            second_factor_roles: BTreeSet::from([Role::Admin]),
            session_ttl: Duration::from_secs(12 * HOUR),
            session_idle: Duration::from_secs(HOUR),
            sessions_max: 10,
            fresh_for: Duration::from_secs(15 * 60),
            invite_ttl: Duration::from_secs(72 * HOUR),
            reset_ttl: Duration::from_secs(HOUR),
        }
    }
}
