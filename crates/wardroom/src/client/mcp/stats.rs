//! How much tools were used

use super::super::{Exit, Failure, Session, names::Names};
use crate::output::Table;
use wardroom_wire::{api::List, tools::ToolUsageView};

/// What is counted.
#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {
    /// What calls are put together by: tool, user, client or flow
    #[arg(long, default_value = "tool")]
    by: String,
    /// Calls of the last so many hours
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// Your own only
    #[arg(long)]
    mine: bool,
}

/// Prints it.
pub(super) async fn run(session: &Session, args: StatsArgs) -> Result<Exit, Failure> {
    let mut query = vec![("by", args.by), ("hours", args.hours.to_string())];
    if args.mine {
        query.push(("mine", "true".to_owned()));
    }
    let api = session.api()?;
    let list: List<ToolUsageView> = api.get("/api/v1/tool-usage", &query).await?;
    let output = &session.output;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let names = Names::of(&api, list.items.iter().filter_map(|usage| usage.user.as_ref())).await;
    let mut table =
        Table::new(&["WHAT", "CALLS", "RUNNING", "ERRORS", "BYTES", "P50 MS", "P99 MS"]);
    for usage in &list.items {
        let user = usage.user.as_ref().map(|user| names.name(user));
        let what = [&user, &usage.client, &usage.door, &usage.server, &usage.tool];
        let what: Vec<&str> = what.into_iter().filter_map(Option::as_deref).collect();
        let ms = |ms: Option<f64>| ms.map(|ms| format!("{ms:.1}")).unwrap_or_default();
        table.row([
            what.join(" "),
            usage.calls.to_string(),
            usage.running.to_string(),
            usage.errors.to_string(),
            usage.bytes.to_string(),
            ms(usage.p50_ms),
            ms(usage.p99_ms),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}
