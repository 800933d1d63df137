//! Programs of others, and what accounts grant them.

use super::sessions::beyond;
use crate::{Engine, EngineError};
use wardroom_core::{
    OauthClientId,
    audit::AuditDraft,
    change::{Change, Write},
    identity::{SecretHash, Session, SessionAbout, User},
    oauth::{
        ALONE_MAX, CLIENTS_MAX, DOCUMENTS_MAX, DOCUMENTS_OF_ONE_MAX, GRANTS_MAX, Grant,
        OauthClient, OauthCode,
    },
    store::StoreError,
};

impl Engine {
    /// Registers a program of others.
    pub async fn add_oauth_client(
        &self,
        client: OauthClient,
        audit: AuditDraft,
    ) -> Result<OauthClient, EngineError> {
        client.check()?;
        if self.store.list_oauth_clients().await?.len() >= CLIENTS_MAX {
            let said = format!("there are {CLIENTS_MAX} programs already: forget one first");
            return Err(EngineError::LimitReached(said));
        }
        let mut audit = audit.on(client.id).detail("name", &client.name);
        audit = audit.detail("scopes", client.scopes.join(" "));
        if let Some(user) = client.acts_as {
            audit = audit.detail("acts_as", user);
        }
        self.commit(Change::recorded(audit).write(Write::AddOauthClient(client.clone()))).await?;
        Ok(client)
    }

    /// Gives a program of others another secret; what it was granted before goes on.
    pub async fn renew_oauth_client(
        &self,
        id: OauthClientId,
        secret_hash: SecretHash,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let renew = Write::RenewOauthClient { id, secret_hash };
        self.change_client(Change::recorded(audit.on(id)).write(renew)).await
    }

    /// Forgets a program of others, with all that it was granted.
    pub async fn remove_oauth_client(
        &self,
        id: OauthClientId,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let remove = Write::RemoveOauthClient(id);
        self.change_client(Change::recorded(audit.on(id)).write(remove)).await
    }

    async fn change_client(&self, change: Change) -> Result<(), EngineError> {
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::NotFound("client")),
            other => Ok(other?),
        }
    }

    /// Keeps a code by which a program comes by a grant, and what the program says of itself where nobody registered it.
    pub async fn add_oauth_code(
        &self,
        code: OauthCode,
        client: &OauthClient,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let audit = granted(audit.on(code.user), &code.grant);
        let Some(document) = &client.document else {
            return Ok(self
                .commit(Change::recorded(audit).write(Write::AddOauthCode(code)))
                .await?);
        };
        let audit = audit.detail("document", document).detail("name", &client.name);
        let mut change = Change::recorded(audit);
        match self.store.lookup_oauth_client_by_document(document).await? {
            // Somebody else granted it something for the first time in this moment.
            Some(known) if known.id != client.id => return Err(EngineError::Conflict),
            Some(known) if known.is_kept_as(client) => {}
            Some(_) => change.writes.push(Write::PutDocumentClient(client.clone())),
            None => {
                self.check_room_for_document(client).await?;
                change.writes.push(Write::PutDocumentClient(client.clone()));
            }
        }
        match self.commit(change.write(Write::AddOauthCode(code))).await {
            // The same.
            Err(StoreError::Duplicate(_)) => Err(EngineError::Conflict),
            other => Ok(other?),
        }
    }

    async fn check_room_for_document(&self, client: &OauthClient) -> Result<(), EngineError> {
        let clients = self.store.list_oauth_clients().await?;
        let documents = || clients.iter().filter(|other| other.document.is_some());
        let all = documents().count();
        let own = documents().filter(|other| other.created_by == client.created_by).count();
        let why = if own >= DOCUMENTS_OF_ONE_MAX {
            format!(
                "you were the first to grant something to {own} programs that nobody registered"
            )
        } else if all >= DOCUMENTS_MAX {
            format!("{all} programs that nobody registered are known")
        } else if clients.len() >= CLIENTS_MAX {
            format!("{CLIENTS_MAX} programs are known")
        } else {
            return Ok(());
        };
        let said = format!("{why} already: an administrator has to forget one first");
        Err(EngineError::LimitReached(said))
    }

    /// Opens a program's session for what `user` granted it, by a code or because it acts as that account. The oldest
    /// of these sessions ends where there would be too many. Fails where the code is not good any more.
    pub async fn open_grant(
        &self,
        user: &User,
        mut session: Session,
        grant: Grant,
        about: &SessionAbout,
        code: Option<SecretHash>,
        audit: AuditDraft,
    ) -> Result<Session, EngineError> {
        session.grant = Some(grant.clone());
        session.about = self.seal_about(user, about).await?;
        let mut open = self.store.list_sessions(user.id, self.now()).await?;
        open.retain(|other| other.grant.as_ref().is_some_and(|its| its.client == grant.client));
        let audit = granted(audit.on(user.id).detail("session", session.id), &grant);
        let mut change = Change::recorded(audit)
            .write(Write::RequireGrantable { client: grant.client, user: user.id })
            .write(Write::AddSession(session.clone()));
        if let Some(code) = code {
            let redeem = Write::RedeemOauthCode { code, session: session.id, at: self.now() };
            change.writes.push(redeem);
        }
        let most = if code.is_some() { GRANTS_MAX } else { ALONE_MAX };
        change.writes.extend(beyond(&open, most));
        let done = match self.commit(change.clone()).await {
            // One of those that were to end did so by itself in this moment; or the code was used, which the
            // second try finds as well.
            Err(StoreError::Conflict(_)) if !open.is_empty() => {
                change.writes.retain(|write| !matches!(write, Write::RemoveSession(_)));
                self.commit(change).await
            }
            other => other,
        };
        match done {
            Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
            other => other.map(|()| session).map_err(Into::into),
        }
    }
}

fn granted(audit: AuditDraft, grant: &Grant) -> AuditDraft {
    let audit = audit.detail("client", grant.client).detail("scopes", grant.scopes.join(" "));
    audit.detail("resource", &grant.resource)
}
