//! The storage port of the ledger of models.

use super::StoreResult;
use crate::{
    BudgetId, ModelCallId, RunId, Timestamp, UserId,
    model::{Budget, BudgetUse, ModelCall, Spent, SpentFilter},
    page::{Page, PageRequest},
};
use async_trait::async_trait;

/// Which questions are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelCallFilter {
    /// Of this account.
    pub user: Option<UserId>,
    /// Of this run.
    pub run: Option<RunId>,
    /// To this provider.
    pub provider: Option<String>,
}

/// Reads the ledger of models.
#[async_trait]
pub trait ModelLedger: Send + Sync {
    /// A question.
    async fn lookup_model_call(&self, id: ModelCallId) -> StoreResult<Option<ModelCall>>;
    /// Questions, newest first.
    async fn list_model_calls(
        &self,
        filter: &ModelCallFilter,
        page: PageRequest<ModelCallId>,
    ) -> StoreResult<Page<ModelCall, ModelCallId>>;
    /// Questions that began before `before` and have no end; at most `limit`.
    async fn list_open_model_calls(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<ModelCall>>;
    /// How much models were used: groups of questions, those that cost the most first.
    async fn model_spent(&self, filter: SpentFilter) -> StoreResult<Vec<Spent>>;
    /// A budget.
    async fn lookup_budget(&self, id: BudgetId) -> StoreResult<Option<Budget>>;
    /// Every budget, oldest first: at most [`crate::model::BUDGETS_MAX`].
    async fn list_budgets(&self) -> StoreResult<Vec<Budget>>;
    /// What is used of a budget in the period that `period` began, of those of whom nobody was told; at most `limit`.
    async fn list_untold_budget_use(
        &self,
        budget: BudgetId,
        period: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<BudgetUse>>;
    /// What is used of a budget in the period that `period` began, those with the most first; at most `limit`.
    async fn list_budget_use(
        &self,
        budget: BudgetId,
        period: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<BudgetUse>>;
}
