//! `wardroom agents …`: definitions of AI agents

use super::{Exit, Failure, Session, difference, http::segment, names::Names};
use crate::{offline, output::Table};
use serde::Serialize;
use std::path::{Path, PathBuf};
use wardroom_engine::agents::{
    DEFINITION_BYTES_MAX, Flaw, Flaws, Imported, Place, of_agentrunner, read, schema,
    with_plain_ends,
};
use wardroom_wire::{
    agents::{AgentDetail, AgentPut, AgentVersionView, AgentView},
    api::List,
};

/// What can be done with agents.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AgentsCommand {
    /// Check files with definitions, without an orchestrator
    Check {
        /// The files, a definition each
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Put definitions in force, in place of what is; `diff` shows what that changes
    Apply {
        /// The files, a definition each: none is put in force where one is wrong
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// What they are about, for the history
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List them
    List,
    /// Print the file of one
    Show {
        /// Its name
        agent: String,
        /// This version; the one in force where absent
        #[arg(long)]
        number: Option<i64>,
    },
    /// Show what files would change
    Diff {
        /// The files, a definition each
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// List the versions of one
    History {
        /// Its name
        agent: String,
    },
    /// Forget one with all its versions
    Remove {
        /// Its name
        agent: String,
    },
    /// Print the JSON Schema of definitions, for editors
    Schema,
    /// Print the definition that another system's file comes to, and tell what has no counterpart
    Import {
        /// The system
        #[arg(long, value_enum)]
        from: System,
        /// Its file of one agent
        file: PathBuf,
    },
}

/// A system with agents of its own.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum System {
    /// AgentRunner: its YAML file of an agent
    Agentrunner,
}

/// Agents, or versions of one, that there can be.
const LISTED_MAX: u32 = 1000;

/// What is wrong with a file, if anything.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    /// The agent's name, where the file is sound.
    agent: Option<String>,
    flaws: Vec<CheckedFlaw>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
struct CheckedFlaw {
    line: u64,
    column: u64,
    field: String,
    what: String,
}

impl From<Flaw> for CheckedFlaw {
    fn from(flaw: Flaw) -> Self {
        let Flaw { at: Place { line, column }, field, what } = flaw;
        Self { line, column, field, what }
    }
}

impl CheckedFlaw {
    fn told(&self, file: &str) -> String {
        let Self { line, column, field, what } = self;
        let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
        format!("{file}:{line}:{column}: {field}{what}")
    }
}

/// What another system's file comes to.
#[derive(Debug, Serialize)]
struct ImportedFile {
    /// The definition.
    text: String,
    /// What has no counterpart, by its place in the other system's file.
    notes: Vec<CheckedFlaw>,
    /// What is still wrong with the definition, by its place there.
    flaws: Vec<CheckedFlaw>,
}

/// A sound file.
struct Sound {
    file: String,
    name: String,
    text: String,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: AgentsCommand) -> Result<Exit, Failure> {
    let output = &session.output;
    match command {
        AgentsCommand::Check { files } => check(session, &files),
        AgentsCommand::Apply { files, note } => apply(session, &files, &note).await,
        AgentsCommand::Import { from: System::Agentrunner, file } => import(session, &file),
        AgentsCommand::List => list(session).await,
        AgentsCommand::Show { agent, number } => show(session, &agent, number).await,
        AgentsCommand::Diff { files } => diff(session, &files).await,
        AgentsCommand::History { agent } => history(session, &agent).await,
        AgentsCommand::Remove { agent } => {
            session.api()?.delete(&path(&agent)?).await?;
            output.hint(&format!("{agent} is forgotten"));
            Ok(Exit::Ok)
        }
        AgentsCommand::Schema => {
            output.json(schema())?;
            Ok(Exit::Ok)
        }
    }
}

fn path(agent: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/agents/{}", segment(agent)?))
}

/// A file's text, and what it defines or what is wrong with it.
fn load(file: &Path) -> Result<Result<Sound, Flaws>, Failure> {
    let text = offline::read_text(file, DEFINITION_BYTES_MAX as u64)?;
    let file = file.display().to_string();
    Ok(read(&text).map(|definition| Sound { file, name: definition.name, text }))
}

fn check(session: &Session, files: &[PathBuf]) -> Result<Exit, Failure> {
    let (output, mut checked) = (&session.output, vec![]);
    for path in files {
        let file = path.display().to_string();
        checked.push(match load(path)? {
            Ok(sound) => Checked { file, agent: Some(sound.name), flaws: vec![] },
            Err(flaws) => {
                let flaws = flaws.0.into_iter().map(CheckedFlaw::from);
                Checked { file, agent: None, flaws: flaws.collect() }
            }
        });
    }
    let sound = checked.iter().all(|one| one.flaws.is_empty());
    if output.json {
        output.json(&checked)?;
    } else {
        for one in &checked {
            if let Some(agent) = &one.agent {
                output.line(&format!("{} defines the agent {agent}", one.file))?;
            }
            for flaw in &one.flaws {
                output.line(&flaw.told(&one.file))?;
            }
        }
    }
    Ok(if sound { Exit::Ok } else { Exit::Found })
}

/// The files, when all are sound.
fn all_sound(files: &[PathBuf]) -> Result<Vec<Sound>, Failure> {
    let (mut sound, mut flawed) = (vec![], vec![]);
    for path in files {
        match load(path)? {
            Ok(one) => sound.push(one),
            Err(flaws) => {
                flawed.extend(flaws.0.iter().map(|flaw| format!("{}:{flaw}", path.display())));
            }
        }
    }
    for (index, one) in sound.iter().enumerate() {
        if let Some(other) = sound.iter().take(index).find(|other| other.name == one.name) {
            flawed.push(format!("{} and {} both define {}", other.file, one.file, one.name));
        }
    }
    if flawed.is_empty() {
        return Ok(sound);
    }
    let failure = Failure::usage("not all of these define an agent");
    Err(flawed.into_iter().fold(failure, Failure::advice))
}

/// The version of an agent that is in force.
async fn in_force(session: &Session, name: &str) -> Result<Option<AgentDetail>, Failure> {
    match session.api()?.get::<AgentDetail>(&path(name)?, &vec![]).await {
        Ok(detail) => Ok(Some(detail)),
        Err(failure) if failure.exit == Exit::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn apply(session: &Session, files: &[PathBuf], note: &str) -> Result<Exit, Failure> {
    let (api, output, mut applied) = (session.api()?, &session.output, vec![]);
    for Sound { name, text, .. } in all_sound(files)? {
        let before = in_force(session, &name).await?.map(|before| before.agent.version);
        let base = before.as_ref().map(|before| before.digest.clone()).unwrap_or_default();
        let body = AgentPut { text, note: note.to_owned(), base: Some(base) };
        let view: AgentView = api.put(&path(&name)?, &body).await?;
        if !output.json {
            let number = view.version.number;
            let same = before.is_some_and(|before| before.number == number);
            let what = if same { "was in force already" } else { "is in force" };
            output.line(&format!("{name}, version {number}, {what}"))?;
        }
        applied.push(view);
    }
    if output.json {
        output.json(&List { items: applied, next: None })?;
    }
    Ok(Exit::Ok)
}

fn import(session: &Session, path: &Path) -> Result<Exit, Failure> {
    let (output, file) = (&session.output, path.display().to_string());
    let text = offline::read_text(path, DEFINITION_BYTES_MAX as u64)?;
    let Imported { text, notes, flaws } = of_agentrunner(&text).map_err(|flaws| {
        let failure = Failure::usage(format!("{file} is no agent of AgentRunner"));
        flaws.0.iter().map(|flaw| format!("{file}:{flaw}")).fold(failure, Failure::advice)
    })?;
    let all = |flaws: Vec<Flaw>| flaws.into_iter().map(CheckedFlaw::from).collect();
    let imported = ImportedFile { text, notes: all(notes), flaws: all(flaws) };
    if output.json {
        output.json(&imported)?;
    } else {
        output.text(&imported.text)?;
        imported.notes.iter().for_each(|note| output.note(&note.told(&file)));
        if !imported.flaws.is_empty() {
            output.note("The definition can't be put in force before this is mended in it:");
        }
        imported.flaws.iter().for_each(|flaw| output.note(&flaw.told("the definition")));
    }
    Ok(if imported.flaws.is_empty() { Exit::Ok } else { Exit::Found })
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let list = api.list::<AgentView>("/api/v1/agents", &vec![], LISTED_MAX, None).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["NAME", "MODE", "MODEL", "VERSION", "CHANGED", "DESCRIPTION"]);
    for agent in &list.items {
        table.row([
            agent.name.clone(),
            agent.mode.clone(),
            agent.model.clone(),
            agent.version.number.to_string(),
            output.time(&agent.version.created_at),
            agent.description.clone(),
        ]);
    }
    output.table(&table)?;
    if list.items.is_empty() {
        output.hint("No agent is defined: `wardroom agents apply FILE`.");
    }
    Ok(Exit::Ok)
}

async fn show(session: &Session, agent: &str, number: Option<i64>) -> Result<Exit, Failure> {
    let path = match number {
        Some(number) => format!("{}/versions/{number}", path(agent)?),
        None => path(agent)?,
    };
    let detail: AgentDetail = session.api()?.get(&path, &vec![]).await?;
    let output = &session.output;
    if output.json {
        output.json(&detail)?;
    } else {
        output.hint(&format!("version {}", detail.agent.version.number));
        output.text(&detail.text)?;
    }
    Ok(Exit::Ok)
}

/// What a file would change.
#[derive(Debug, Serialize)]
struct Changed {
    agent: String,
    /// The version in force; 0 where there is none.
    number: i64,
    changes: bool,
}

async fn diff(session: &Session, files: &[PathBuf]) -> Result<Exit, Failure> {
    let (output, mut found) = (&session.output, vec![]);
    for Sound { file, name, text } in all_sound(files)? {
        let before = in_force(session, &name).await?;
        let number = before.as_ref().map_or(0, |before| before.agent.version.number);
        let before = before.map(|before| before.text).unwrap_or_default();
        let changes = before != with_plain_ends(&text);
        if changes && !output.json {
            let label = format!("{name}, version {number}");
            difference::print(output, (&label, &before), (&file, &text))?;
        }
        found.push(Changed { agent: name, number, changes });
    }
    if output.json {
        output.json(&found)?;
    }
    let any = found.iter().any(|one| one.changes);
    Ok(if any { Exit::Found } else { Exit::Ok })
}

async fn history(session: &Session, agent: &str) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let path = format!("{}/versions", path(agent)?);
    let list = api.list::<AgentVersionView>(&path, &vec![], LISTED_MAX, None).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let names = Names::of(&api, list.items.iter().map(|version| &version.author)).await;
    let mut table = Table::new(&["NUMBER", "SINCE", "BY", "DIGEST", "ABOUT"]);
    for version in &list.items {
        table.row([
            version.number.to_string(),
            output.time(&version.created_at),
            names.name(&version.author),
            version.digest.chars().take(12).collect(),
            version.note.clone(),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}
