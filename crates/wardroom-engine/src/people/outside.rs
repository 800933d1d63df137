//! People who are known at an issuer outside.

use super::{UserChange, settled};
use crate::{Engine, EngineError};
use wardroom_core::{
    Role, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    identity::{User, UserState},
    person::{BlindIndex, Profile},
};

/// How often another name is tried where one is taken.
const NAMES_TRIED_MAX: u32 = 20;
/// The longest sign-in name, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Somebody whom an issuer vouches for.
#[derive(Debug, Clone)]
pub struct Vouched {
    /// The issuer, as it names itself.
    pub issuer: String,
    /// Who, at this issuer.
    pub subject: String,
    /// What they are called there, to be made a sign-in name of.
    pub called: String,
    /// The name by which they are shown.
    pub display_name: String,
    /// Their e-mail address, if the issuer has verified it.
    pub email: String,
    /// What they may do here.
    pub role: Role,
}

impl Engine {
    /// By what somebody at an issuer is found again.
    pub fn outside_subject(&self, issuer: &str, subject: &str) -> BlindIndex {
        self.vault.index("oidc.subject", &format!("{issuer}\n{subject}"))
    }

    /// By what a session at an issuer is found again.
    pub fn outside_session(&self, issuer: &str, session: &str) -> BlindIndex {
        self.vault.index("oidc.session", &format!("{issuer}\n{session}"))
    }

    /// The account of somebody whom an issuer vouches for: made when they come for the first time, and with the
    /// role that they have there.
    pub async fn admit_outside(
        &self,
        vouched: &Vouched,
        audit: impl Fn() -> AuditDraft,
    ) -> Result<User, EngineError> {
        let subject = self.outside_subject(&vouched.issuer, &vouched.subject);
        let Some(user) = self.store.lookup_user_outside(subject).await? else {
            return self.add_outside(vouched, subject, audit).await;
        };
        match user.state {
            UserState::Active if user.role != vouched.role => {
                let change = UserChange { role: Some(vouched.role), ..UserChange::default() };
                self.change_user(&user, change, audit()).await
            }
            UserState::Active => Ok(user),
            UserState::Invited | UserState::Disabled | UserState::Erased => {
                Err(EngineError::AccountState)
            }
        }
    }

    /// SECURITY: never joined to an account that is there, whatever it is called or its address is: an issuer
    /// would decide who gets into it.
    async fn add_outside(
        &self,
        vouched: &Vouched,
        subject: BlindIndex,
        audit: impl Fn() -> AuditDraft,
    ) -> Result<User, EngineError> {
        let mut profile = Profile {
            name: self.free_name(&vouched.called).await?,
            display_name: vouched.display_name.chars().take(100).collect(),
            email: vouched.email.clone(),
        };
        if profile.clone().checked().is_err()
            || (!profile.email.is_empty() && self.user_by_login(&profile.email).await?.is_some())
        {
            profile.email = String::new();
        }
        if profile.clone().checked().is_err() {
            profile.display_name = String::new();
        }
        let user =
            User { state: UserState::Active, ..self.new_account(profile, vouched.role).await? };
        let audit = audit().on(user.id).detail("role", vouched.role);
        let audit = audit.personal(user.id, "subject", &vouched.subject);
        let change = Change::recorded(audit)
            .write(Write::AddUser(user.clone()))
            .write(Write::AddOutside { subject, user: user.id, at: self.now() })
            .hint(Hint::Person(user.id.into()));
        settled(self.commit(change).await)?;
        Ok(user)
    }

    /// A sign-in name that nobody has, made of what somebody is called elsewhere.
    async fn free_name(&self, called: &str) -> Result<String, EngineError> {
        let plain: String = called
            .split('@')
            .next()
            .unwrap_or_default()
            .to_lowercase()
            .chars()
            .map(|c| {
                if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) {
                    c
                } else {
                    '-'
                }
            })
            .take(NAME_CHARS_MAX - 4)
            .collect();
        let plain = plain.trim_matches(['.', '_', '-']);
        let plain = if plain.is_empty() { "somebody" } else { plain };
        for number in 1..=NAMES_TRIED_MAX {
            let name = if number == 1 { plain.to_owned() } else { format!("{plain}-{number}") };
            if self.user_by_name(&name).await?.is_none() {
                return Ok(name);
            }
        }
        Err(EngineError::Field {
            field: "name",
            reason: "is taken, and so are others like it".to_owned(),
        })
    }

    /// Ends what a logout at the issuer ends: one session there, or all of somebody.
    pub async fn end_outside(
        &self,
        session: Option<BlindIndex>,
        user: Option<UserId>,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let mut change = Change::recorded(audit);
        if let Some(session) = session {
            change.writes.push(Write::RemoveSessionsOutside(session));
        } else if let Some(user) = user {
            change.writes.push(Write::RemoveSessionsOf { user, but: None });
        }
        Ok(self.commit(change).await?)
    }
}
