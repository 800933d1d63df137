//! The storage port of approvals.

use super::StoreResult;
use crate::{
    ApprovalId, RunId, Timestamp, UserId,
    approval::{Approval, ApprovalState},
    page::{Page, PageRequest},
    person::BlindIndex,
};
use async_trait::async_trait;
use uuid::Uuid;

/// Which approvals are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// That stand there.
    pub state: Option<ApprovalState>,
    /// That were asked for in this account's name.
    pub user: Option<UserId>,
}

/// Reads approvals.
#[async_trait]
pub trait Approvals: Send + Sync {
    /// An approval.
    async fn lookup_approval(&self, id: ApprovalId) -> StoreResult<Option<Approval>>;
    /// An approval of exactly this that was not used and whose time is not over: one that was decided, or else the newest.
    async fn lookup_open_approval(
        &self,
        binding: BlindIndex,
        now: Timestamp,
    ) -> StoreResult<Option<Approval>>;
    /// The approval that a run waits or waited for.
    async fn lookup_approval_of(&self, run: RunId) -> StoreResult<Option<Approval>>;
    /// The approval that was used for a call or run.
    async fn lookup_approval_used(&self, by: Uuid) -> StoreResult<Option<Approval>>;
    /// Approvals, newest first.
    async fn list_approvals(
        &self,
        filter: &ApprovalFilter,
        now: Timestamp,
        page: PageRequest<ApprovalId>,
    ) -> StoreResult<Page<Approval, ApprovalId>>;
    /// How many wait for a decision: of this account, or all.
    async fn count_waiting_approvals(
        &self,
        user: Option<UserId>,
        now: Timestamp,
    ) -> StoreResult<u32>;
    /// Approvals whose time is over while their run still waits for them; at most `limit`.
    async fn list_overdue_approvals(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Approval>>;
}
