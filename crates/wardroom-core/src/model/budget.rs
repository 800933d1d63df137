//! Bounds on what models may take, and what of them is used.

use super::Spend;
use crate::{BudgetId, Timestamp, UserId, field::FieldError, named::named};

/// Budgets that there may be.
pub const BUDGETS_MAX: i64 = 500;
/// The longest remark about a budget, in characters.
const ABOUT_CHARS_MAX: usize = 200;
/// The longest subject, in bytes.
const SUBJECT_BYTES_MAX: usize = 128;

named! {
    /// Whose questions a budget counts.
    BudgetScope = "everything, user, customer, agent, provider, token" {
        /// All.
        Everything = "everything",
        /// An account's, or each account's for itself.
        User = "user",
        /// A customer's, or each customer's for itself.
        Customer = "customer",
        /// An agent's, or each agent's for itself.
        Agent = "agent",
        /// That go to a provider, or to each for itself.
        Provider = "provider",
        /// That come with an API token, or with each for itself.
        Token = "token",
    }
}

named! {
    /// How long a budget is for. Days and months are those of UTC.
    BudgetPeriod = "day, month, forever" {
        /// A day.
        Day = "day",
        /// A month.
        Month = "month",
        /// It is never full again.
        Forever = "forever",
    }
}

impl BudgetPeriod {
    /// When the period began that `at` is in; the beginning of time for one without end.
    pub fn began(self, at: Timestamp) -> Timestamp {
        match self {
            Self::Day => at.day(),
            Self::Month => at.month(),
            Self::Forever => Timestamp::from_micros(0),
        }
    }
}

/// A bound on what models may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The budget.
    pub id: BudgetId,
    /// What it is for, in words.
    pub about: String,
    /// Whose questions it counts.
    pub scope: BudgetScope,
    /// Who exactly: an id, or the name of an agent or provider. Where absent, each has as much for itself.
    pub subject: Option<String>,
    /// How long it is for.
    pub period: BudgetPeriod,
    /// The most tokens.
    pub tokens_max: Option<u64>,
    /// The most money, in millionths of a US dollar.
    pub cost_micros_max: Option<u64>,
    /// At which part of it somebody is told, in percent.
    pub alert_percent: Option<u32>,
    /// Counts changes; an update names the version that it was made from.
    pub version: i64,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

impl Budget {
    /// Checks what people say of it.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut wrong = vec![];
        if self.about.chars().count() > ABOUT_CHARS_MAX {
            let reason = format!("must be at most {ABOUT_CHARS_MAX} characters");
            wrong.push(FieldError::new("about", reason));
        }
        let sound = |text: &String| {
            !text.is_empty()
                && text.len() <= SUBJECT_BYTES_MAX
                && text.chars().all(|c| c.is_ascii_graphic())
        };
        match (self.scope, &self.subject) {
            (BudgetScope::Everything, Some(_)) => {
                let reason = "must be absent: the budget counts everything";
                wrong.push(FieldError::new("subject", reason));
            }
            (_, Some(subject)) if !sound(subject) => {
                wrong.push(FieldError::new("subject", "must be an id or a name"));
            }
            _ => {}
        }
        if self.tokens_max.is_none() && self.cost_micros_max.is_none() {
            let reason =
                "must be there, or tokens_max: a budget without a bound holds nothing back";
            wrong.push(FieldError::new("cost_usd_max", reason));
        }
        // What a database can count.
        for (field, most) in
            [("tokens_max", self.tokens_max), ("cost_usd_max", self.cost_micros_max)]
        {
            if most.is_some_and(|most| most > AMOUNT_MAX) {
                wrong.push(FieldError::new(field, "is too large"));
            }
        }
        if self.alert_percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
            wrong.push(FieldError::new("alert_percent", "must be 1 to 100"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The largest part of a bound that this is, in percent, rounded down.
    pub fn percent(&self, used: Spend) -> u64 {
        let part = |used: u64, most: Option<u64>| match most {
            None => 0,
            Some(0) => 100,
            Some(most) => used.saturating_mul(100) / most,
        };
        part(used.tokens, self.tokens_max).max(part(used.cost_micros, self.cost_micros_max))
    }
}

/// The largest amount that is counted, of tokens or millionths of a dollar: sums of it stay far from what a database can
/// hold.
pub const AMOUNT_MAX: u64 = 1 << 52;

/// What of a budget is used in one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetUse {
    /// The budget.
    pub budget: BudgetId,
    /// Whose part of it; empty where it counts everything.
    pub subject: String,
    /// When the period began.
    pub period: Timestamp,
    /// What was taken.
    pub spent: Spend,
    /// What is put aside for questions that are not answered yet.
    pub held: Spend,
    /// Whether somebody was told that it nears its end, with its present bounds.
    pub told: bool,
}

impl BudgetUse {
    /// What was taken and what is put aside.
    pub const fn all(&self) -> Spend {
        Spend {
            tokens: self.spent.tokens.saturating_add(self.held.tokens),
            cost_micros: self.spent.cost_micros.saturating_add(self.held.cost_micros),
        }
    }
}

/// A write to the ledger of models.
#[derive(Debug, Clone)]
pub enum ModelWrite {
    /// A question that begins. What it may take is put aside in every budget that counts it. Fails where one has not
    /// as much left.
    Begin(Box<super::ModelCall>),
    /// A question that ended: what it took in place of what was put aside. Nothing happens to one that has an end.
    End {
        /// Which.
        id: crate::ModelCallId,
        /// How.
        end: super::ModelCallEnd,
    },
    /// A new budget. Fails where there are [`BUDGETS_MAX`].
    AddBudget(Box<Budget>),
    /// A changed budget.
    UpdateBudget(Box<Budget>),
    /// A budget goes, with what was counted for it. Fails where it is of another version.
    RemoveBudget {
        /// Which.
        id: BudgetId,
        /// Its version.
        version: i64,
    },
    /// Somebody was told that a budget nears its end.
    Tell {
        /// Which.
        budget: BudgetId,
        /// Whose part of it.
        subject: String,
        /// When the period began.
        period: Timestamp,
    },
    /// What is long over is forgotten.
    Forget {
        /// Questions that began before this time; those without an end stay.
        calls: Timestamp,
        /// What was counted for periods that began before this time: none that is still going on.
        periods: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use uuid::Uuid;

    fn budget() -> Budget {
        Budget {
            id: BudgetId::from_uuid(Uuid::from_u128(1)),
            about: String::new(),
            scope: BudgetScope::User,
            subject: None,
            period: BudgetPeriod::Day,
            tokens_max: Some(1000),
            cost_micros_max: Some(500),
            alert_percent: Some(80),
            version: 1,
            created_by: UserId::from_uuid(Uuid::from_u128(2)),
            created_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn budgets_that_hold_nothing_back_are_refused() {
        budget().check().unwrap();
        let field = |budget: Budget| budget.check().unwrap_err().first().unwrap().field.clone();
        assert_eq!(
            field(Budget { tokens_max: None, cost_micros_max: None, ..budget() }),
            "cost_usd_max"
        );
        assert_eq!(field(Budget { tokens_max: Some(u64::MAX), ..budget() }), "tokens_max");
        assert_eq!(field(Budget { subject: Some(String::new()), ..budget() }), "subject");
        let all = Budget { scope: BudgetScope::Everything, subject: Some("x".into()), ..budget() };
        assert_eq!(field(all), "subject");
        assert_eq!(field(Budget { alert_percent: Some(101), ..budget() }), "alert_percent");
    }

    #[test]
    fn the_bound_that_is_nearer_counts() {
        let of = |tokens, cost_micros| budget().percent(Spend { tokens, cost_micros });
        assert_eq!((of(0, 0), of(100, 400), of(990, 400), of(2000, 0)), (0, 80, 99, 200));
        let none = Budget { tokens_max: Some(0), ..budget() };
        assert_eq!(none.percent(Spend::default()), 100);
    }

    #[test]
    fn periods_begin_at_midnight_and_on_the_first() {
        let at: Timestamp = "2026-11-23T14:05:06.000007Z".parse().unwrap();
        assert_eq!(BudgetPeriod::Day.began(at), "2026-11-23T00:00:00Z".parse().unwrap());
        assert_eq!(BudgetPeriod::Month.began(at), "2026-11-01T00:00:00Z".parse().unwrap());
        assert_eq!(BudgetPeriod::Forever.began(at), Timestamp::from_micros(0));
    }
}
