//! Health: liveness, readiness, and the detailed view.

use crate::App;
use axum::{extract::State, http::StatusCode};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wardroom_wire::api::{HealthPart, HealthView};

/// The time that the database gets to answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// Audit records that may wait for their place before health calls it a problem.
const AUDIT_PENDING_MAX: u64 = 10_000;

/// The process answers.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// Requests can be served: the database answers.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match tokio::time::timeout(STORE_TIMEOUT, app.engine.store().health()).await {
        Ok(Ok(_)) if !app.stop.is_cancelled() => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

/// How each part is.
pub(crate) async fn detailed(app: &App) -> HealthView {
    let store = store_part(app).await;
    let audit = audit_part(app).await;
    let links = part("ok", [("open", app.engine.links_open().to_string())]);
    let parts = BTreeMap::from([
        ("store".to_owned(), store),
        ("audit".to_owned(), audit),
        ("node_links".to_owned(), links),
    ]);
    let worst = ["down", "degraded"]
        .into_iter()
        .find(|status| parts.values().any(|part| part.status == *status))
        .unwrap_or("ok");
    HealthView {
        status: worst.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: app.engine.uptime().as_secs(),
        parts,
    }
}

fn part<const N: usize>(status: &str, detail: [(&str, String); N]) -> HealthPart {
    let detail = detail.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    HealthPart { status: status.to_owned(), detail }
}

async fn store_part(app: &App) -> HealthPart {
    match tokio::time::timeout(STORE_TIMEOUT, app.engine.store().health()).await {
        Ok(Ok(health)) => {
            let status = if health.audit_pending > AUDIT_PENDING_MAX { "degraded" } else { "ok" };
            part(
                status,
                [
                    ("engine", health.engine.to_owned()),
                    ("version", health.version),
                    ("schema", health.schema.to_string()),
                    (
                        "size_bytes",
                        health
                            .size_bytes
                            .map_or_else(|| "unknown".to_owned(), |size| size.to_string()),
                    ),
                    ("audit_pending", health.audit_pending.to_string()),
                ],
            )
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store's health could not be asked");
            part(
                "down",
                [("error", "the database does not answer; the log has the cause".to_owned())],
            )
        }
        Err(_) => part("down", [("error", "the database did not answer within 2 s".to_owned())]),
    }
}

async fn audit_part(app: &App) -> HealthPart {
    let head = app.engine.store().audit_head().await;
    let last = app.engine.store().last_checkpoint().await;
    let found = app.last_verification();
    let (Ok((size, _)), Ok(last)) = (head, last) else {
        return part("down", [("error", "the audit log can't be read".to_owned())]);
    };
    let sound = found.as_ref().is_none_or(|found| found.sound);
    part(
        if sound { "ok" } else { "down" },
        [
            ("records", size.to_string()),
            ("signed", last.map_or(0, |checkpoint| checkpoint.size).to_string()),
            (
                "verified",
                found.map_or_else(
                    || "not since the start".to_owned(),
                    |found| {
                        if found.sound {
                            format!("sound at {}", found.at)
                        } else {
                            format!("NOT SOUND at {}", found.at)
                        }
                    },
                ),
            ),
        ],
    )
}
