//! The posture check: how this installation stands, line by line of what a production checklist asks.

mod built_in;
mod stored;

use crate::App;
use std::sync::Arc;
use wardroom_core::store::Reads;
use wardroom_engine::watch::Outlets;
use wardroom_wire::security::CheckView;

/// How a line came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be; the words say what was found.
    Pass(String),
    /// It is not: what was found, and what to do about it.
    Fail(String, String),
    /// Nothing here can see it: what a person must make sure of.
    Attest(String),
    /// This version has nothing of the kind, so nothing of it can be wrong.
    Absent(String),
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The control that it is about.
    pub control: &'static str,
    /// What is looked at.
    pub title: &'static str,
    /// How it came out.
    pub verdict: Verdict,
}

impl Check {
    /// A line that passes when `good`, and otherwise says what was found and what to do.
    pub fn demand(
        control: &'static str,
        title: &'static str,
        good: bool,
        found: impl Into<String>,
        fix: &str,
    ) -> Self {
        let found = found.into();
        let verdict =
            if good { Verdict::Pass(found) } else { Verdict::Fail(found, fix.to_owned()) };
        Self { control, title, verdict }
    }

    /// A line that a person has to answer.
    pub fn attest(control: &'static str, title: &'static str, what: impl Into<String>) -> Self {
        Self { control, title, verdict: Verdict::Attest(what.into()) }
    }

    /// The line as the API shows it.
    pub fn view(self) -> CheckView {
        let (verdict, detail, fix) = match self.verdict {
            Verdict::Pass(found) => ("pass", found, String::new()),
            Verdict::Fail(found, fix) => ("fail", found, fix),
            Verdict::Attest(what) => ("attest", String::new(), what),
            Verdict::Absent(why) => ("absent", why, String::new()),
        };
        CheckView {
            control: self.control.to_owned(),
            title: self.title.to_owned(),
            verdict: verdict.to_owned(),
            detail,
            fix,
        }
    }
}

/// Looks anew at what only the program's composition knows: settings, files, certificates.
pub type LocalChecks = Arc<dyn Fn() -> Vec<Check> + Send + Sync>;

/// Every line but the one about the audit log, in the order of the controls.
pub async fn posture(store: &dyn Reads, outlets: &Outlets, local: Vec<Check>) -> Vec<Check> {
    let mut checks = local;
    checks.extend(stored::checks(store, outlets).await);
    checks.extend(built_in::checks());
    sorted(checks)
}

/// In the order of the controls: by letter as the catalogue has them, then by number.
pub fn sorted(mut checks: Vec<Check>) -> Vec<Check> {
    let rank = |check: &Check| {
        let (letter, number) = check.control.split_once('-').unwrap_or((check.control, "0"));
        ("IAENDWGV".find(letter), number.parse::<u32>().unwrap_or(0))
    };
    checks.sort_by_key(rank);
    checks
}

impl App {
    /// How this installation stands.
    pub(crate) async fn posture(&self) -> Vec<CheckView> {
        let title = "The audit log is as it was signed";
        let audit = match self.last_verification() {
            Some(found) if found.sound => Check::demand(
                "W-2",
                title,
                true,
                format!("{} records, verified at {}", found.records, found.at),
                "",
            ),
            Some(found) => Check::demand(
                "W-2",
                title,
                false,
                found.finding.unwrap_or_default(),
                "Keep the database as it is and compare it with exports and checkpoints kept elsewhere.",
            ),
            None => Check::attest(
                "W-2",
                title,
                "It was not verified since the start: verify it on the audit page.",
            ),
        };
        let mut local = (self.local_checks)();
        local.push(audit);
        let checks = posture(self.engine.store(), self.engine.outlets(), local).await;
        checks.into_iter().map(Check::view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn lines_are_in_the_catalogues_order() {
        let check = |control| Check::attest(control, "x", "y");
        let found = sorted(["V-1", "N-10", "A-1", "N-9", "I-11", "I-2"].map(check).to_vec());
        let found: Vec<_> = found.iter().map(|check| check.control).collect();
        assert_eq!(found, ["I-2", "I-11", "A-1", "N-9", "N-10", "V-1"]);
    }

    #[test]
    fn what_is_built_in_is_said_once() {
        let all = built_in::checks();
        let titles: BTreeSet<_> = all.iter().map(|check| (check.control, check.title)).collect();
        assert_eq!(titles.len(), all.len());
        assert!(all.iter().all(|check| !matches!(check.verdict, Verdict::Fail(..))));
    }
}
