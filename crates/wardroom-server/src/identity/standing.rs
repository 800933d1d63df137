//! What is open to a session: everything, or only what its owner has to do first.

use super::AccountRules;
use crate::error::ApiError;
use wardroom_core::{
    Action, Timestamp,
    identity::{Session, User},
};
use wardroom_wire::error::ErrorCode;

/// What is open to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Everything that policy allows.
    Open,
    /// A second factor has to be shown first.
    SecondFactor,
    /// An own, new password has to be set first.
    SetPassword,
    /// A second factor has to be added first.
    SetSecondFactor,
}

impl Standing {
    /// How `session` of `user` stands at `now`. In this order: who has yet to show a second factor must not
    /// change the password, and whoever knows somebody else's must not add a factor to it.
    pub(crate) fn of(rules: &AccountRules, user: &User, session: &Session, now: Timestamp) -> Self {
        // A program shows no second factor, but what its account has to do first holds it up as well.
        if user.second_factor && !session.second_factor && session.grant.is_none() {
            return Self::SecondFactor;
        }
        match Self::of_account(rules, user, now) {
            // Somebody outside has vouched for it.
            Self::SetSecondFactor if session.second_factor => Self::Open,
            standing => standing,
        }
    }

    /// What `user` has to do first at `now`, whichever way they come.
    pub(crate) fn of_account(rules: &AccountRules, user: &User, now: Timestamp) -> Self {
        let old = rules.password_ttl.is_some_and(|ttl| now.since(user.password_changed_at) >= ttl);
        if !user.password_hash.is_empty() && (user.password_temporary || old) {
            Self::SetPassword
        } else if !user.second_factor && rules.second_factor_roles.contains(&user.role) {
            Self::SetSecondFactor
        } else {
            Self::Open
        }
    }

    /// The name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::SecondFactor => "second_factor",
            Self::SetPassword => "set_password",
            Self::SetSecondFactor => "set_second_factor",
        }
    }

    /// Refuses what is not open yet.
    pub(crate) fn admit(self, action: Action) -> Result<(), ApiError> {
        let (open, code): (&[Action], _) = match self {
            Self::Open => return Ok(()),
            Self::SecondFactor => (&[Action::SessionProve], ErrorCode::SecondFactorRequired),
            Self::SetPassword => (&[Action::PasswordChange], ErrorCode::PasswordChangeRequired),
            Self::SetSecondFactor => {
                (&[Action::FactorList, Action::FactorAdd], ErrorCode::SecondFactorSetupRequired)
            }
        };
        let always = matches!(action, Action::SessionEnd | Action::UserRead);
        if always || open.contains(&action) { Ok(()) } else { Err(ApiError::new(code)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_standing_opens_its_own_way_out_and_nothing_else() {
        for (standing, open) in [
            (Standing::SecondFactor, vec![Action::SessionProve]),
            (Standing::SetPassword, vec![Action::PasswordChange]),
            (Standing::SetSecondFactor, vec![Action::FactorList, Action::FactorAdd]),
        ] {
            for action in Action::ALL {
                let wanted = open.contains(action)
                    || matches!(action, Action::SessionEnd | Action::UserRead);
                assert_eq!(standing.admit(*action).is_ok(), wanted, "{standing:?} {action}");
            }
        }
        assert!(Action::ALL.iter().all(|action| Standing::Open.admit(*action).is_ok()));
    }
}
