//! Asking people in, and changing what they may do.

use super::{put_profile, settled};
use crate::{Engine, EngineError};
use std::time::Duration;
use wardroom_core::{
    CustomerId, PassId, Principal, Rng, Role, Timestamp, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    identity::{Pass, PassPurpose, User, UserState},
    person::{BlindIndex, Profile, checked_groups},
};
use wardroom_trust::{secret::PassSecret, vault::Vault};

/// Somebody who was asked in.
pub struct Invited {
    /// The account.
    pub user: User,
    /// What lets them set their first password, once.
    pub secret: PassSecret,
    /// The link's record.
    pub pass: Pass,
}

/// What is to be different about an account; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The name to sign in with.
    pub name: Option<String>,
    /// The name by which the person is shown.
    pub display_name: Option<String>,
    /// Where messages go; empty for nowhere.
    pub email: Option<String>,
    /// What the account may do.
    pub role: Option<Role>,
    /// The groups that it is in.
    pub groups: Option<Vec<String>>,
    /// The customer that it belongs to; `Some(None)` for none.
    pub customer: Option<Option<CustomerId>>,
}

impl Engine {
    /// Makes an account and the link that lets its person set a first password.
    pub async fn invite(
        &self,
        profile: Profile,
        (role, customer): (Role, Option<CustomerId>),
        ttl: Duration,
        by: &Principal,
        audit: AuditDraft,
    ) -> Result<Invited, EngineError> {
        self.check_customer(role, customer).await?;
        let user = User { customer, ..self.new_account(profile, role).await? };
        let (pass, secret) = self.new_pass(&user, PassPurpose::Invite, ttl, by);
        let audit = audit.on(user.id).detail("role", role).detail("until", pass.expires_at);
        let change = Change::recorded(audit)
            .write(Write::AddUser(user.clone()))
            .write(Write::AddPass(pass.clone()))
            .hint(Hint::Person(user.id.into()));
        settled(self.commit(change).await)?;
        Ok(Invited { user, secret, pass })
    }

    /// Only accounts of customers belong to one, and it must be there.
    async fn check_customer(
        &self,
        role: Role,
        customer: Option<CustomerId>,
    ) -> Result<(), EngineError> {
        let wrong =
            |reason: &str| Err(EngineError::Field { field: "customer", reason: reason.to_owned() });
        match customer {
            Some(_) if role != Role::Customer => wrong("goes with the role customer only"),
            Some(id) if self.customer(id).await.is_err() => wrong("is not there"),
            _ => Ok(()),
        }
    }

    /// An account that nothing has been done with yet; its person's key is durable.
    pub async fn new_account(&self, profile: Profile, role: Role) -> Result<User, EngineError> {
        new_account(&self.vault, &*self.rng, self.now(), profile, role).await
    }

    /// A single-use link for `user`.
    pub(super) fn new_pass(
        &self,
        user: &User,
        purpose: PassPurpose,
        ttl: Duration,
        by: &Principal,
    ) -> (Pass, PassSecret) {
        let now = self.now();
        let secret = PassSecret::generate(&*self.rng);
        let pass = Pass {
            id: PassId::new(now, &*self.rng),
            secret_hash: secret.hash(),
            user: user.id,
            purpose,
            created_by: by.to_string(),
            created_at: now,
            expires_at: now.plus(ttl),
        };
        (pass, secret)
    }

    /// Gives an account another link: for somebody who was asked in and did not come, or who has lost the
    /// password. Their earlier links end.
    pub async fn renew_pass(
        &self,
        user: &User,
        ttl: Duration,
        by: &Principal,
        audit: AuditDraft,
    ) -> Result<(Pass, PassSecret), EngineError> {
        let purpose = match user.state {
            UserState::Invited => PassPurpose::Invite,
            UserState::Active => PassPurpose::Reset,
            UserState::Disabled | UserState::Erased => return Err(EngineError::AccountState),
        };
        let (pass, secret) = self.new_pass(user, purpose, ttl, by);
        let audit = audit.on(user.id).detail("purpose", purpose.as_str());
        let audit = audit.detail("until", pass.expires_at);
        self.commit(Change::recorded(audit).write(Write::AddPass(pass.clone()))).await?;
        Ok((pass, secret))
    }

    /// Writes a link that sets a new password to an account; its earlier ones end. `url` makes its address.
    pub async fn mail_pass(
        &self,
        user: &User,
        ttl: Duration,
        url: impl FnOnce(&PassSecret) -> String + Send,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let purpose = PassPurpose::Reset;
        let (pass, secret) = self.new_pass(user, purpose, ttl, &Principal::System);
        let text = format!(
            "Somebody, most likely you, asked for a new password of your Wardroom account. This link sets one; it is good once, until {}:\n\n{}\n\nIf it was not you, there is nothing to do: your password stays as it is.\n",
            pass.expires_at,
            url(&secret)
        );
        let audit =
            audit.on(user.id).detail("purpose", purpose.as_str()).detail("until", pass.expires_at);
        let mut change = Change::recorded(audit).write(Write::AddPass(pass));
        self.write_to(user.id, None, "A new password", text, &mut change).await?;
        Ok(self.commit(change).await?)
    }

    /// Changes an account, if it is still of this version.
    pub async fn change_user(
        &self,
        user: &User,
        wanted: UserChange,
        audit: AuditDraft,
    ) -> Result<User, EngineError> {
        let mut changed = User { version: user.version + 1, ..user.clone() };
        let mut profile = self.profile(user).await?;
        let email_before = profile.email.clone();
        let mut audit = audit.on(user.id);
        let parts = [
            ("name", &mut profile.name, wanted.name),
            ("display_name", &mut profile.display_name, wanted.display_name),
            ("email", &mut profile.email, wanted.email),
        ];
        for (key, part, wanted) in parts {
            if let Some(text) = wanted {
                audit = audit.personal(user.id, key, &text);
                *part = text;
            }
        }
        let profile = profile.checked()?;
        put_profile(&self.vault, &*self.rng, &mut changed, &profile).await?;
        if let Some(groups) = wanted.groups {
            changed.groups = checked_groups(groups)?;
            audit = audit.detail("groups", changed.groups.join(" "));
        }
        if let Some(customer) = wanted.customer {
            let named = customer.map_or_else(|| "none".to_owned(), |id| id.to_string());
            audit = audit.detail("customer", named);
            changed.customer = customer;
        }
        self.check_customer(wanted.role.unwrap_or(user.role), changed.customer).await?;
        let mut change = Change::default();
        if changed.customer != user.customer {
            // SECURITY: what was opened under other rights is opened anew.
            change.writes.push(Write::RemoveSessionsOf { user: user.id, but: None });
        }
        if let Some(role) = wanted.role.filter(|role| *role != user.role) {
            audit = audit.detail("role", role).detail("role_before", user.role);
            changed.role = role;
            if user.role == Role::Admin {
                change.writes.push(Write::RequireAnotherAdmin(user.id));
            }
            // SECURITY: what was opened under other rights is opened anew.
            change.writes.push(Write::RemoveSessionsOf { user: user.id, but: None });
        }
        change.audit.push(audit);
        if profile.email != email_before && user.state == UserState::Active {
            // SECURITY: a link that went to the address before is not for whoever reads the new one, and the owner of
            // the one before learns of it.
            change.writes.push(Write::RemovePassesOf(user.id));
            self.tell_address_changed(user, email_before, &mut change).await?;
        }
        let change =
            change.write(Write::UpdateUser(changed.clone())).hint(Hint::Person(user.id.into()));
        settled(self.commit(change).await)?;
        Ok(changed)
    }

    async fn tell_address_changed(
        &self,
        user: &User,
        before: String,
        change: &mut Change,
    ) -> Result<(), EngineError> {
        if before.is_empty() {
            return Ok(());
        }
        let text = "Messages about your Wardroom account go to another address from now on.\n\nIf that was not you, tell an administrator at once: whoever reads them can set a new password.\n";
        let subject = "Another address";
        self.write_to(user.id, Some(before), subject, text.to_owned(), change).await
    }

    /// Lets an account in again, or turns it away: its sessions and links end then.
    pub async fn enable_user(
        &self,
        user: &User,
        enabled: bool,
        audit: AuditDraft,
    ) -> Result<User, EngineError> {
        let state = match (enabled, user.state, user.password_hash.is_empty()) {
            (true, UserState::Disabled, true) => UserState::Invited,
            (true, UserState::Disabled, false) => UserState::Active,
            (false, UserState::Active | UserState::Invited, _) => UserState::Disabled,
            _ => return Err(EngineError::AccountState),
        };
        let changed = User { version: user.version + 1, state, ..user.clone() };
        let mut change = Change::recorded(audit.on(user.id));
        if !enabled {
            if user.role == Role::Admin {
                change.writes.push(Write::RequireAnotherAdmin(user.id));
            }
            change.writes.push(Write::RemoveSessionsOf { user: user.id, but: None });
            change.writes.push(Write::RemovePassesOf(user.id));
        }
        let change =
            change.write(Write::UpdateUser(changed.clone())).hint(Hint::Person(user.id.into()));
        settled(self.commit(change).await)?;
        Ok(changed)
    }
}

/// An account that nothing has been done with yet; its person's key is durable.
pub async fn new_account(
    vault: &Vault,
    rng: &dyn Rng,
    now: Timestamp,
    profile: Profile,
    role: Role,
) -> Result<User, EngineError> {
    let profile = profile.checked()?;
    let id = UserId::new(now, rng);
    let mut user = User {
        id,
        version: 1,
        profile: vec![],
        name_index: BlindIndex([0; 32]),
        email_index: None,
        role,
        groups: vec![],
        customer: None,
        state: UserState::Invited,
        password_hash: String::new(),
        password_temporary: false,
        password_changed_at: now,
        second_factor: false,
        created_at: now,
    };
    vault.admit(id.into(), now).await?;
    put_profile(vault, rng, &mut user, &profile).await?;
    Ok(user)
}
