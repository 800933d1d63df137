//! People's accounts at a tool server: their tokens, sealed under their keys, and renewed when they end.

use super::{OwnClient, Problem, Token};
use crate::upstream::{Failure, Upstream};
use serde::{Deserialize, Serialize};
use wardroom_core::{
    Origin, Principal, UserId,
    audit::{AuditDraft, AuditOutcome},
    change::{Change, Write},
    store::StoreError,
    tool::{
        account::{ToolAccount, ToolAccountWrite},
        server::{OauthParty, Shown, Way},
    },
};
use wardroom_trust::vault::VaultError;

/// What tokens are sealed for.
pub const SEAL_TOKENS: &str = "tool_account.tokens";

/// What is kept of an account.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) token: Token,
    pub(super) client: OwnClient,
    /// Whether people told the client, or the gateway introduced itself.
    pub(super) told: bool,
    /// Where tokens are renewed.
    pub(super) endpoint: String,
    /// For what they are asked.
    pub(super) resource: String,
    /// Where the tool server was when the account was connected.
    pub(super) url: String,
}

impl Upstream {
    /// Somebody's token, and what tells it from everybody else's.
    pub(super) async fn person_token(&self, user: UserId) -> Result<(String, String), Failure> {
        let (account, kept) = self.account(user).await?;
        if kept.token.is_fresh(self.parts.clock.now()) {
            return Ok((kept.token.access, account.id.to_string()));
        }
        let token = self.renew_account(user, &kept.token.access).await?;
        Ok((token.access, account.id.to_string()))
    }

    /// Fails where somebody has not connected their account here, and it is wanted.
    pub async fn require_account(&self, user: UserId) -> Result<(), Failure> {
        match self.server.shown.is_each_callers() {
            true => self.account(user).await.map(drop),
            false => Ok(()),
        }
    }

    async fn account(&self, user: UserId) -> Result<(ToolAccount, Kept), Failure> {
        let found = self.parts.store.lookup_tool_account(self.server.id, user).await;
        let missing = || self.no_account("you have not connected your account at this tool server");
        let account = found.map_err(internal)?.ok_or_else(missing)?;
        let cipher = match self.parts.vault.cipher(user.into()).await {
            Ok(cipher) => cipher,
            Err(VaultError::Erased) => return Err(missing()),
            Err(error) => return Err(internal(error)),
        };
        let plain = cipher.open(SEAL_TOKENS, &account.sealed).map_err(internal)?;
        let kept: Kept = serde_json::from_slice(&plain).map_err(internal)?;
        // SECURITY: tokens go nowhere but where their holder sent them, whoever changes the server since.
        if !self.is_still(&kept.url, kept.told, &account.issuer, &kept.client) {
            return Err(self.no_account(
                "the tool server was changed since you connected your account: connect it anew",
            ));
        }
        Ok((account, kept))
    }

    /// Whether the server still is the one for which somebody was sent to this issuer as this client.
    pub(super) fn is_still(&self, url: &str, told: bool, issuer: &str, client: &OwnClient) -> bool {
        let (Way::Http { url: now, .. }, Shown::Account { client: party, .. }) =
            (&self.server.way, &self.server.shown)
        else {
            return false;
        };
        let same = |party: &OauthParty| {
            party.issuer.trim_end_matches('/') == issuer.trim_end_matches('/')
                && party.id == client.id
        };
        now == url && told == party.is_some() && party.as_ref().is_none_or(same)
    }

    /// Renews somebody's token, unless that happened since `used` was read.
    pub(super) async fn renew_account(&self, user: UserId, used: &str) -> Result<Token, Failure> {
        let turn = self.authorization.turn(user);
        let _one_at_a_time = turn.lock().await;
        let (account, mut kept) = self.account(user).await?;
        if kept.token.access != used {
            return Ok(kept.token);
        }
        let Some(refresh) = kept.token.refresh.clone() else {
            return Err(self.lose(&account, "its token ended, and none renews it").await);
        };
        let mut client = kept.client.clone();
        if let Some(name) = self.named_secret() {
            client.secret = Some(self.secret(name).await?);
        }
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
            ("resource", kept.resource.as_str()),
        ];
        let now = self.parts.clock.now();
        let renewed = client.ask(&self.outbound, &kept.endpoint, &form, now).await;
        let mut token = match renewed {
            Ok(token) => token,
            Err(Problem { lost: true, why }) => return Err(self.lose(&account, &why).await),
            Err(problem) => return Err(problem.into()),
        };
        token.refresh = token.refresh.or(Some(refresh));
        if token.scopes.is_empty() {
            token.scopes.clone_from(&kept.token.scopes);
        }
        kept.token = token.clone();
        let renewed = ToolAccount {
            scopes: token.scopes.clone(),
            sealed: self.seal(user, &kept).await?,
            version: account.version + 1,
            ..account
        };
        let write = Write::ToolAccount(ToolAccountWrite::Renew(Box::new(renewed)));
        match self.parts.ledger.commit(Change::default().write(write)).await {
            // Renewed elsewhere at the same moment, or disconnected: what is there now counts.
            Err(StoreError::Conflict(_)) => Ok(self.account(user).await?.1.token),
            outcome => outcome.map(|()| token).map_err(internal),
        }
    }

    /// The secret by which the gateway proves who it is, where people named one.
    pub(super) fn named_secret(&self) -> Option<&str> {
        match &self.server.shown {
            Shown::Account { client: Some(client), .. } => client.secret.as_deref(),
            _ => None,
        }
    }

    pub(super) async fn seal(&self, user: UserId, kept: &Kept) -> Result<Vec<u8>, Failure> {
        let cipher = self.parts.vault.cipher(user.into()).await.map_err(internal)?;
        let plain = serde_json::to_vec(kept).map_err(internal)?;
        cipher.seal(SEAL_TOKENS, &plain, &*self.parts.rng).map_err(internal)
    }

    /// An account whose token nobody renews any more is forgotten: its holder connects it anew.
    async fn lose(&self, account: &ToolAccount, why: &str) -> Failure {
        let now = self.parts.clock.now();
        let event = "tool_account.lost";
        let audit = AuditDraft::event(event, &Principal::System, &Origin::INTERNAL, now)
            .on(&self.server.name)
            .detail("user", account.user)
            .outcome(AuditOutcome::Failed, why);
        let gone = ToolAccountWrite::Remove { id: account.id, version: account.version };
        let change = Change::recorded(audit).write(Write::ToolAccount(gone));
        if let Err(error) = self.parts.ledger.commit(change).await {
            tracing::debug!(%error, "an account that is lost was not forgotten");
        }
        self.no_account("your account at this tool server is not connected any more")
    }
}

pub(super) fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(error.to_string())
}
