//! Budgets: made, changed, removed, and told of when they near their end.

use crate::{Engine, EngineError};
use wardroom_core::{
    ApiTokenId, BudgetId, CustomerId, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    model::{BUDGETS_MAX, Budget, BudgetPeriod, BudgetScope, BudgetUse, ModelWrite},
    store::StoreError,
    watch::alert::{Rule, Sighting},
};

/// Those who are looked at in one go.
const TOLD_OF_MAX: u32 = 1000;

/// What of a budget can be changed.
#[derive(Debug, Clone)]
pub struct BudgetBounds {
    /// What it is for.
    pub about: String,
    /// The most tokens.
    pub tokens_max: Option<u64>,
    /// The most money, in millionths of a US dollar.
    pub cost_micros_max: Option<u64>,
    /// At which part of it somebody is told, in percent.
    pub alert_percent: Option<u32>,
}

fn described(audit: AuditDraft, budget: &Budget) -> AuditDraft {
    let none = || "-".to_owned();
    audit
        .on(budget.id)
        .detail("scope", budget.scope.as_str())
        .detail("subject", budget.subject.clone().unwrap_or_else(none))
        .detail("period", budget.period.as_str())
        .detail("tokens_max", budget.tokens_max.map_or_else(none, |most| most.to_string()))
        .detail(
            "cost_micros_max",
            budget.cost_micros_max.map_or_else(none, |most| most.to_string()),
        )
}

impl Engine {
    /// Makes a budget: whose questions it counts, who exactly, and how long it is for.
    pub async fn add_budget(
        &self,
        (scope, subject, period): (BudgetScope, Option<String>, BudgetPeriod),
        bounds: BudgetBounds,
        by: UserId,
        audit: AuditDraft,
    ) -> Result<Budget, EngineError> {
        let now = self.now();
        let BudgetBounds { about, tokens_max, cost_micros_max, alert_percent } = bounds;
        let budget = Budget {
            id: BudgetId::new(now, &*self.rng),
            about: about.trim().to_owned(),
            scope,
            subject,
            period,
            tokens_max,
            cost_micros_max,
            alert_percent,
            version: 1,
            created_by: by,
            created_at: now,
        };
        budget.check().map_err(EngineError::Fields)?;
        self.check_subject(&budget)?;
        let change = Change::recorded(described(audit, &budget))
            .write(Write::Model(ModelWrite::AddBudget(budget.clone().into())));
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::LimitReached(format!(
                "there are {BUDGETS_MAX} budgets already: remove one first"
            ))),
            other => Ok(other.map(|()| budget)?),
        }
    }

    /// Refuses a budget that would count nobody.
    fn check_subject(&self, budget: &Budget) -> Result<(), EngineError> {
        let Some(subject) = &budget.subject else { return Ok(()) };
        let reason = match budget.scope {
            BudgetScope::User if subject.parse::<UserId>().is_err() => {
                "must be the id of an account"
            }
            BudgetScope::Customer if subject.parse::<CustomerId>().is_err() => {
                "must be the id of a customer"
            }
            BudgetScope::Token if subject.parse::<ApiTokenId>().is_err() => {
                "must be the id of an API token"
            }
            BudgetScope::Provider if self.models.get(subject).is_none() => {
                "must be the name of a provider"
            }
            _ => return Ok(()),
        };
        Err(EngineError::Field { field: "subject", reason: reason.to_owned() })
    }

    /// Changes a budget.
    pub async fn update_budget(
        &self,
        budget: Budget,
        bounds: BudgetBounds,
        audit: AuditDraft,
    ) -> Result<Budget, EngineError> {
        let BudgetBounds { about, tokens_max, cost_micros_max, alert_percent } = bounds;
        let changed = Budget {
            about: about.trim().to_owned(),
            tokens_max,
            cost_micros_max,
            alert_percent,
            version: budget.version + 1,
            ..budget
        };
        changed.check().map_err(EngineError::Fields)?;
        let change = Change::recorded(described(audit, &changed))
            .write(Write::Model(ModelWrite::UpdateBudget(changed.clone().into())));
        self.commit_guarded(change).await.map(|()| changed)
    }

    /// Removes a budget.
    pub async fn remove_budget(
        &self,
        budget: &Budget,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let (id, version) = (budget.id, budget.version);
        let change = Change::recorded(described(audit, budget))
            .write(Write::Model(ModelWrite::RemoveBudget { id, version }));
        self.commit_guarded(change).await
    }

    /// Tells somebody of budgets that near their end, once for each period.
    pub(crate) async fn watch_budgets(&self) -> Result<(), EngineError> {
        let now = self.now();
        for budget in self.store.list_budgets().await? {
            let Some(percent) = budget.alert_percent else { continue };
            let period = budget.period.began(now);
            for used in self.store.list_untold_budget_use(budget.id, period, TOLD_OF_MAX).await? {
                let part = budget.percent(used.all());
                if part < u64::from(percent) {
                    continue;
                }
                let whose = match used.subject.as_str() {
                    "" => String::new(),
                    subject => format!(" of {subject}"),
                };
                let detail = format!("{part} percent of it are used{whose}");
                let subject = format!("{}{whose}", budget.id);
                self.raise(Sighting { rule: Rule::Spending, subject, detail, at: now }).await?;
                let BudgetUse { subject, .. } = used;
                let tell = ModelWrite::Tell { budget: budget.id, subject, period };
                self.commit(Change::default().write(Write::Model(tell))).await?;
            }
        }
        Ok(())
    }

    async fn commit_guarded(&self, change: Change) -> Result<(), EngineError> {
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
            other => Ok(other?),
        }
    }
}
