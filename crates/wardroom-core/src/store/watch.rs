//! The storage port of what is watched.

use super::StoreResult;
use crate::{
    AlertId, Timestamp,
    page::{Page, PageRequest},
    watch::{alert::Alert, fault::Fault, message::Message},
};
use async_trait::async_trait;

/// Reads alerts, faults and messages to the outside.
#[async_trait]
pub trait Watch: Send + Sync {
    /// How far a reader of the audit log has come.
    async fn cursor(&self, name: &str) -> StoreResult<u64>;
    /// An alert.
    async fn lookup_alert(&self, id: AlertId) -> StoreResult<Option<Alert>>;
    /// The open alert of a rule about a subject.
    async fn lookup_open_alert(&self, rule: &str, subject: &str) -> StoreResult<Option<Alert>>;
    /// Alerts, newest first.
    async fn list_alerts(
        &self,
        open: bool,
        page: PageRequest<AlertId>,
    ) -> StoreResult<Page<Alert, AlertId>>;
    /// How many alerts are open.
    async fn count_open_alerts(&self) -> StoreResult<u64>;
    /// Messages that are to be tried at `now`, oldest first.
    async fn list_due_messages(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<Message>>;
    /// How many messages wait, and how many were given up.
    async fn count_messages(&self) -> StoreResult<(u64, u64)>;
    /// Faults, those seen last first; at most `limit`.
    async fn list_faults(&self, open: bool, limit: u32) -> StoreResult<Vec<Fault>>;
    /// A fault.
    async fn lookup_fault(&self, fingerprint: &str) -> StoreResult<Option<Fault>>;
}
