//! Lines that the database answers.

use super::{Check, Verdict};
use wardroom_core::{
    Role,
    identity::UserState,
    node::Node,
    page::{PAGE_ITEMS_MAX, PageRequest},
    store::{Reads, StoreResult, UserFilter},
};
use wardroom_engine::watch::Outlets;

/// Faults that are counted.
const FAULTS_MAX: u32 = 500;

/// All of them. What the database does not answer fails.
pub(super) async fn checks(store: &dyn Reads, outlets: &Outlets) -> Vec<Check> {
    let answers = [
        ("I-7", "Every administrator has a second factor", administrators(store).await),
        ("E-2", "Every node enforces its sandbox", sandboxes(store).await),
        ("A-6", "The database's role can do no more than it has to", least_privilege(store).await),
        ("D-3", "The database answers and has this version's schema", database(store).await),
        ("W-6", "Alerts reach somebody", alerts(store, outlets).await),
        ("W-6", "Nobody has to look at anything", open_alerts(store).await),
        ("W-10", "Nothing went wrong that is not mended", faults(store).await),
    ];
    let line = |(control, title, answer): (_, _, StoreResult<Verdict>)| {
        let silent = |error: wardroom_core::store::StoreError| {
            Verdict::Fail(error.to_string(), "Bring the database back.".to_owned())
        };
        Check { control, title, verdict: answer.unwrap_or_else(silent) }
    };
    answers.into_iter().map(line).collect()
}

async fn administrators(store: &dyn Reads) -> StoreResult<Verdict> {
    let filter = UserFilter {
        role: Some(Role::Admin),
        state: Some(UserState::Active),
        ..UserFilter::default()
    };
    let mut admins = 0;
    let mut without = vec![];
    let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
    loop {
        let found = store.list_users(&filter, page).await?;
        admins += found.items.len();
        let lacking = found.items.iter().filter(|user| !user.second_factor);
        without.extend(lacking.map(|user| user.id.to_string()));
        match found.next {
            Some(after) => page.after = Some(after),
            None => break,
        }
    }
    Ok(match without.as_slice() {
        [] => Verdict::Pass(format!("administrators: {admins}")),
        _ => Verdict::Fail(
            format!("without one: {}", without.join(", ")),
            "Have them sign in: they are asked to add one. Or disable the accounts.".to_owned(),
        ),
    })
}

async fn sandboxes(store: &dyn Reads) -> StoreResult<Verdict> {
    let (mut nodes, mut lacking, mut after) = (0, vec![], None);
    loop {
        let found = store.list_nodes(PageRequest::new(after, PAGE_ITEMS_MAX)).await?;
        nodes += found.items.len();
        lacking.extend(found.items.iter().filter_map(lacks));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    Ok(match lacking.as_slice() {
        [] => Verdict::Pass(format!("{nodes} nodes")),
        _ => Verdict::Attest(format!(
            "{}. Commands that demand what is lacking do not run there; make sure that the others may run without it.",
            lacking.join("; ")
        )),
    })
}

/// What a node's sandbox lacks, for people; nothing where it lacks nothing.
fn lacks(node: &Node) -> Option<String> {
    let Some(report) = &node.report else {
        return Some(format!("{} has not said yet what it enforces", node.name));
    };
    let missing = report.sandbox.iter().filter(|(_, has)| !**has).map(|(name, _)| name.as_str());
    let missing = missing.collect::<Vec<_>>().join(", ");
    (!missing.is_empty()).then(|| format!("{} lacks {missing}", node.name))
}

async fn database(store: &dyn Reads) -> StoreResult<Verdict> {
    let health = store.health().await?;
    Ok(Verdict::Pass(format!("{} {}, schema {}", health.engine, health.version, health.schema)))
}

async fn least_privilege(store: &dyn Reads) -> StoreResult<Verdict> {
    Ok(match store.health().await?.privileged {
        None => Verdict::Pass("SQLite has no roles; the file is its owner's alone".to_owned()),
        Some(false) => Verdict::Pass("it owns nothing".to_owned()),
        Some(true) => Verdict::Fail(
            "it owns the tables, or may do anything".to_owned(),
            "Have a superuser run what `wardroom roles` prints, migrate as wardroom_migrate, and serve as wardroom_app."
                .to_owned(),
        ),
    })
}

async fn alerts(store: &dyn Reads, outlets: &Outlets) -> StoreResult<Verdict> {
    let (waiting, dead) = store.count_messages().await?;
    Ok(if outlets.alerts.is_empty() {
        Verdict::Fail(
            "they are shown on the dashboard only".to_owned(),
            "Set webhook_url and webhook_secret_file, or smtp_url, mail_from and alert_mail_to."
                .to_owned(),
        )
    } else if dead > 0 {
        Verdict::Fail(
            format!("{dead} messages of the last 90 days were given up"),
            "Look into the log for why, mend it, and try with `wardroom security test-alerts`."
                .to_owned(),
        )
    } else {
        let ways: Vec<&str> = outlets.alerts.iter().map(|channel| channel.as_str()).collect();
        Verdict::Pass(format!("by {}; {waiting} messages wait", ways.join(" and ")))
    })
}

async fn open_alerts(store: &dyn Reads) -> StoreResult<Verdict> {
    Ok(match store.count_open_alerts().await? {
        0 => Verdict::Pass(String::new()),
        open => {
            Verdict::Attest(format!("{open} alerts are open: look at them on the security page."))
        }
    })
}

async fn faults(store: &dyn Reads) -> StoreResult<Verdict> {
    Ok(match store.list_faults(true, FAULTS_MAX).await?.len() {
        0 => Verdict::Pass(String::new()),
        open => {
            Verdict::Attest(format!("{open} faults are open: look at them on the faults page."))
        }
    })
}
