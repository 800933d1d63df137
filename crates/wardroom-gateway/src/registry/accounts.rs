//! People's accounts at tool servers: connected, listed, let go of.

use super::{KeepError, Registry, What};
use crate::upstream::{AccountAnswer, Attempt, Failure, Problem};
use wardroom_core::{
    UserId,
    audit::AuditDraft,
    change::{Change, Write},
    store::StoreResult,
    tool::{
        account::{ToolAccount, ToolAccountWrite},
        server::ToolServer,
    },
};

impl Registry {
    /// Every enabled tool server at which people connect their accounts, with somebody's own.
    pub async fn accounts(
        &self,
        user: UserId,
    ) -> StoreResult<Vec<(ToolServer, Option<ToolAccount>)>> {
        let connected = self.parts.store.list_tool_accounts(user).await?;
        let servers = self.servers().into_iter().map(|known| known.upstream.server.clone());
        let wanting = servers.filter(|server| server.shown.is_each_callers());
        let with_own = wanting.map(|server| {
            let own = connected.iter().find(|account| account.server == server.id);
            (server, own.cloned())
        });
        Ok(with_own.collect())
    }

    /// Where somebody goes to connect their account at a tool server.
    pub async fn begin_account(&self, server: &str, user: UserId) -> Result<String, Problem> {
        let missing = || Problem::new("the tool server is not there, or is disabled");
        self.server(server).ok_or_else(missing)?.upstream.begin_account(user).await
    }

    /// Takes what an authorization server answered, and keeps the account. Gives the tool server's name.
    pub async fn finish_account(
        &self,
        user: UserId,
        answer: AccountAnswer,
        audit: AuditDraft,
    ) -> Result<String, Failure> {
        let now = self.parts.clock.now();
        let attempt = Attempt::open(&self.parts.sealer, &answer.state, user, now)?;
        let id = attempt.server();
        let known = self.servers().into_iter().find(|known| known.upstream.server.id == id);
        let missing = || Problem::new("the tool server is not there any more, or is disabled");
        let known = known.ok_or_else(missing)?;
        known.upstream.finish_account(attempt, answer, audit).await?;
        if known.upstream.server.created_by == user {
            // What it offers can be looked at from now on.
            self.heed(known.name(), What::Tools);
        }
        Ok(known.name().to_owned())
    }

    /// Lets go of somebody's account at a tool server.
    pub async fn disconnect(
        &self,
        server: &ToolServer,
        user: UserId,
        audit: AuditDraft,
    ) -> Result<(), KeepError> {
        let found = self.parts.store.lookup_tool_account(server.id, user).await?;
        let account = found.ok_or(KeepError::Conflict)?;
        let gone = ToolAccountWrite::Remove { id: account.id, version: account.version };
        let change = Change::recorded(audit.on(&server.name)).write(Write::ToolAccount(gone));
        Ok(self.commit(change).await?)
    }
}
