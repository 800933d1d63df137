//! The storage port of programs of others.

use super::StoreResult;
use crate::{
    OauthClientId,
    identity::SecretHash,
    oauth::{OauthClient, OauthCode},
};
use async_trait::async_trait;

/// Reads programs of others and the codes by which they come by grants.
#[async_trait]
pub trait Oauth: Send + Sync {
    /// Every program of others, newest first.
    async fn list_oauth_clients(&self) -> StoreResult<Vec<OauthClient>>;
    /// A program of others by its id.
    async fn lookup_oauth_client(&self, id: OauthClientId) -> StoreResult<Option<OauthClient>>;
    /// A program of others by the address of its document.
    async fn lookup_oauth_client_by_document(
        &self,
        document: &str,
    ) -> StoreResult<Option<OauthClient>>;
    /// A code by its hash. Ended ones are found until they are forgotten.
    async fn lookup_oauth_code(&self, hash: SecretHash) -> StoreResult<Option<OauthCode>>;
}
