//! Lines that the database answers.

use super::{Check, Verdict};
use wardroom_core::{
    Role,
    identity::UserState,
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
    let admins = store.list_users(&filter, PageRequest::new(None, PAGE_ITEMS_MAX)).await?.items;
    let without: Vec<String> =
        admins.iter().filter(|user| !user.second_factor).map(|user| user.id.to_string()).collect();
    Ok(match without.as_slice() {
        [] => Verdict::Pass(format!("{} administrators", admins.len())),
        _ => Verdict::Fail(
            format!("without one: {}", without.join(", ")),
            "Have them sign in: they are asked to add one. Or disable the accounts.".to_owned(),
        ),
    })
}

async fn sandboxes(store: &dyn Reads) -> StoreResult<Verdict> {
    let nodes = store.list_nodes(PageRequest::new(None, PAGE_ITEMS_MAX)).await?.items;
    let lacking: Vec<String> = nodes
        .iter()
        .filter_map(|node| {
            let sandbox = &node.report.as_ref()?.sandbox;
            let lacks = sandbox.iter().filter(|(_, has)| !**has).map(|(name, _)| name.as_str());
            let lacks = lacks.collect::<Vec<_>>().join(", ");
            (!lacks.is_empty()).then(|| format!("{} lacks {lacks}", node.name))
        })
        .collect();
    Ok(match lacking.as_slice() {
        [] => Verdict::Pass(format!("{} nodes", nodes.len())),
        _ => Verdict::Attest(format!(
            "{}. Commands that demand what is lacking do not run there; make sure that the others may run without it.",
            lacking.join("; ")
        )),
    })
}

async fn database(store: &dyn Reads) -> StoreResult<Verdict> {
    let health = store.health().await?;
    Ok(Verdict::Pass(format!("{} {}, schema {}", health.engine, health.version, health.schema)))
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
            format!("{dead} messages were given up"),
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
