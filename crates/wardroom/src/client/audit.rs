//! `wardroom audit …`

use super::{
    Api, Exit, Failure, Session,
    http::{Query, VERIFY_TIMEOUT, segment},
    names::Names,
};
use crate::{
    offline::{self, Trusted},
    output::{Progress, Sink, Table, bytes, pairs},
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};
use wardroom_core::Timestamp;
use wardroom_wire::api::{AuditProof, AuditVerification, AuditView};

/// What can be done with the audit log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// List records, newest first
    List(ListArgs),
    /// Show a record
    Show {
        /// Its index
        index: u64,
    },
    /// Write the whole signed log as JSON lines
    Export {
        /// To this file, which only you may read; standard output where not given
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    Verify(VerifyArgs),
    Proof(ProofArgs),
    /// Compare a node's own log with an export: what one has and the other lacks
    Compare {
        /// The node's own log, as `wardroom-node log export` writes it
        #[arg(long, value_name = "FILE")]
        node_log: PathBuf,
        /// The orchestrator's export
        export: PathBuf,
    },
    /// Print the last signed checkpoint; kept elsewhere, it makes truncation visible
    Checkpoint,
}

/// Which records are wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Of this action; with a dot at the end, all that begin so
    #[arg(long)]
    action: Option<String>,
    /// By this actor
    #[arg(long)]
    actor: Option<String>,
    /// On this target
    #[arg(long)]
    target: Option<String>,
    /// done, refused or failed
    #[arg(long, value_parser = ["done", "refused", "failed"])]
    outcome: Option<String>,
    /// Not before, RFC 3339
    #[arg(long)]
    from: Option<Timestamp>,
    /// Before, RFC 3339
    #[arg(long)]
    to: Option<Timestamp>,
    /// With this text somewhere
    #[arg(long)]
    text: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Go on behind this one, as `next` of a list said
    #[arg(long)]
    after: Option<String>,
}

/// Verify an export, or have the orchestrator verify its stored log.
///
/// With FILE nothing is asked of the orchestrator. Without --key the key that the export itself names is
/// used, which shows alteration but not who signed; with --checkpoint, a note that was kept elsewhere,
/// truncation shows as well.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The export; - for standard input
    file: Option<PathBuf>,
    /// A signed checkpoint that was kept elsewhere
    #[arg(long, value_name = "FILE", requires = "file")]
    checkpoint: Option<PathBuf>,
    /// The log's verifier key, or a file with it
    #[arg(long, value_name = "VKEY", requires = "file")]
    key: Option<String>,
}

/// Get one record's receipt, or verify one.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ProofArgs {
    /// The record's index
    #[arg(required = true)]
    index: Option<u64>,
    /// Write the receipt to this file; standard output where not given
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(subcommand)]
    verify: Option<ProofCommand>,
}

/// What can be done with a receipt.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProofCommand {
    /// Verify a receipt, without an orchestrator
    Verify {
        /// The receipt
        file: PathBuf,
        /// The log's verifier key, or a file with it
        #[arg(long, value_name = "VKEY")]
        key: Option<String>,
    },
}

/// Does it.
#[expect(clippy::too_many_lines, reason = "one arm per verb")]
pub(crate) async fn run(session: &Session, command: AuditCommand) -> Result<Exit, Failure> {
    let output = &session.output;
    match command {
        AuditCommand::List(args) => list(session, args).await,
        AuditCommand::Show { index } => {
            let view: AuditView =
                session.api()?.get(&format!("/api/v1/audit/records/{index}"), &vec![]).await?;
            show(session, view)
        }
        AuditCommand::Export { out } => export(session, out.as_deref()).await,
        AuditCommand::Verify(VerifyArgs { file: None, .. }) => {
            let mut progress = Progress::new(output);
            progress.show("\u{2026} the orchestrator verifies its log");
            let found: AuditVerification =
                session.api()?.act("/api/v1/audit/verify", Some(VERIFY_TIMEOUT)).await?;
            progress.clear();
            tell(session, &found)
        }
        AuditCommand::Verify(VerifyArgs { file: Some(file), checkpoint, key }) => {
            let key = key.as_deref().map(offline::key).transpose()?;
            let mut progress = Progress::new(output);
            let told =
                |records: u64| progress.show(&format!("\u{2026} {records} records verified"));
            let found = offline::verify::file(
                &file,
                checkpoint.as_deref(),
                key.as_ref(),
                output.now,
                told,
            )?;
            progress.clear();
            remark(session, found.trusted);
            tell(session, &found.verification)
        }
        AuditCommand::Proof(ProofArgs {
            verify: Some(ProofCommand::Verify { file, key }), ..
        }) => {
            let key = key.as_deref().map(offline::key).transpose()?;
            let proved = offline::proof::verify(&file, key.as_ref())?;
            remark(session, proved.trusted);
            if output.json {
                output.json(&proved)?;
            } else {
                match &proved.finding {
                    None => output.line(&format!(
                        "record {} is in the log that {} signed at {} records",
                        proved.index, proved.origin, proved.size
                    ))?,
                    Some(finding) => output.line(&format!("the receipt is not good: {finding}"))?,
                }
            }
            Ok(if proved.finding.is_none() { Exit::Ok } else { Exit::Found })
        }
        AuditCommand::Proof(ProofArgs { index, out, .. }) => {
            let index = index.ok_or_else(|| Failure::usage("which record? Give its index"))?;
            let proof: AuditProof = session
                .api()?
                .get(
                    &format!("/api/v1/audit/records/{}/proof", segment(&index.to_string())?),
                    &vec![],
                )
                .await?;
            match out {
                None => output.json(&proof)?,
                Some(path) => {
                    let text = serde_json::to_string_pretty(&proof).map_err(|error| {
                        Failure::local(format!("the receipt can't be written: {error}"))
                    })?;
                    super::credentials::write_private(&path, format!("{text}\n").as_bytes())?;
                    output
                        .hint(&format!("The receipt of record {index} is in {}.", path.display()));
                }
            }
            Ok(Exit::Ok)
        }
        AuditCommand::Compare { node_log, export } => compare(session, &node_log, &export),
        AuditCommand::Checkpoint => {
            let note = session.api()?.text("/api/v1/audit/checkpoint").await?;
            output.text(&note)?;
            Ok(Exit::Ok)
        }
    }
}

fn remark(session: &Session, trusted: Trusted) {
    if trusted == Trusted::Itself {
        session.output.note("note: it was verified with the key that it names itself; pass --key to be sure who signed it");
    }
}

async fn list(session: &Session, args: ListArgs) -> Result<Exit, Failure> {
    let mut query = Query::new();
    let texts = [
        ("action", args.action),
        ("actor", args.actor),
        ("target", args.target),
        ("outcome", args.outcome),
        ("from", args.from.map(|at| at.to_string())),
        ("to", args.to.map(|at| at.to_string())),
        ("text", args.text),
    ];
    query.extend(texts.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let api = session.api()?;
    let records =
        api.list::<AuditView>("/api/v1/audit/records", &query, args.limit, args.after).await?;
    let output = &session.output;
    if output.json {
        output.json(&records)?;
        return Ok(Exit::Ok);
    }
    let names = names_in(&api, &records.items).await;
    let mut table =
        Table::new(&["INDEX", "WHEN", "ACTION", "OUTCOME", "ACTOR", "TARGET", "REASON"]);
    for view in &records.items {
        let record = &view.record;
        table.row([
            view.index.to_string(),
            output.time(&record.at),
            record.action.clone(),
            record.outcome.clone(),
            names.both(&record.actor),
            names.both(&record.target),
            record.reason.clone().unwrap_or_default(),
        ]);
    }
    if table.is_empty() {
        output.hint("no records");
    } else {
        output.table(&table)?;
    }
    if let Some(next) = &records.next {
        output.hint(&format!("There are more: --after {next}"));
    }
    Ok(Exit::Ok)
}

/// The names of whoever and whatever these records are about.
pub(super) async fn names_in(api: &Api, views: &[AuditView]) -> Names {
    Names::of(api, views.iter().flat_map(|view| [&view.record.actor, &view.record.target])).await
}

fn show(session: &Session, view: AuditView) -> Result<Exit, Failure> {
    let output = &session.output;
    if output.json {
        output.json(&view)?;
        return Ok(Exit::Ok);
    }
    let record = view.record;
    let mut rows = vec![
        ("index".to_owned(), view.index.to_string()),
        ("at".into(), record.at),
        ("action".into(), record.action),
        ("outcome".into(), record.outcome),
        ("actor".into(), record.actor),
        ("target".into(), record.target),
        ("door".into(), record.door),
    ];
    let optional = [
        ("reason", record.reason),
        ("policy", record.policy),
        ("address", record.address),
        ("request", record.request),
    ];
    rows.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    rows.extend(record.detail.into_iter().map(|(name, value)| (format!("  {name}"), value)));
    rows.push(("leaf".into(), view.leaf));
    output.table(&pairs(rows))?;
    Ok(Exit::Ok)
}

/// Streams the export; a file appears only once it is whole.
async fn export(session: &Session, out: Option<&Path>) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let mut response = api.stream("/api/v1/audit/export").await?;
    let mut progress = Progress::new(output);
    let mut target = out.map(offline::PrivateFile::create).transpose()?;
    let mut total = 0_u64;
    let mut last = b'\n';
    while let Some(chunk) = response.chunk().await.map_err(|error| api.unreachable(&error))? {
        match &mut target {
            Some(file) => file.write(&chunk)?,
            None => output.write(Sink::Out, &chunk)?,
        }
        total += chunk.len() as u64;
        last = chunk.last().copied().unwrap_or(last);
        if out.is_some() {
            progress.show(&format!("\u{2026} {}", bytes(total)));
        }
    }
    progress.clear();
    if total == 0 || last != b'\n' {
        return Err(Failure::local("the export broke off and was not kept")
            .advice("Try again; the orchestrator's log tells why."));
    }
    if let (Some(file), Some(path)) = (target, out) {
        file.keep()?;
        output.hint(&format!(
            "{} in {}; verify it with: wardroom audit verify {}",
            bytes(total),
            path.display(),
            path.display()
        ));
    }
    Ok(Exit::Ok)
}

fn tell(session: &Session, found: &AuditVerification) -> Result<Exit, Failure> {
    let output = &session.output;
    let exit = if found.sound { Exit::Ok } else { Exit::Found };
    if output.json {
        output.json(found)?;
        return Ok(exit);
    }
    match &found.finding {
        None if found.sound => output.line(&format!(
            "sound: {} records, {} of them under a signed checkpoint",
            found.records, found.signed
        ))?,
        finding => output
            .line(&format!("NOT SOUND: {}", finding.as_deref().unwrap_or("no reason was given")))?,
    }
    Ok(exit)
}

fn compare(session: &Session, node_log: &Path, export: &Path) -> Result<Exit, Failure> {
    let open = |path: &Path| {
        File::open(path)
            .map_err(|error| Failure::usage(format!("{} can't be read: {error}", path.display())))
    };
    let compared = offline::compare::logs(open(node_log)?, open(export)?)?;
    let output = &session.output;
    let same = compared.differences.is_empty();
    let exit = if same && compared.fault.is_none() { Exit::Ok } else { Exit::Found };
    if output.json {
        output.json(&compared)?;
        return Ok(exit);
    }
    if let Some(fault) = &compared.fault {
        output.line(fault)?;
    }
    if !same {
        let mut table = Table::new(&["RUN", "ATTEMPT", "DIFFERENCE"]);
        for difference in &compared.differences {
            table.row([
                difference.run.clone(),
                difference.fence.to_string(),
                difference.what.clone(),
            ]);
        }
        output.table(&table)?;
    }
    output.line(&format!(
        "{}: {} differences; {} attempts are in both logs",
        compared.node,
        compared.differences.len(),
        compared.attempts
    ))?;
    Ok(exit)
}
