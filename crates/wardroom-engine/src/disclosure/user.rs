//! Everything that is known of the person behind an account.

use super::{Out, Piece, Stop, plain, settle, text};
use crate::Engine;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use wardroom_core::{
    identity::User,
    page::{PAGE_ITEMS_MAX, PageRequest},
    store::{AuditFilter, RequestFilter, RunFilter},
};

impl Engine {
    /// Gives everything that is known of the person behind `user`, piece by piece.
    pub async fn disclose_user(self: Arc<Self>, user: User, to: Sender<Piece>) {
        let out = Out(to);
        let outcome = self.user_parts(&user, &out).await;
        settle(&out, outcome).await;
    }

    async fn user_parts(&self, user: &User, out: &Out) -> Result<(), Stop> {
        let profile = self.profile(user).await?;
        let mut account = out.rows("account", "Your account");
        account
            .add(json!({
                "id": user.id.to_string(), "name": profile.name, "display_name": profile.display_name,
                "email": profile.email, "role": user.role.as_str(), "groups": user.groups,
                "customer": user.customer.map(|id| id.to_string()), "state": user.state.as_str(),
                "second_factor": user.second_factor, "created_at": user.created_at.to_string(),
                "password_changed_at": user.password_changed_at.to_string(),
            }))
            .await?;
        account.end().await?;
        let mut sessions = out.rows("sessions", "Open sessions");
        for session in self.store.list_sessions(user.id, self.now()).await? {
            let about = self.session_about(&session).await?;
            sessions
                .add(json!({
                    "id": session.id.to_string(), "kind": session.kind.as_str(), "from": about.address,
                    "with": about.user_agent, "since": session.created_at.to_string(),
                    "client": session.grant.as_ref().map(|grant| grant.client.to_string()),
                    "granted": session.grant.map(|grant| grant.scopes.join(" ")),
                    "last_used": session.seen_at.to_string(), "ends": session.expires_at.to_string(),
                }))
                .await?;
        }
        sessions.end().await?;
        self.user_proofs(user, out).await?;
        let mut views = out.rows("views", "Saved views");
        for view in self.store.list_views(user.id, None).await? {
            views.add(json!({"list": view.list, "name": view.name, "filters": view.query})).await?;
        }
        views.end().await?;
        self.user_orders(user, out).await?;
        self.user_tools(user, out).await?;
        self.user_threads(user, out).await?;
        self.user_memories(user, out).await?;
        let runs = RunFilter { submitted_by: Some(user.id), ..RunFilter::default() };
        let mut rows = out.rows("runs", "Runs");
        self.disclose_runs(&mut rows, None, runs).await?;
        rows.end().await?;
        let (id, person) = (user.id.to_string(), user.id.into());
        let acts = AuditFilter { actor: Some(id.clone()), ..AuditFilter::default() };
        self.disclose_audit(out, ("acts", "What you did"), acts, person).await?;
        let about = AuditFilter { target: Some(id), ..AuditFilter::default() };
        self.disclose_audit(out, ("records", "What was done about you"), about, person).await
    }

    /// What proves who they are, without what makes it a proof.
    async fn user_proofs(&self, user: &User, out: &Out) -> Result<(), Stop> {
        let mut factors = out.rows("second-factors", "Second factors");
        for factor in self.store.list_factors(user.id).await? {
            factors
                .add(json!({
                    "id": factor.id.to_string(), "kind": factor.kind.as_str(),
                    "since": factor.created_at.to_string(), "last_used": text(factor.used_at),
                }))
                .await?;
        }
        factors.end().await?;
        let mut tokens = out.rows("api-tokens", "API tokens");
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_api_tokens(user.id, page).await?;
            for token in &found.items {
                tokens
                    .add(json!({
                        "id": token.id.to_string(), "name": token.name, "scopes": token.scopes,
                        "since": token.created_at.to_string(), "ends": token.expires_at.to_string(),
                        "last_used": text(token.used_at),
                    }))
                    .await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return tokens.end().await,
            }
        }
    }

    /// What agents remember of them.
    async fn user_memories(&self, user: &User, out: &Out) -> Result<(), Stop> {
        let mut rows = out.rows("memories", "What agents remember of you");
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.list_memories(user.id, None, page).await?;
            for (memory, remembered) in found.items {
                rows.add(json!({
                    "agent": memory.agent, "namespace": memory.namespace, "key": remembered.key, "text": remembered.text,
                    "written": memory.written_at.to_string(), "forgotten": memory.expires_at.to_string(),
                }))
                .await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return rows.end().await,
            }
        }
    }

    /// Their conversations with agents; what was said stands with the runs.
    async fn user_threads(&self, user: &User, out: &Out) -> Result<(), Stop> {
        let mut rows = out.rows("conversations", "Conversations with agents");
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_threads(user.id, None, page).await?;
            for thread in &found.items {
                let (mut runs, mut turns) = (vec![], PageRequest::new(None, PAGE_ITEMS_MAX));
                loop {
                    let part = self.store.list_turns(thread.id, turns).await?;
                    runs.extend(part.items.iter().map(|turn| turn.run.to_string()));
                    match part.next {
                        Some(after) => turns.after = Some(after),
                        None => break,
                    }
                }
                runs.reverse();
                rows.add(json!({
                    "id": thread.id.to_string(), "agent": thread.agent, "title": self.thread_title(thread).await?,
                    "runs": runs, "since": thread.created_at.to_string(), "last_used": thread.updated_at.to_string(),
                }))
                .await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return rows.end().await,
            }
        }
    }

    /// What they ordered.
    async fn user_orders(&self, user: &User, out: &Out) -> Result<(), Stop> {
        let mut rows = out.rows("requests", "Requests that you made");
        let filter = RequestFilter { requested_by: Some(user.id), ..RequestFilter::default() };
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_requests(&filter, page).await?;
            for request in &found.items {
                // What somebody filled in for a customer is the customer's.
                let values = match user.customer == Some(request.customer) {
                    true => Some(plain(&self.order_of(request).await?.values)),
                    false => None,
                };
                rows.add(json!({
                    "id": request.id.to_string(), "service": request.service.to_string(),
                    "filled_in": values, "state": request.state.as_str(),
                    "made_at": request.created_at.to_string(), "closed_at": text(request.closed_at),
                }))
                .await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return rows.end().await,
            }
        }
    }
}
