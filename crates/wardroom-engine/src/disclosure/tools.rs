//! What somebody did with tools: accounts that they connected, calls, and consents that they asked for.

use super::{Out, Stop, text};
use crate::{Engine, EngineError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wardroom_core::{
    identity::User,
    page::{PAGE_ITEMS_MAX, PageRequest},
    store::{ApprovalFilter, CallFilter},
    tool::{arguments::SaltedArguments, call::ToolCall, shown::shown},
};
use wardroom_gateway::door::SEAL_ARGUMENTS;

impl Engine {
    pub(super) async fn user_tools(&self, user: &User, out: &Out) -> Result<(), Stop> {
        let servers = self.store.list_tool_servers().await?.into_iter();
        let names: BTreeMap<_, _> = servers.map(|server| (server.id, server.name)).collect();
        let mut rows = out.rows("tool-accounts", "Accounts at tool servers");
        for account in self.store.list_tool_accounts(user.id).await? {
            rows.add(json!({
                "server": names.get(&account.server), "given_by": account.issuer,
                "for": account.scopes, "since": account.connected_at.to_string(),
            }))
            .await?;
        }
        rows.end().await?;
        self.user_calls(user, out).await?;
        self.user_approvals(user, out).await
    }

    async fn user_calls(&self, user: &User, out: &Out) -> Result<(), Stop> {
        let mut rows = out.rows("tool-calls", "Calls of tools");
        let filter = CallFilter { user: Some(user.id), ..CallFilter::default() };
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_tool_calls(&filter, page).await?;
            for call in &found.items {
                let end = call.end.as_ref();
                rows.add(json!({
                    "id": call.id.to_string(), "server": call.server_name, "tool": call.tool,
                    "by": call.door.as_str(), "arguments": self.called_with(call).await?,
                    "at": call.begun_at.to_string(), "ended": text(end.map(|end| end.at)),
                    "outcome": end.map(|end| end.outcome.as_str()),
                }))
                .await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return rows.end().await,
            }
        }
    }

    async fn called_with(&self, call: &ToolCall) -> Result<Value, Stop> {
        let cipher = self.vault.cipher(call.user.into()).await?;
        let plain = cipher.open(SEAL_ARGUMENTS, &call.arguments).map_err(EngineError::seal)?;
        // What can't be read is told as it is.
        let kept = serde_json::from_slice::<SaltedArguments>(&plain);
        Ok(kept.ok().and_then(|kept| shown(kept.text())).unwrap_or_default())
    }

    async fn user_approvals(&self, user: &User, out: &Out) -> Result<(), Stop> {
        let mut rows = out.rows("approvals", "Consents that you asked for");
        let filter = ApprovalFilter { user: Some(user.id), ..ApprovalFilter::default() };
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        let now = self.now();
        loop {
            let found = self.store.list_approvals(&filter, now, page).await?;
            for approval in &found.items {
                rows.add(json!({
                    "id": approval.id.to_string(), "for": approval.target,
                    "with": self.approval_arguments(approval).await?.and_then(|text| shown(&text)),
                    "asked_at": approval.asked_at.to_string(), "state": approval.state(now).as_str(),
                    "reason": self.approval_reason(approval).await?,
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
