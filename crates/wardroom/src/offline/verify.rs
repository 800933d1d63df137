//! Verifies an export of the audit log: constant memory, and the first bad record by its number.

use super::{Trusted, ahead::in_order, lines::Lines, read_text, signed_root};
use crate::client::Failure;
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read},
    ops::ControlFlow,
    path::Path,
};
use wardroom_core::{
    Timestamp,
    audit::export::{
        FORMAT, Finding, Header, LINE_BYTES_MAX, Line, SignedRoot, Verified, Verifier,
    },
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
    let note = checkpoint.map(|path| read_text(path, NOTE_BYTES_MAX as u64)).transpose()?;
    if path == Path::new("-") {
        return export(io::stdin().lock(), note.as_deref(), key, now, told);
    }
    let file = File::open(path)
        .map_err(|error| Failure::usage(format!("{} can't be read: {error}", path.display())))?;
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
    let header: Header =
        serde_json::from_str(first).map_err(|error| not_an_export(&error.to_string()))?;
    if header.format != FORMAT {
        return Err(not_an_export(&format!(
            "its format is {:?}; this program reads {FORMAT:?}",
            header.format
        )));
    }
    let trusted = if key.is_some() { Trusted::Given } else { Trusted::Itself };
    let key = match key {
        Some(key) => key.clone(),
        None => header
            .verifier_key
            .parse()
            .map_err(|error| not_an_export(&format!("its verifier key: {error}")))?,
    };
    let kept = note.map(|note| signed_root(note, &key).map(|root| Kept { note, root })).transpose();
    let kept = kept.map_err(|reason| {
        Failure::usage(format!("the given checkpoint is not acceptable: {reason}"))
            .advice("It must be a note of this log, signed by the same key.")
    })?;
    let taken = verify(&mut lines, &header, kept.as_ref(), key, told)?;
    Ok(Found { verification: verdict(taken, note, now), trusted })
}

fn not_an_export(reason: &str) -> Failure {
    Failure::usage(format!("this is not an audit export: {reason}"))
        .advice("`wardroom audit export --out FILE` makes one.")
}

/// A checkpoint that was kept elsewhere: its text, and what it says.
struct Kept<'a> {
    note: &'a str,
    root: SignedRoot,
}

/// Records that were taken before the end or the first finding, and which of the two.
struct Taken {
    records: u64,
    found: Result<Verified, Finding>,
}

fn verify<R: Read>(
    lines: &mut Lines<R>,
    header: &Header,
    kept: Option<&Kept<'_>>,
    key: VerifierKey,
    mut told: impl FnMut(u64),
) -> Result<Taken, Failure> {
    let mut verifier = Verifier::new(Box::new(move |note: &str| signed_root(note, &key)));
    let mut open = kept;
    let mut records = 0;
    let broke_off = in_order(lines, |line| {
        let is_record = matches!(line, Ok(Line::Record { .. }));
        let taken = hold(&mut verifier, &mut open, records).and_then(|()| verifier.take(line));
        if let Err(finding) = taken {
            return ControlFlow::Break(finding);
        }
        records += u64::from(is_record);
        if records.is_multiple_of(TELL_EVERY) {
            told(records);
        }
        ControlFlow::Continue(())
    })?;
    let finding = broke_off.or_else(|| hold(&mut verifier, &mut open, records).err());
    let found = match finding {
        Some(finding) => Err(finding),
        None => verifier.finish(header.size, kept.map(|kept| &kept.root)),
    };
    Ok(Taken { records, found })
}

/// Holds a note from the middle of the log against the records before it.
///
/// SECURITY: whoever has the key could sign another history, but not one that fits what was kept outside.
fn hold(
    verifier: &mut Verifier,
    open: &mut Option<&Kept<'_>>,
    records: u64,
) -> Result<(), Finding> {
    match open.take_if(|kept| kept.root.size == records) {
        Some(kept) => verifier.checkpoint(kept.note),
        None => Ok(()),
    }
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
