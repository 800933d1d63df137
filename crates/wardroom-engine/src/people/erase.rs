//! The end of an account: its person's key is destroyed, and with it everything that was sealed under it,
//! in the live store, in every copy of it and in the audit log. Only the id is left.

use super::settled;
use crate::{Engine, EngineError};
use std::{
    collections::BTreeSet,
    sync::{MutexGuard, PoisonError},
};
use wardroom_core::{
    PersonId, Role,
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    identity::{User, UserState},
    memory::MemoryWrite,
    page::{PAGE_ITEMS_MAX, PageRequest},
    person::BlindIndex,
    store::UserFilter,
    tool::account::ToolAccountWrite,
};

impl Engine {
    /// Erases the person behind an account.
    pub async fn erase_user(&self, user: &User, audit: AuditDraft) -> Result<(), EngineError> {
        let mut nobody = [0_u8; 32];
        self.rng.fill(&mut nobody);
        let erased = User {
            version: user.version + 1,
            profile: vec![],
            // Unique and found by nothing: the name is free again.
            name_index: BlindIndex(nobody),
            email_index: None,
            customer: None,
            state: UserState::Erased,
            password_hash: String::new(),
            second_factor: false,
            ..user.clone()
        };
        let id = user.id;
        let mut change = Change::recorded(audit.on(id));
        if user.role == Role::Admin {
            change.writes.push(Write::RequireAnotherAdmin(id));
        }
        let change = change
            .write(Write::UpdateUser(erased))
            .write(Write::RemoveSessionsOf { user: id, but: None })
            .write(Write::RemoveOutsideOf(id))
            .write(Write::RemoveApiTokensOf(id))
            .write(Write::Memory(MemoryWrite::RemoveOf(id)))
            .write(Write::ToolAccount(ToolAccountWrite::RemoveOf(id)))
            .write(Write::RemovePassesOf(id))
            .write(Write::RemoveFactorsOf { user: id, kind: None })
            .write(Write::ForgetPasswordsOf(id))
            .hint(Hint::Person(id.into()));
        settled(self.commit(change).await)?;
        // From here on there is a key to something that is marked as erased: the sweep goes on where this ends.
        self.destroy_key(id.into()).await
    }

    /// Destroys a person's key, now or, where that does not come through, with a later sweep.
    pub(crate) async fn destroy_key(&self, person: PersonId) -> Result<(), EngineError> {
        self.erasing().insert(person);
        self.vault.destroy(person).await?;
        // Whoever read the key between the mark and now forgets it.
        self.commit(Change::default().hint(Hint::Person(person))).await?;
        self.erasing().remove(&person);
        Ok(())
    }

    fn erasing(&self) -> MutexGuard<'_, BTreeSet<PersonId>> {
        self.erasing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Destroys keys that could not be destroyed when their people were erased.
    pub(crate) async fn finish_begun_erasures(&self) -> Result<(), EngineError> {
        let begun: Vec<PersonId> = self.erasing().iter().copied().collect();
        for person in begun {
            self.destroy_key(person).await?;
        }
        Ok(())
    }

    /// Destroys the keys of those who were marked as erased before a crash.
    pub(crate) async fn finish_erasures(&self) -> Result<(), EngineError> {
        let filter = UserFilter { state: Some(UserState::Erased), ..UserFilter::default() };
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_users(&filter, page).await?;
            for user in &found.items {
                self.vault.destroy(user.id.into()).await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return Ok(()),
            }
        }
    }
}
