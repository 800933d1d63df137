//! People's accounts at tool servers: connected, listed, let go of.

use super::{Registry, What};
use crate::upstream::{AccountAnswer, Attempt, Failure, Problem};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::{
    UserId,
    audit::AuditDraft,
    change::{Change, Write},
    store::{StoreError, StoreResult},
    tool::{
        account::{ToolAccount, ToolAccountWrite},
        server::ToolServer,
    },
};

/// How long finding out who gives tokens may take.
const CONNECT_TIME: Duration = Duration::from_secs(25);
/// People who connect an account at the same moment.
const CONNECTING_MAX: usize = 16;

/// Who connects an account at this moment: each once, and not too many together, because others are waited for.
#[derive(Default)]
pub(super) struct Connecting(Mutex<BTreeSet<UserId>>);

/// A place among them; given back when it is dropped.
struct Place<'a>(&'a Connecting, UserId);

impl Connecting {
    fn take(&self, user: UserId) -> Result<Place<'_>, Problem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CONNECTING_MAX || !all.insert(user) {
            return Err(Problem::new(
                "others, or you yourself, are just connecting: try again in a moment",
            ));
        }
        Ok(Place(self, user))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

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
        let known = self.server(server).ok_or_else(missing)?;
        let _place = self.connecting.take(user)?;
        let slow = || Problem::new("the tool server or its authorization server takes too long");
        let begun = tokio::time::timeout(CONNECT_TIME, known.upstream.begin_account(user)).await;
        begun.map_err(|_| slow())?
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
        let _place = self.connecting.take(user)?;
        known.upstream.finish_account(attempt, answer, audit).await?;
        if known.upstream.server.created_by == user {
            // What it offers can be looked at from now on.
            self.heed(known.name(), What::Tools);
        }
        Ok(known.name().to_owned())
    }

    /// Lets go of somebody's account at a tool server; whether there was one.
    pub async fn disconnect(
        &self,
        server: &ToolServer,
        user: UserId,
        audit: AuditDraft,
    ) -> StoreResult<bool> {
        loop {
            let found = self.parts.store.lookup_tool_account(server.id, user).await?;
            let Some(account) = found else { return Ok(false) };
            let gone = ToolAccountWrite::Remove { id: account.id, version: account.version };
            let audit = audit.clone().on(&server.name);
            match self.commit(Change::recorded(audit).write(Write::ToolAccount(gone))).await {
                // It was renewed at the same moment: it goes all the same.
                Err(StoreError::Conflict(_)) => {}
                outcome => return outcome.map(|()| true),
            }
        }
    }
}
