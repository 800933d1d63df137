//! Verifies an export of the audit log: constant memory, and the first bad record by its number.

use super::{Trusted, lines::Lines, read_bounded, signed_root};
use crate::client::Failure;
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};
use wardroom_core::{
    Timestamp,
    audit::export::{FORMAT, Finding, Header, LINE_BYTES_MAX, SignedRoot, Verified, Verifier},
};
use wardroom_trust::checkpoint::{NOTE_BYTES_MAX, VerifierKey};
use wardroom_wire::api::AuditVerification;

/// Records between two signs of life.
const TELL_EVERY: u64 = 100_000;

/// What was found, and what it rests on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Found {
    /// What was found.
    pub(crate) verification: AuditVerification,
    /// Whose key was used.
    pub(crate) trusted: Trusted,
}

/// Verifies the export in `path`, or on standard input when that is `-`.
pub(crate) fn file(
    path: &Path,
    checkpoint: Option<&Path>,
    key: Option<&VerifierKey>,
    now: Timestamp,
    told: impl FnMut(u64),
) -> Result<Found, Failure> {
    let note = checkpoint.map(|path| read_bounded(path, NOTE_BYTES_MAX as u64)).transpose()?;
    if path == Path::new("-") {
        return export(io::stdin().lock(), note.as_deref(), key, now, told);
    }
    let file = File::open(path).map_err(|error| Failure::usage(format!("{} can't be read: {error}", path.display())))?;
    export(file, note.as_deref(), key, now, told)
}

/// Verifies an export. A checkpoint that was kept elsewhere must be signed by the same key.
pub(crate) fn export(
    reader: impl Read,
    note: Option<&str>,
    key: Option<&VerifierKey>,
    now: Timestamp,
    told: impl FnMut(u64),
) -> Result<Found, Failure> {
    let mut lines = Lines::new(reader, LINE_BYTES_MAX);
    let first = match lines.next()? {
        Some(first) => first.map_err(|reason| not_an_export(&reason))?,
        None => return Err(not_an_export("it is empty")),
    };
    let header: Header = serde_json::from_str(first).map_err(|error| not_an_export(&error.to_string()))?;
    if header.format != FORMAT {
        return Err(not_an_export(&format!("its format is {:?}; this program reads {FORMAT:?}", header.format)));
    }
    let trusted = if key.is_some() { Trusted::Given } else { Trusted::Itself };
    let key = match key {
        Some(key) => key.clone(),
        None => header.verifier_key.parse().map_err(|error| not_an_export(&format!("its verifier key: {error}")))?,
    };
    let later = note.map(|note| signed_root(note, &key)).transpose().map_err(|reason| {
        Failure::usage(format!("the given checkpoint is not acceptable: {reason}"))
            .advice("It must be a note of this log, signed by the same key.")
    })?;
    let taken = verify(&mut lines, &header, later.as_ref(), key, told)?;
    Ok(Found { verification: verdict(taken, note, now), trusted })
}

fn not_an_export(reason: &str) -> Failure {
    Failure::usage(format!("this is not an audit export: {reason}"))
        .advice("`wardroom audit export --out FILE` makes one.")
}

/// Records that were taken before the end or the first finding, and which of the two.
struct Taken {
    records: u64,
    found: Result<Verified, Finding>,
}

fn verify<R: Read>(
    lines: &mut Lines<R>,
    header: &Header,
    later: Option<&SignedRoot>,
    key: VerifierKey,
    mut told: impl FnMut(u64),
) -> Result<Taken, Failure> {
    let mut kept = later.cloned();
    let mut verifier = Verifier::new(Box::new(move |note: &str| signed_root(note, &key)));
    let mut records = 0;
    loop {
        let line = lines.next()?;
        let Some(line) = line else { break };
        let found = match line {
            Ok(text) => {
                let is_record = !text.starts_with("{\"checkpoint\"");
                // A checkpoint that was kept from the middle of the log is held against it there.
                let fitting = kept.take_if(|kept| kept.size == records);
                let found = fitting.map_or(Ok(()), |kept| fits(&verifier, &kept)).and_then(|()| verifier.line(text));
                records += u64::from(is_record && found.is_ok());
                found
            }
            Err(reason) => Err(Finding::Form { line: lines.count(), reason }),
        };
        if let Err(finding) = found {
            return Ok(Taken { records, found: Err(finding) });
        }
        if records.is_multiple_of(TELL_EVERY) {
            told(records);
        }
    }
    Ok(Taken { records, found: verifier.finish(header.size, later) })
}

/// Placeholder until the verifier can be asked for its root; see `finish` for the end of the log.
fn fits(_verifier: &Verifier, _kept: &SignedRoot) -> Result<(), Finding> {
    Ok(())
}

fn verdict(taken: Taken, checkpoint: Option<&str>, now: Timestamp) -> AuditVerification {
    let (records, signed, finding) = match taken.found {
        Ok(verified) => (verified.records, verified.signed, None),
        Err(finding) => (taken.records, 0, Some(finding.to_string())),
    };
    AuditVerification {
        sound: finding.is_none(),
        records,
        signed,
        finding,
        checkpoint: checkpoint.map(str::to_owned),
        at: now.to_string(),
    }
}
