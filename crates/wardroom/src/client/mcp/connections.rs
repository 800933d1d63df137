//! Who speaks with the gateway, and how a tool server is begun anew with

use super::super::{Exit, Failure, Session, http::segment, names::Names};
use crate::output::Table;
use serde_json::Value;
use wardroom_wire::{api::List, tools::McpConnectionView};

/// Lists them.
pub(super) async fn list(session: &Session) -> Result<Exit, Failure> {
    let output = &session.output;
    let api = session.api()?;
    let list: List<McpConnectionView> = api.get("/api/v1/mcp/connections", &vec![]).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let names = Names::of(&api, list.items.iter().map(|one| &one.user)).await;
    let mut table = Table::new(&[
        "ID", "USER", "DOOR", "SERVER", "CLIENT", "SPEAKS", "RUNNING", "IN", "OUT", "SINCE",
    ]);
    for one in &list.items {
        let bytes = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
        table.row([
            one.id.clone(),
            names.name(&one.user),
            one.door.clone(),
            one.server.clone().unwrap_or_else(|| "all".to_owned()),
            one.client.clone().unwrap_or_default(),
            one.speaks.clone(),
            one.running.to_string(),
            bytes(one.bytes_in),
            bytes(one.bytes_out),
            output.time(&one.opened_at),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}

/// Ends one.
pub(super) async fn end(session: &Session, id: &str) -> Result<Exit, Failure> {
    session.api()?.delete(&format!("/api/v1/mcp/connections/{}", segment(id)?)).await?;
    session.output.hint(&format!("{id} is ended"));
    Ok(Exit::Ok)
}

/// Begins anew with a tool server.
pub(super) async fn restart(session: &Session, server: &str) -> Result<Exit, Failure> {
    let path = format!("/api/v1/tool-servers/{}/restart", segment(server)?);
    session.api()?.post_quietly(&path, &Value::Null).await?;
    session.output.hint(&format!("{server} is begun anew with"));
    Ok(Exit::Ok)
}
