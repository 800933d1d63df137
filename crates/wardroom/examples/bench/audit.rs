//! Offline verification of a large export, by the program that people use for it.

use crate::{
    figure::{Figure, Target, number},
    process::{command, program},
};
use anyhow::{Context as _, ensure};
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};
use wardroom_core::{
    Action, Door, NodeId, Origin, Principal, RunId, Timestamp, UserId,
    audit::{
        AuditCheckpoint, AuditDraft, AuditEntry,
        export::{FORMAT, Header, checkpoint_line, record_line},
        merkle::{Frontier, leaf_hash},
    },
    principal::{Credential, Role},
};
use wardroom_trust::checkpoint::CheckpointSigner;

/// Records in the export.
const RECORDS: u64 = 500_000;
/// Records between two checkpoints.
const SIGN_EVERY: u64 = 1000;
/// Verifications; the best is not taken, the middle one is.
const TIMES: usize = 5;

/// Measures it.
pub(crate) fn verify() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::Builder::new().prefix("wardroom-bench-").tempdir()?;
    let path = folder.path().join("export.jsonl");
    let file = write(&path)?;
    let bytes = file.metadata()?.len();
    let mut took = Vec::new();
    for _ in 0..TIMES {
        // Read from the disk and not from memory.
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        took.push(once(&path)?);
    }
    took.sort();
    let middle = took.get(TIMES / 2).copied().unwrap_or_default().as_secs_f64();
    let best = took.first().copied().unwrap_or_default().as_secs_f64();
    let rate = RECORDS as f64 / middle;
    let note = format!(
        "{} records, {} MB, whole process from start to end, file not cached; median of {TIMES}: {middle:.2} s = {:.0} MB/s, best {best:.2} s",
        number(RECORDS as f64),
        bytes / 1_000_000,
        bytes as f64 / 1e6 / middle
    );
    let what = "offline verification of an audit export";
    Ok(vec![Figure::new(what, Target::AtLeast(500_000.0), rate, "records/s").note(note)])
}

fn once(path: &Path) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let status = command(&program("wardroom")?).args(["audit", "verify"]).arg(path).status()?;
    let took = begun.elapsed();
    ensure!(status.success(), "the export was found unsound");
    Ok(took)
}

/// Writes an export like those of a real log: per run its submission, lease, start and end.
fn write(path: &Path) -> anyhow::Result<File> {
    let mut to = BufWriter::new(File::create(path)?);
    let signer = CheckpointSigner::new("wardroom-bench", &[7; 32])?;
    let header = Header {
        format: FORMAT.to_owned(),
        verifier_key: signer.verifier_key().to_string(),
        size: RECORDS,
    };
    writeln!(to, "{}", serde_json::to_string(&header)?)?;
    let mut frontier = Frontier::default();
    for index in 0..RECORDS {
        let body = record(index).record.canonical();
        let leaf = leaf_hash(body.as_bytes());
        frontier.append(leaf);
        writeln!(to, "{}", record_line(&AuditEntry { index, body, leaf }))?;
        let size = index + 1;
        if size.is_multiple_of(SIGN_EVERY) {
            let root = frontier.root();
            let note = signer.sign(size, &root);
            let checkpoint = AuditCheckpoint { size, root, at: moment(index), note };
            writeln!(to, "{}", checkpoint_line(&checkpoint))?;
        }
    }
    let file = to.into_inner().context("the export can't be written")?;
    file.sync_all()?;
    Ok(File::open(path)?)
}

fn moment(index: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + i64::try_from(index).unwrap_or(0) * 1000)
}

fn record(index: u64) -> AuditDraft {
    let uuid = |number: u64| {
        uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number))
    };
    let (run, node) = (RunId::from_uuid(uuid(index / 4)), NodeId::from_uuid(uuid(1)));
    let at = moment(index);
    let door = |door| Origin { door, address: Some(IpAddr::from([127, 0, 0, 1])), request: None };
    let by_node = |name: &str| {
        AuditDraft::event(name, &Principal::Node(node), &door(Door::NodeLink), at)
            .on(run)
            .detail("attempt", 1)
            .detail("command", "true")
            .detail("node", node)
    };
    match index % 4 {
        0 => {
            let id = UserId::from_uuid(uuid(2));
            let credential = Credential::ApiToken(wardroom_core::ApiTokenId::from_uuid(uuid(3)));
            let name = "admin".to_owned();
            let (role, groups, customer) = (Role::Admin, vec![], None);
            let who = Principal::User { id, name, role, groups, customer, credential };
            AuditDraft::action(Action::RunSubmit, &who, &door(Door::Api), at)
                .on(run)
                .policy(&["admin".to_owned()], "0123456789abcdef")
                .detail("command", "true")
                .detail("node", node)
        }
        1 => AuditDraft::event("run.leased", &Principal::System, &Origin::INTERNAL, at)
            .on(run)
            .detail("attempt", 1)
            .detail("command", "true")
            .detail("node", node),
        2 => by_node("run.started"),
        _ => by_node("run.ended").detail("ended", "it exited with code 0"),
    }
}
