//! `wardroom memories …`: what agents remember of oneself

use super::{Exit, Failure, Session, http::segment};
use crate::output::{Table, confirmed};
use wardroom_wire::{api::List, memories::MemoryView};

/// Memories in one answer.
const TOGETHER: u32 = 200;

/// What can be done with what agents remember.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MemoriesCommand {
    /// List it, the last written first
    List {
        /// Of this agent
        #[arg(long)]
        agent: Option<String>,
    },
    /// Have something forgotten
    Remove {
        /// Its id
        id: String,
    },
    /// Have all forgotten that an agent remembers
    Clear {
        /// The agent's name
        agent: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: MemoriesCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        MemoriesCommand::List { agent } => {
            let mut list: List<MemoryView> = List { items: vec![], next: None };
            loop {
                let mut query = vec![("limit", TOGETHER.to_string())];
                query.extend(agent.clone().map(|agent| ("agent", agent)));
                query.extend(list.next.take().map(|after| ("after", after)));
                let page: List<MemoryView> = api.get("/api/v1/memories", &query).await?;
                list.items.extend(page.items);
                list.next = page.next;
                if list.next.is_none() {
                    break;
                }
            }
            if output.json {
                output.json(&list)?;
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(&["MEMORY", "AGENT", "IN", "KEY", "WRITTEN", "TEXT"]);
            for memory in list.items {
                let written = output.time(&memory.written_at);
                let MemoryView { id, agent, namespace, key, text, .. } = memory;
                table.row([id, agent, namespace, key, written, text.replace('\n', " ")]);
            }
            output.table(&table)?;
        }
        MemoriesCommand::Remove { id } => {
            api.delete(&format!("/api/v1/memories/{}", segment(&id)?)).await?;
            output.hint(&format!("{id} is forgotten"));
        }
        MemoriesCommand::Clear { agent, yes } => {
            if !yes && !confirmed(&format!("Forget all that {agent} remembers of you?"))? {
                return Err(Failure::usage("nothing was forgotten: confirm it, or pass --yes"));
            }
            api.delete(&format!("/api/v1/agents/{}/memories", segment(&agent)?)).await?;
            output.hint(&format!("{agent} remembers nothing of you any more"));
        }
    }
    Ok(Exit::Ok)
}
