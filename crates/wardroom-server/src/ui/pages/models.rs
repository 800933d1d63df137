//! Who runs language models, what they took and what they may take.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use std::{collections::HashMap, time::Duration};
use wardroom_core::Timestamp;
use wardroom_wire::{
    api::List,
    models::{BudgetView, ModelsView, ProviderView, SpentView},
};

/// Providers, use and budgets.
#[derive(Template)]
#[template(path = "models.html")]
pub(crate) struct ModelsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Providers and routes.
    pub(crate) models: ModelsView,
    /// What was taken, in groups.
    pub(crate) groups: List<SpentView>,
    /// What was taken by day.
    pub(crate) chart: Days,
    /// What the groups are by.
    pub(crate) by: String,
    /// How far back.
    pub(crate) days: u32,
    /// The viewer's own only.
    pub(crate) mine: bool,
    /// What was wrong with the filters.
    pub(crate) problem: Option<String>,
    /// The budgets, where the viewer may see them.
    pub(crate) budgets: Option<List<BudgetView>>,
    /// The dialog, where it is open.
    pub(crate) dialog: Option<BudgetDialog>,
}

/// A stretch of time, in days, and what it is called.
const STRETCHES: [(u32, &str); 4] =
    [(1, "today"), (7, "the last 7 days"), (30, "the last 30 days"), (365, "the last year")];
const KINDS: [(&str, &str); 5] = [
    ("model", "model"),
    ("user", "person"),
    ("agent", "agent"),
    ("customer", "customer"),
    ("day", "day"),
];
const SCOPES: [(&str, &str); 6] = [
    ("everything", "Everything together"),
    ("user", "Each person, or one"),
    ("customer", "Each customer, or one"),
    ("agent", "Each agent, or one"),
    ("provider", "Each provider, or one"),
    ("token", "Each API token, or one"),
];
const PERIODS: [(&str, &str); 3] =
    [("day", "Day"), ("month", "Month"), ("forever", "Once and for all")];

impl ModelsPage {
    fn kinds(&self) -> [(&'static str, &'static str); 5] {
        KINDS
    }

    fn stretches(&self) -> [(u32, &'static str); 4] {
        STRETCHES
    }

    fn scopes(&self) -> [(&'static str, &'static str); 6] {
        SCOPES
    }

    fn periods(&self) -> [(&'static str, &'static str); 3] {
        PERIODS
    }

    /// Where a provider stands, in a word.
    fn standing(&self, provider: &ProviderView) -> &'static str {
        match provider.breaker.as_str() {
            "closed" => "ready",
            _ => "left alone",
        }
    }

    /// What a group of questions has in common; the id of it where it has one.
    fn what<'a>(&self, spent: &'a SpentView) -> Option<&'a String> {
        spent.user.as_ref().or(spent.customer.as_ref())
    }

    /// The same where it is a name.
    fn named<'a>(&self, spent: &'a SpentView) -> &'a str {
        let name = spent.model.as_deref().or(spent.day.as_deref()).or(spent.agent.as_deref());
        name.unwrap_or("nobody’s")
    }

    /// Whose questions a budget counts, in a word.
    fn scope<'a>(&self, budget: &'a BudgetView) -> &'a str {
        match budget.scope.as_str() {
            "user" => "person",
            "token" => "API token",
            scope => scope,
        }
    }

    /// What a budget bounds.
    fn bounds(&self, budget: &BudgetView) -> String {
        let cost = budget.cost_usd_max.map(|most| f::dollars(&most));
        let tokens = budget.tokens_max.map(|most| format!("{} tokens", f::count(most)));
        let most: Vec<_> = [cost, tokens].into_iter().flatten().collect();
        let period = match budget.period.as_str() {
            "forever" => "in all".to_owned(),
            period => format!("a {period}"),
        };
        format!("{} {period}", most.join(", "))
    }
}

/// The dialog of a new budget as it stands.
#[derive(Default)]
pub(crate) struct BudgetDialog {
    /// What it is for.
    pub(crate) about: String,
    /// Whose questions it counts.
    pub(crate) scope: String,
    /// Who exactly.
    pub(crate) subject: String,
    /// How long it is for.
    pub(crate) period: String,
    /// The most tokens.
    pub(crate) tokens_max: String,
    /// The most money.
    pub(crate) cost_usd_max: String,
    /// When somebody is told.
    pub(crate) alert_percent: String,
    /// What was wrong.
    pub(crate) errors: Errors,
}

/// The drawing's height and the width of one day, in its own units; the page stretches it.
const HEIGHT: f64 = 100.0;
/// Days that are drawn.
const DAYS_SHOWN_MAX: u32 = 400;
const STEP: u32 = 10;
const BAR_WIDTH: u32 = 7;

/// What was taken by day, as a bar chart.
pub(crate) struct Days {
    /// One bar a day, also for those on which nothing was asked.
    pub(crate) bars: Vec<Day>,
    /// The drawing's width.
    pub(crate) width: u32,
    /// The value at the top, in US dollars.
    pub(crate) top: f64,
    /// All of it, in US dollars.
    pub(crate) cost: f64,
    /// All questions.
    pub(crate) calls: u64,
}

/// A day.
pub(crate) struct Day {
    /// Its left edge.
    pub(crate) x: u32,
    /// Its width.
    pub(crate) width: u32,
    /// Its upper edge and height.
    pub(crate) y: (u32, u32),
    /// Which.
    pub(crate) day: String,
    /// What was taken, in US dollars.
    pub(crate) cost: f64,
    /// Questions.
    pub(crate) calls: u64,
    /// Tokens.
    pub(crate) tokens: u64,
}

impl Days {
    /// The chart of the last so many days.
    pub(crate) fn new(spent: &[SpentView], days: u32, now: Timestamp) -> Self {
        let days = days.clamp(1, DAYS_SHOWN_MAX);
        let by_day: HashMap<&str, &SpentView> =
            spent.iter().filter_map(|one| Some((one.day.as_deref()?, one))).collect();
        let most = spent.iter().map(|one| one.cost_usd).fold(0.0, f64::max);
        let top = round_up(most);
        let bar = |at: u32| {
            let back = Duration::from_secs(u64::from(days - 1 - at) * 86_400);
            let day = now.minus(back).to_string().get(..10).unwrap_or_default().to_owned();
            let one = by_day.get(day.as_str());
            let cost = one.map_or(0.0, |one| one.cost_usd);
            // What is there must be seen, however small its share.
            let least = if one.is_some() { 2 } else { 0 };
            let height = ((cost / top * HEIGHT) as u32).clamp(least, HEIGHT as u32);
            Day {
                x: at * STEP + (STEP - BAR_WIDTH) / 2,
                width: BAR_WIDTH,
                y: (HEIGHT as u32 - height, height),
                day,
                cost,
                calls: one.map_or(0, |one| one.calls),
                tokens: one.map_or(0, |one| one.input_tokens.saturating_add(one.output_tokens)),
            }
        };
        Self {
            bars: (0..days).map(bar).collect(),
            width: days * STEP,
            top,
            cost: spent.iter().map(|one| one.cost_usd).sum(),
            calls: spent.iter().map(|one| one.calls).sum(),
        }
    }

    /// The first day.
    pub(crate) fn first(&self) -> &str {
        self.bars.first().map(|bar| bar.day.as_str()).unwrap_or_default()
    }
}

/// The next of 0.01, 0.02, 0.05, 0.1, 0.2 and so on.
fn round_up(most: f64) -> f64 {
    let mut top = 0.01;
    let mut factors = [2.0, 2.5, 2.0].into_iter().cycle();
    while top < most && top < 1e9 {
        top *= factors.next().unwrap_or(2.0);
    }
    top
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn day(day: &str, cost_usd: f64) -> SpentView {
        SpentView {
            user: None,
            customer: None,
            agent: None,
            model: None,
            day: Some(day.to_owned()),
            calls: 2,
            running: 0,
            failures: 0,
            estimated: 0,
            input_tokens: 5,
            cache_read_tokens: 0,
            output_tokens: 5,
            cost_usd,
            ms: 1.0,
        }
    }

    #[test]
    fn days_without_a_question_have_their_place() {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let chart = Days::new(&[day("2026-11-21", 0.5), day("2026-11-23", 0.0)], 4, now);
        let shown: Vec<_> =
            chart.bars.iter().map(|bar| (bar.day.as_str(), bar.y, bar.calls)).collect();
        assert_eq!(
            shown,
            [
                ("2026-11-20", (100, 0), 0),
                ("2026-11-21", (0, 100), 2),
                ("2026-11-22", (100, 0), 0),
                ("2026-11-23", (98, 2), 2),
            ]
        );
        assert_eq!((chart.top, chart.cost, chart.calls, chart.width), (0.5, 0.5, 4, 40));
        assert_eq!(
            (Days::new(&[], 0, now).bars.len(), Days::new(&[], 9999, now).bars.len()),
            (1, 400)
        );
    }

    #[test]
    fn the_top_is_round_and_not_below_the_highest_bar() {
        let tops: Vec<String> = [0.0, 0.011, 0.03, 0.7, 3.0]
            .into_iter()
            .map(|most| format!("{:.2}", round_up(most)))
            .collect();
        assert_eq!(tops, ["0.01", "0.02", "0.05", "1.00", "5.00"]);
    }
}
