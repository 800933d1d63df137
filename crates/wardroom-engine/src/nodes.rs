//! Enrolling machines and turning them away.

use crate::{Engine, EngineError, link::Goodbye};
use std::time::Duration;
use wardroom_core::{
    JoinTokenId, NodeId, Origin, Principal,
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    identity::{JoinToken, JoinTokenState, SecretHash},
    node::{Catalogue, Labels, Node, check_labels, check_name},
    page::PAGE_ITEMS_MAX,
    run::Event,
    store::StoreError,
};

/// The time that a join token is good for where nobody says.
pub const JOIN_TOKEN_TTL_DEFAULT: Duration = Duration::from_secs(900);
/// The longest that a join token may be good for.
pub const JOIN_TOKEN_TTL_MAX: Duration = Duration::from_secs(86_400);
/// The shortest.
pub const JOIN_TOKEN_TTL_MIN: Duration = Duration::from_secs(60);

/// A machine that asks to be enrolled and has proved that it holds its key.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The join token's id.
    pub token: JoinTokenId,
    /// Hash of the secret that came with it.
    pub secret_hash: SecretHash,
    /// The name that it wants.
    pub name: String,
    /// Its public key.
    pub public_key: [u8; 32],
}

impl Engine {
    /// Makes a join token. `audit` is the record of the request, without target.
    pub async fn create_join_token(
        &self,
        id: JoinTokenId,
        secret_hash: SecretHash,
        labels: Labels,
        ttl: Duration,
        created_by: &Principal,
        audit: AuditDraft,
    ) -> Result<JoinToken, EngineError> {
        check_labels(&labels)?;
        if !(JOIN_TOKEN_TTL_MIN..=JOIN_TOKEN_TTL_MAX).contains(&ttl) {
            let reason = "must be 60 to 86,400 seconds".to_owned();
            return Err(EngineError::Field { field: "expires_in", reason });
        }
        let now = self.now();
        let token = JoinToken {
            id,
            secret_hash,
            labels,
            created_by: created_by.to_string(),
            created_at: now,
            expires_at: now.plus(ttl),
            revoked_at: None,
            used_at: None,
            used_by: None,
        };
        let change = Change::recorded(audit.on(id).detail("expires_at", token.expires_at))
            .write(Write::AddJoinToken(token.clone()));
        self.commit(change).await?;
        Ok(token)
    }

    /// Withdraws a join token that was not used.
    pub async fn revoke_join_token(
        &self,
        id: JoinTokenId,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        self.store.lookup_join_token(id).await?.ok_or(EngineError::NotFound("join token"))?;
        let change =
            Change::recorded(audit.on(id)).write(Write::RevokeJoinToken { id, at: self.now() });
        Ok(self.commit(change).await?)
    }

    /// Enrols a machine: the token is used up and the node is there, or neither.
    /// A refusal is the door's to record.
    pub async fn enrol(&self, enrolment: Enrolment, origin: &Origin) -> Result<Node, EngineError> {
        check_name(&enrolment.name)
            .map_err(|error| EngineError::Field { field: "name", reason: error.to_string() })?;
        let now = self.now();
        let token = self
            .store
            .lookup_join_token(enrolment.token)
            .await?
            // SECURITY: both are hashes of 256 random bits; comparing them leaks nothing useful.
            .filter(|token| token.secret_hash == enrolment.secret_hash)
            .ok_or(EngineError::JoinToken("it is not known"))?;
        match token.state(now) {
            JoinTokenState::Open => {}
            JoinTokenState::Used => return Err(EngineError::JoinToken("it was used already")),
            JoinTokenState::Revoked => return Err(EngineError::JoinToken("it was revoked")),
            JoinTokenState::Expired => return Err(EngineError::JoinToken("it has expired")),
        }
        let node = Node {
            id: NodeId::new(now, &*self.rng),
            version: 1,
            name: enrolment.name.clone(),
            public_key: enrolment.public_key,
            labels: token.labels.clone(),
            disabled: false,
            enrolled_at: now,
            seen_at: None,
            connected: false,
            report: None,
            catalogue: Catalogue::default(),
        };
        let audit = AuditDraft::event("node.enrol", &Principal::Node(node.id), origin, now)
            .on(node.id)
            .detail("token", token.id)
            .detail("name", &node.name);
        let change = Change::recorded(audit)
            .write(Write::AddNode(node.clone()))
            .write(Write::UseJoinToken { id: token.id, by: node.id, at: now })
            .hint(Hint::Node(node.id));
        match self.commit(change).await {
            Ok(()) => Ok(node),
            // Two machines raced for one token: exactly one of them got it.
            Err(StoreError::Conflict(_)) => Err(EngineError::JoinToken("it was used already")),
            Err(StoreError::Duplicate(_)) => Err(EngineError::NameTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Turns a node away, or lets it in again. Takes effect on the open link at once.
    pub async fn set_node_disabled(
        &self,
        id: NodeId,
        disabled: bool,
        audit: AuditDraft,
    ) -> Result<Node, EngineError> {
        let mut node = self.store.lookup_node(id).await?.ok_or(EngineError::NotFound("node"))?;
        if node.disabled == disabled {
            return Ok(node);
        }
        node.disabled = disabled;
        node.version += 1;
        let mut change = Change::recorded(audit.on(id))
            .write(Write::UpdateNode(node.clone()))
            .hint(Hint::Node(id));
        if disabled {
            change.hints.push(Hint::Sever(id));
        }
        self.commit_update(change).await?;
        if disabled {
            self.sever(id, Goodbye::Disabled);
        }
        Ok(node)
    }

    /// Gives a node other labels. `version` is the one that the caller has seen.
    pub async fn set_node_labels(
        &self,
        id: NodeId,
        version: i64,
        labels: Labels,
        audit: AuditDraft,
    ) -> Result<Node, EngineError> {
        check_labels(&labels)?;
        let mut node = self.store.lookup_node(id).await?.ok_or(EngineError::NotFound("node"))?;
        if node.version != version {
            return Err(EngineError::Conflict);
        }
        node.labels = labels;
        node.version += 1;
        let change = Change::recorded(audit.on(id))
            .write(Write::UpdateNode(node.clone()))
            .hint(Hint::Node(id));
        self.commit_update(change).await?;
        Ok(node)
    }

    /// Forgets a node. Its link closes at once, runs that it holds or that wait for it end.
    pub async fn remove_node(&self, id: NodeId, audit: AuditDraft) -> Result<(), EngineError> {
        self.store.lookup_node(id).await?.ok_or(EngineError::NotFound("node"))?;
        let change = Change::recorded(audit.on(id))
            .write(Write::RemoveNode(id))
            .hint(Hint::Node(id))
            .hint(Hint::Sever(id));
        self.commit_update(change).await?;
        self.sever(id, Goodbye::Removed);
        self.end_orphaned().await
    }

    /// Ends what removed nodes leave behind. A crash in between is made good by the ticker.
    pub(crate) async fn end_orphaned(&self) -> Result<(), EngineError> {
        loop {
            let orphaned = self.store.list_orphaned(PAGE_ITEMS_MAX).await?;
            if orphaned.is_empty() {
                return Ok(());
            }
            for run in orphaned {
                let event = Event::NodeGone;
                match self.happen(run.id, &event, self.own_record(event.as_str())).await {
                    Ok((run, effects)) => self.follow(&run, &effects).await?,
                    Err(EngineError::RunState(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn commit_update(&self, change: Change) -> Result<(), EngineError> {
        match self.commit(change).await {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
            Err(StoreError::Duplicate(_)) => Err(EngineError::NameTaken),
            Err(error) => Err(error.into()),
        }
    }
}
