//! `wardroom request …`

use super::{
    Exit, Failure, Session,
    http::{Query, escape, segment},
    names::Names,
};
use crate::output::{Output, Table, bytes, pairs};
use std::path::{Path, PathBuf};
use wardroom_wire::desk::{
    AttachmentView, NoteCreate, RequestDetail, RequestPatch, RequestView, SavedViewPut,
    SavedViewView,
};

/// What can be done with requests.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RequestCommand {
    /// List requests, newest first
    List(List),
    /// Show a request with what was said about it
    Show {
        /// The request's id
        request: String,
    },
    /// Take a request up yourself
    Take {
        /// The request's id
        request: String,
    },
    /// Change a request: state, priority, who works on it, when it is due
    Change(Change),
    /// Complete a request
    Complete {
        /// The request's id
        request: String,
    },
    /// Cancel a request; its command is asked to stop
    Cancel {
        /// The request's id
        request: String,
    },
    /// Say something about a request
    Note {
        /// The request's id
        request: String,
        /// What
        text: String,
        /// Only for those who work on it
        #[arg(long)]
        internal: bool,
    },
    /// Add a file to a request
    Attach {
        /// The request's id
        request: String,
        /// The file
        file: PathBuf,
        /// What it is called there
        #[arg(long)]
        name: Option<String>,
    },
    /// Save a file of a request
    Download {
        /// The request's id
        request: String,
        /// The file's id
        attachment: String,
        /// Where to
        #[arg(long)]
        out: PathBuf,
    },
    /// List the filters that you keep
    Views,
    /// Forget filters that you keep
    ForgetView {
        /// The view's id
        view: String,
    },
}

/// Which requests.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// pending, scheduled, in_progress, completed, cancelled; open for all that are not closed
    #[arg(long)]
    state: Option<String>,
    /// low, normal, high or urgent
    #[arg(long)]
    priority: Option<String>,
    /// Who works on it, by name or id; me, or none for nobody
    #[arg(long)]
    assignee: Option<String>,
    /// Of this customer, by id
    #[arg(long)]
    customer: Option<String>,
    /// Of this service, by name or id
    #[arg(long)]
    service: Option<String>,
    /// Due before this time
    #[arg(long)]
    due_before: Option<String>,
    /// Of customers with each of these words in name, address or number
    #[arg(long)]
    text: Option<String>,
    /// Those whose command did not succeed only
    #[arg(long)]
    attention: bool,
    /// With filters that you keep under this name as well
    #[arg(long)]
    view: Option<String>,
    /// Keep these filters under this name
    #[arg(long)]
    save_view: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Go on behind this one, as `next` of a list said
    #[arg(long)]
    after: Option<String>,
}

/// What changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    /// The request's id
    request: String,
    /// pending, scheduled (with --at), in_progress or completed
    #[arg(long)]
    state: Option<String>,
    /// When it begins, such as 2026-01-31T09:30:00Z
    #[arg(long)]
    at: Option<String>,
    /// low, normal, high or urgent
    #[arg(long)]
    priority: Option<String>,
    /// Who works on it, by name or id; none for nobody
    #[arg(long)]
    assignee: Option<String>,
    /// When it should be done; none for no time
    #[arg(long)]
    due: Option<String>,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: RequestCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        RequestCommand::List(args) => list(session, args).await?,
        RequestCommand::Show { request } => {
            detail(output, &api.get(&path(&request, "")?, &vec![]).await?)?;
        }
        RequestCommand::Take { request } => {
            let me = Some(Some("me".to_owned()));
            let found: RequestDetail = api.get(&path(&request, "")?, &vec![]).await?;
            let waits = ["pending", "scheduled"].contains(&found.request.state.as_str());
            let state = waits.then(|| "in_progress".to_owned());
            let body = RequestPatch { assignee: me, state, ..RequestPatch::default() };
            change(session, &request, &body).await?;
        }
        RequestCommand::Change(args) => {
            let or_none = |text: String| if text == "none" { None } else { Some(text) };
            let body = RequestPatch {
                state: args.state,
                scheduled_for: args.at,
                priority: args.priority,
                assignee: args.assignee.map(or_none),
                due_at: args.due.map(or_none),
            };
            change(session, &args.request, &body).await?;
        }
        RequestCommand::Complete { request } => {
            let state = Some("completed".to_owned());
            change(session, &request, &RequestPatch { state, ..RequestPatch::default() }).await?;
        }
        RequestCommand::Cancel { request } => {
            show(output, &api.act(&path(&request, "/cancel")?, None).await?)?;
        }
        RequestCommand::Note { request, text, internal } => {
            let body = NoteCreate { text, internal };
            api.post_quietly(&path(&request, "/notes")?, &body).await?;
            output.hint("noted");
        }
        RequestCommand::Attach { request, file, name } => {
            attach(session, &request, &file, name).await?;
        }
        RequestCommand::Download { request, attachment, out } => {
            let path = path(&request, &format!("/attachments/{}", segment(&attachment)?))?;
            api.save(&path, &out, output).await?;
        }
        RequestCommand::Views => views(session).await?,
        RequestCommand::ForgetView { view } => {
            api.delete(&format!("/api/v1/views/{}", segment(&view)?)).await?;
            output.hint("forgotten");
        }
    }
    Ok(Exit::Ok)
}

/// Prints the saved views.
async fn views(session: &Session) -> Result<(), Failure> {
    let (api, output) = (session.api()?, &session.output);
    let found = api.list::<SavedViewView>("/api/v1/views", &vec![], 200, None).await?;
    if output.json {
        output.json(&found)?;
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "LIST", "FILTERS", "ID"]);
    for view in found.items {
        table.row([view.name, view.list, view.query, view.id]);
    }
    output.table(&table)?;
    Ok(())
}

fn path(request: &str, then: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/requests/{}{then}", segment(request)?))
}

async fn list(session: &Session, args: List) -> Result<(), Failure> {
    let (api, output) = (session.api()?, &session.output);
    let mut query: Query = vec![];
    let given = [
        ("state", args.state),
        ("priority", args.priority),
        ("assignee", args.assignee),
        ("customer", args.customer),
        ("service", args.service),
        ("due_before", args.due_before),
        ("text", args.text),
        ("attention", args.attention.then(|| "true".to_owned())),
    ];
    for (name, value) in given {
        query.extend(value.map(|value| (name, value)));
    }
    if let Some(name) = args.save_view {
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let body = SavedViewPut { list: "requests".to_owned(), name, query: query.join("&") };
        let _: SavedViewView = api.put("/api/v1/views", &body).await?;
    }
    let mut path = "/api/v1/requests".to_owned();
    if let Some(name) = args.view {
        let query = vec![("list", "requests".to_owned())];
        let views = api.list::<SavedViewView>("/api/v1/views", &query, 200, None).await?;
        let view = views.items.into_iter().find(|view| view.name == name);
        let view = view.ok_or_else(|| {
            Failure::usage(format!("you keep no filters under the name {name:?}"))
                .advice("`wardroom request views` lists them.")
        })?;
        path.push_str(&format!("?{}", view.query));
    }
    let found = api.list::<RequestView>(&path, &query, args.limit, args.after).await?;
    if output.json {
        return output.json(&found);
    }
    let assignees = found.items.iter().filter_map(|request| request.assignee.as_ref());
    let names = Names::of(&api, assignees).await;
    let mut table =
        Table::new(&["SERVICE", "CUSTOMER", "STATE", "PRIORITY", "ASSIGNEE", "DUE", "MADE", "ID"]);
    for request in &found.items {
        let look = if request.attention { " (look)" } else { "" };
        table.row([
            request.service_title.clone(),
            request.customer_name.clone().unwrap_or_else(|| request.customer.clone()),
            format!("{}{look}", request.state),
            request.priority.clone(),
            request.assignee.as_ref().map_or_else(|| "-".to_owned(), |by| names.name(by)),
            output.time_or(request.due_at.as_ref()),
            output.time(&request.created_at),
            request.id.clone(),
        ]);
    }
    output.table(&table)?;
    if let Some(next) = &found.next {
        output.hint(&format!("There are more: --after {next}"));
    }
    Ok(())
}

async fn change(session: &Session, request: &str, body: &RequestPatch) -> Result<(), Failure> {
    let api = session.api()?;
    let (_, tag) = api.get_tagged::<RequestDetail>(&path(request, "")?).await?;
    show(&session.output, &api.patch(&path(request, "")?, body, &tag).await?)
}

async fn attach(
    session: &Session,
    request: &str,
    file: &Path,
    name: Option<String>,
) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("{} can't be read: {error}", file.display()))
    };
    let content = std::fs::read(file).map_err(unreadable)?;
    let own = file.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let name = name.or(own).ok_or_else(|| Failure::usage("the file has no name: give --name"))?;
    let path = path(request, &format!("/attachments?name={}", escape(&name)))?;
    let (api, output) = (session.api()?, &session.output);
    let made: AttachmentView = api.send_bytes(&path, "application/octet-stream", content).await?;
    if output.json {
        return output.json(&made);
    }
    output.line(&made.id)
}

fn show(output: &Output, request: &RequestView) -> Result<(), Failure> {
    if output.json {
        return output.json(request);
    }
    output.table(&pairs(rows(output, request)))
}

fn rows(output: &Output, request: &RequestView) -> Vec<(&'static str, String)> {
    let customer = match &request.customer_name {
        Some(name) => format!("{name} ({})", request.customer),
        None => request.customer.clone(),
    };
    let mut rows = vec![
        ("id", request.id.clone()),
        ("service", request.service_title.clone()),
        ("customer", customer),
        ("state", request.state.clone()),
        ("priority", request.priority.clone()),
        ("assignee", request.assignee.clone().unwrap_or_default()),
        ("due", request.due_at.as_ref().map(|at| output.time(at)).unwrap_or_default()),
        ("begins", request.scheduled_for.as_ref().map(|at| output.time(at)).unwrap_or_default()),
        ("ordered by", request.requested_by.clone()),
        ("made", output.time(&request.created_at)),
    ];
    if request.attention {
        rows.push(("look", "its command did not succeed".to_owned()));
    }
    rows.retain(|(_, value)| !value.is_empty());
    rows
}

fn detail(output: &Output, detail: &RequestDetail) -> Result<(), Failure> {
    if output.json {
        return output.json(detail);
    }
    let mut rows: Vec<(String, String)> = rows(output, &detail.request)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for (name, value) in &detail.values {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        rows.push((format!("form: {name}"), text));
    }
    for run in &detail.runs {
        let message = run.message.clone().unwrap_or_default();
        rows.push((format!("run {}", run.id), format!("{} {message}", run.state)));
    }
    for file in &detail.attachments {
        rows.push((
            format!("file {}", file.id),
            format!("{}, {}", file.name, bytes(file.size_bytes)),
        ));
    }
    for note in &detail.notes {
        let who = note.author_name.clone().unwrap_or_else(|| {
            if note.staff { "those who work here" } else { "the customer" }.to_owned()
        });
        let mark = if note.internal { " (internal)" } else { "" };
        rows.push((format!("{who}{mark}, {}", output.time(&note.created_at)), note.text.clone()));
    }
    output.table(&pairs(rows))
}
