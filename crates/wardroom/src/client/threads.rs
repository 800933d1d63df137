//! `wardroom threads …`: one's own conversations with agents

use super::{Api, Exit, Failure, Session, http::segment};
use crate::output::{Table, confirmed};
use wardroom_wire::{
    agents::StepsPage,
    api::{List, RunView},
    threads::{ThreadPatch, ThreadView, TurnView},
};

/// Turns that are read at a time.
const TURNS_TOGETHER: u32 = 50;

/// What can be done with conversations.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ThreadsCommand {
    /// List them, the last used first
    List {
        /// With this agent
        #[arg(long)]
        agent: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Print what was said in one
    Show {
        /// Its id
        id: String,
    },
    /// Call one otherwise
    Rename {
        /// Its id
        id: String,
        /// What it is called from now on
        title: String,
    },
    /// Forget one, and what was said in it
    Remove {
        /// Its id
        id: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: ThreadsCommand) -> Result<Exit, Failure> {
    let api = session.api()?;
    match command {
        ThreadsCommand::List { agent, limit } => list(session, &api, agent, limit).await,
        ThreadsCommand::Show { id } => show(session, &api, &id).await,
        ThreadsCommand::Rename { id, title } => {
            let body = ThreadPatch { title };
            let thread: ThreadView = api.patch(&path(&id, "")?, &body, "*").await?;
            told(session, &thread, &format!("{} is called {}", thread.id, thread.title))
        }
        ThreadsCommand::Remove { id, yes } => {
            let thread: ThreadView = api.get(&path(&id, "")?, &vec![]).await?;
            let question = format!("Forget «{}» and what was said in it?", thread.title);
            if !yes && !confirmed(&question)? {
                return Err(Failure::usage("nothing was forgotten: confirm it, or pass --yes"));
            }
            api.delete(&path(&id, "")?).await?;
            told(session, &thread, &format!("{} is forgotten", thread.id))
        }
    }
}

fn path(id: &str, rest: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/threads/{}{rest}", segment(id)?))
}

fn told(session: &Session, thread: &ThreadView, what: &str) -> Result<Exit, Failure> {
    match session.output.json {
        true => session.output.json(thread)?,
        false => session.output.line(what)?,
    }
    Ok(Exit::Ok)
}

async fn list(
    session: &Session,
    api: &Api,
    agent: Option<String>,
    limit: u32,
) -> Result<Exit, Failure> {
    let query = agent.map(|agent| ("agent", agent)).into_iter().collect();
    let list = api.list::<ThreadView>("/api/v1/threads", &query, limit, None).await?;
    let output = &session.output;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["CONVERSATION", "AGENT", "USED", "TITLE"]);
    for thread in &list.items {
        table.row([
            thread.id.clone(),
            thread.agent.clone(),
            output.time(&thread.updated_at),
            thread.title.clone(),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}

async fn show(session: &Session, api: &Api, id: &str) -> Result<Exit, Failure> {
    let thread: ThreadView = api.get(&path(id, "")?, &vec![]).await?;
    let mut turns: Vec<TurnView> = vec![];
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", TURNS_TOGETHER.to_string())];
        query.extend(after.take().map(|after| ("after", after)));
        let page: List<TurnView> = api.get(&path(id, "/turns")?, &query).await?;
        turns.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    turns.reverse();
    let output = &session.output;
    if output.json {
        let mut told = vec![];
        for turn in &turns {
            let said = said(api, &turn.run).await?;
            let said: Vec<_> = said
                .into_iter()
                .map(|(agent, text)| serde_json::json!({"by_agent": agent, "text": text}))
                .collect();
            told.push(serde_json::json!({"seq": turn.seq, "run": turn.run, "said": said}));
        }
        output.json(&serde_json::json!({"thread": thread, "turns": told}))?;
        return Ok(Exit::Ok);
    }
    for turn in &turns {
        for (by_agent, text) in said(api, &turn.run).await? {
            let who = if by_agent { &thread.agent } else { "you" };
            output.text(&format!("{who}: {}\n", text.trim_end()))?;
        }
    }
    Ok(Exit::Ok)
}

/// What was said in a turn, and whether by the agent.
async fn said(api: &Api, run: &RunView) -> Result<Vec<(bool, String)>, Failure> {
    let steps = format!("/api/v1/runs/{}/steps", segment(&run.id)?);
    let (mut said, mut after) = (vec![], None);
    loop {
        let query = after.map(|after: u32| ("after", after.to_string())).into_iter().collect();
        let page: StepsPage = api.get(&steps, &query).await?;
        let is_last = page.items.is_empty() || page.complete;
        after = page.next;
        for step in page.items {
            let text = step.text.filter(|text| !text.trim().is_empty());
            match (step.kind.as_str(), text) {
                ("begun", Some(text)) => said.push((false, text)),
                ("answered", Some(text)) => said.push((true, text)),
                _ => {}
            }
        }
        if is_last {
            return Ok(said);
        }
    }
}
