//! Filters that people keep.

use crate::{Engine, EngineError};
use wardroom_core::{
    SavedViewId, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    desk::{SAVED_QUERY_BYTES_MAX, SAVED_VIEWS_MAX, SavedView},
    field::FieldError,
};

impl Engine {
    /// Keeps filters under a name, in place of what had it before.
    pub async fn save_view(
        &self,
        user: UserId,
        list: &str,
        name: &str,
        query: &str,
        audit: AuditDraft,
    ) -> Result<SavedView, EngineError> {
        let name = name.trim();
        if !["customers", "requests"].contains(&list) {
            return Err(FieldError::new("list", "must be customers or requests").into());
        }
        if !(1..=64).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(FieldError::new("name", "must be 1 to 64 characters").into());
        }
        let sound =
            query.len() <= SAVED_QUERY_BYTES_MAX && query.bytes().all(|b| b.is_ascii_graphic());
        if !sound || query.starts_with('?') {
            let reason = "must be a query string of at most 1000 bytes, without ?";
            return Err(FieldError::new("query", reason).into());
        }
        let views = self.store.list_views(user, None).await?;
        let same = views.iter().find(|view| view.list == list && view.name == name);
        if same.is_none() && views.len() >= SAVED_VIEWS_MAX {
            return Err(EngineError::LimitReached(format!(
                "an account keeps at most {SAVED_VIEWS_MAX} views: remove one first"
            )));
        }
        let view = SavedView {
            id: same.map_or_else(|| SavedViewId::new(self.now(), &*self.rng), |view| view.id),
            user,
            list: list.to_owned(),
            name: name.to_owned(),
            query: query.to_owned(),
            created_at: self.now(),
        };
        let audit = audit.on(view.id).detail("list", list);
        self.commit(Change::recorded(audit).write(Write::PutView(view.clone()))).await?;
        Ok(view)
    }

    /// Forgets a view of this account.
    pub async fn remove_view(
        &self,
        user: UserId,
        id: SavedViewId,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let found = self.store.lookup_view(id).await?;
        if found.is_none_or(|view| view.user != user) {
            return Err(EngineError::NotFound("view"));
        }
        Ok(self.commit(Change::recorded(audit.on(id)).write(Write::RemoveView(id))).await?)
    }
}
