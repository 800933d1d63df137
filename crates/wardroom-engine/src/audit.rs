//! The engine's part of the audit log: placing, signing, verifying, proving.

use crate::{Engine, EngineError};
use data_encoding::HEXLOWER;
use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use wardroom_core::{
    audit::{
        AuditCheckpoint, AuditEntry,
        export::{
            FORMAT, Finding, Header, SignedRoot, Verified, Verifier, checkpoint_line, record_line,
        },
        merkle::{self, Hash},
    },
    change::{Change, Write},
};

/// Records that are read at once while the log is verified or exported.
pub const AUDIT_READ_MAX: u64 = 5000;

/// One record's place in the signed log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The record.
    pub entry: AuditEntry,
    /// The hashes from the leaf's sibling to the root.
    pub path: Vec<Hash>,
    /// The checkpoint that the path leads to.
    pub checkpoint: AuditCheckpoint,
}

impl Engine {
    /// Gives new records their place and signs the log's head. Called at every tick.
    pub(crate) async fn seal_audit(&self) -> Result<(), EngineError> {
        self.store.sequence_audit().await?;
        let (size, root) = self.store.audit_head().await?;
        let last = self.store.last_checkpoint().await?.map_or(0, |checkpoint| checkpoint.size);
        if size <= last {
            return Ok(());
        }
        let note = self.signer.sign(size, &root);
        let checkpoint = AuditCheckpoint { size, root, at: self.now(), note };
        match self.commit(Change::default().write(Write::AddCheckpoint(checkpoint))).await {
            // Another orchestrator signed the same size.
            Ok(()) | Err(wardroom_core::store::StoreError::Duplicate(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The key that signs checkpoints, as a C2SP verifier key.
    pub fn audit_key(&self) -> String {
        self.signer.verifier_key().to_string()
    }

    /// Verifies the stored log from its first record to its last.
    pub async fn verify_audit(self: &Arc<Self>) -> Result<Result<Verified, Finding>, EngineError> {
        let key = self.signer.verifier_key();
        let mut verifier = Verifier::new(Box::new(move |note: &str| {
            wardroom_trust::checkpoint::verify(note, &key)
                .map(|checkpoint| SignedRoot { size: checkpoint.size, root: checkpoint.root })
                .map_err(|error| error.to_string())
        }));
        let mut walk = self.walk_audit().await?;
        while let Some(steps) = walk.next().await? {
            for step in steps {
                let taken = match step {
                    Step::Record(entry) => {
                        verifier.record(entry.index, &HEXLOWER.encode(&entry.leaf), &entry.body)
                    }
                    Step::Checkpoint(checkpoint) => verifier.checkpoint(&checkpoint.note),
                };
                if let Err(finding) = taken {
                    return Ok(Err(finding));
                }
            }
        }
        Ok(verifier.finish(walk.size, None))
    }

    /// The whole signed log as the lines of an export.
    pub async fn export_audit(
        self: Arc<Self>,
    ) -> Result<impl Stream<Item = Result<String, EngineError>> + Send + use<>, EngineError> {
        let walk = self.walk_audit().await?;
        let header =
            Header { format: FORMAT.to_owned(), verifier_key: self.audit_key(), size: walk.size };
        let first = serde_json::to_string(&header).unwrap_or_default() + "\n";
        let rest = futures_util::stream::try_unfold(walk, |mut walk| async move {
            let Some(steps) = walk.next().await? else { return Ok(None) };
            let mut lines = String::new();
            for step in steps {
                lines.push_str(&match step {
                    Step::Record(entry) => record_line(&entry),
                    Step::Checkpoint(checkpoint) => checkpoint_line(&checkpoint),
                });
                lines.push('\n');
            }
            Ok(Some((lines, walk)))
        });
        Ok(futures_util::stream::iter([Ok(first)]).chain(rest))
    }

    /// Walks the log as it is now, its head signed first. Records that come in meanwhile are not met; a
    /// checkpoint beyond the stored records is, and is what truncation leaves behind.
    async fn walk_audit(self: &Arc<Self>) -> Result<Walk, EngineError> {
        self.seal_audit().await?;
        let size = self.store.last_checkpoint().await?.map_or(0, |checkpoint| checkpoint.size);
        Ok(Walk { engine: Arc::clone(self), at: 0, size })
    }

    /// Proves that record `index` is in the signed log.
    pub async fn prove_audit(&self, index: u64) -> Result<Proof, EngineError> {
        let missing = || EngineError::NotFound("audit record");
        let size = index.checked_add(1).ok_or_else(missing)?;
        let mut checkpoint = self.store.lookup_checkpoint(size).await?;
        if checkpoint.is_none() {
            self.seal_audit().await?;
            checkpoint = self.store.lookup_checkpoint(size).await?;
        }
        let checkpoint = checkpoint.ok_or_else(missing)?;
        let entry = self.store.read_audit(index..size).await?.pop().ok_or_else(missing)?;
        let ranges = merkle::inclusion_ranges(index, checkpoint.size).ok_or_else(missing)?;
        let mut path = Vec::with_capacity(ranges.len());
        for range in ranges {
            path.push(self.store.audit_subtree(range).await?);
        }
        Ok(Proof { entry, path, checkpoint })
    }
}

/// One thing met while walking the log.
enum Step {
    Record(AuditEntry),
    Checkpoint(AuditCheckpoint),
}

/// A walk over the log, oldest first, a stretch at a time.
struct Walk {
    engine: Arc<Engine>,
    at: u64,
    size: u64,
}

impl Walk {
    /// The next stretch: its records, each checkpoint behind the last record that it covers.
    async fn next(&mut self) -> Result<Option<Vec<Step>>, EngineError> {
        if self.at >= self.size {
            return Ok(None);
        }
        let end = (self.at + AUDIT_READ_MAX).min(self.size);
        let entries = self.engine.store.read_audit(self.at..end).await?;
        let limit = u32::try_from(AUDIT_READ_MAX).unwrap_or(u32::MAX);
        let checkpoints = self.engine.store.list_checkpoints(self.at + 1, limit).await?;
        let mut checkpoints = checkpoints.into_iter().take_while(|c| c.size <= end).peekable();
        let mut steps = Vec::with_capacity(entries.len());
        for entry in entries {
            let covered = entry.index + 1;
            steps.push(Step::Record(entry));
            while let Some(checkpoint) = checkpoints.next_if(|c| c.size <= covered) {
                steps.push(Step::Checkpoint(checkpoint));
            }
        }
        // Whatever is left covers records that are not there: the verifier says so.
        steps.extend(checkpoints.map(Step::Checkpoint));
        self.at = end;
        Ok(Some(steps))
    }
}
