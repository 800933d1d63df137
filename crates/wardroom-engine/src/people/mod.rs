//! Accounts: who they are, what proves them, and their end. Names and addresses are sealed under each
//! person's key; only here and in the doors are they in the clear.

mod accounts;
mod erase;
mod factors;
mod grants;
mod outside;
mod passwords;
mod sessions;

pub use accounts::{Invited, UserChange, new_account};
pub(crate) use factors::FACTOR;
pub use factors::{FactorSecret, NewFactor, RECOVERY_CODES};
pub use outside::Vouched;
pub(crate) use sessions::ABOUT;
pub use sessions::SESSION_TOUCH;

use crate::{Engine, EngineError};
use wardroom_core::{
    Rng, UserId,
    change::{Change, Write},
    identity::{User, UserState},
    person::{Profile, is_email, is_name},
    store::StoreError,
};
use wardroom_trust::vault::{ERASED, Vault, VaultError};

/// What a profile is sealed for.
pub(crate) const PROFILE: &str = "profile";
/// The kinds of blind indexes.
const NAME: &str = "name";
const EMAIL: &str = "email";

impl From<VaultError> for EngineError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => Self::Store(error),
            VaultError::Erased => Self::Erased,
            error => Self::Seal(error.to_string()),
        }
    }
}

impl Engine {
    /// The account with this sign-in name.
    pub async fn user_by_name(&self, name: &str) -> Result<Option<User>, EngineError> {
        if !is_name(name) {
            return Ok(None);
        }
        Ok(self.store.lookup_user_by_name(self.vault.index(NAME, name)).await?)
    }

    /// The account with this sign-in name or e-mail address.
    pub async fn user_by_login(&self, login: &str) -> Result<Option<User>, EngineError> {
        if !is_email(login) {
            return self.user_by_name(login).await;
        }
        let index = self.vault.index(EMAIL, &login.to_lowercase());
        Ok(self.store.lookup_user_by_email(index).await?)
    }

    /// The account with this id. One that was erased is not there.
    pub async fn user(&self, id: UserId) -> Result<User, EngineError> {
        let found = self.store.lookup_user(id).await?;
        found.filter(|user| user.state != UserState::Erased).ok_or(EngineError::NotFound("account"))
    }

    /// What is known of the person behind an account.
    pub async fn profile(&self, user: &User) -> Result<Profile, EngineError> {
        let erased = || Profile { name: ERASED.to_owned(), ..Profile::default() };
        if user.state == UserState::Erased {
            return Ok(erased());
        }
        match self.vault.cipher(user.id.into()).await {
            Ok(cipher) => cipher.open_json(PROFILE, &user.profile).map_err(EngineError::seal),
            // It was erased in this moment.
            Err(VaultError::Erased) => Ok(erased()),
            Err(error) => Err(error.into()),
        }
    }

    /// Seals the names of accounts from before names were sealed. Called once, before anybody is let in.
    pub async fn seal_old_names(&self) -> Result<(), EngineError> {
        loop {
            let found = self.store.list_unsealed_users(100).await?;
            if found.is_empty() {
                return Ok(());
            }
            for (mut user, name) in found {
                let person = user.id.into();
                if let Err(VaultError::Erased) = self.vault.cipher(person).await {
                    self.vault.admit(person, self.now()).await?;
                }
                let profile = Profile { name, ..Profile::default() };
                put_profile(&self.vault, &*self.rng, &mut user, &profile).await?;
                user.version += 1;
                self.commit(Change::default().write(Write::UpdateUser(user))).await?;
            }
        }
    }
}

/// Puts a profile into an account, sealed, with the indexes that find it.
async fn put_profile(
    vault: &Vault,
    rng: &dyn Rng,
    user: &mut User,
    profile: &Profile,
) -> Result<(), EngineError> {
    let cipher = vault.cipher(user.id.into()).await?;
    user.profile = cipher.seal_json(PROFILE, profile, rng).map_err(EngineError::seal)?;
    user.name_index = vault.index(NAME, &profile.name);
    user.email_index =
        (!profile.email.is_empty()).then(|| vault.index(EMAIL, &profile.email.to_lowercase()));
    Ok(())
}

/// What a change to an account came to.
fn settled(outcome: Result<(), StoreError>) -> Result<(), EngineError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(StoreError::Conflict("another administrator")) => Err(EngineError::LastAdministrator),
        Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
        Err(StoreError::Duplicate("account name")) => {
            Err(EngineError::Field { field: "name", reason: "is taken".to_owned() })
        }
        Err(StoreError::Duplicate("e-mail address")) => Err(EngineError::Field {
            field: "email",
            reason: "belongs to another account".to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}
