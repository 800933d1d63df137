//! Runs, with what they were given as far as anybody may see it, and what a customer's printed.

use super::{Out, Piece, Rows, Stop, plain, text};
use crate::{
    Engine,
    agents::work::{ENTRIES_TOGETHER_MAX, Step},
};
use serde_json::json;
use wardroom_core::{
    CustomerId,
    page::{PAGE_ITEMS_MAX, PageRequest},
    run::Run,
    steps::Entry,
    store::RunFilter,
};
use zeroize::Zeroizing;

/// Output that is read at a time, in bytes.
const OUTPUT_PAGE_BYTES: u64 = 1024 * 1024;
/// The largest file of output.
const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;

impl Engine {
    /// Runs that fit. What they were given and printed is `customer`'s, and only told of theirs.
    pub(super) async fn disclose_runs(
        &self,
        rows: &mut Rows<'_>,
        customer: Option<CustomerId>,
        filter: RunFilter,
    ) -> Result<(), Stop> {
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_runs(&filter, page).await?;
            for run in &found.items {
                let own = run.customer == customer;
                let printed = match (customer, own) {
                    (Some(_), true) => self.disclose_output(rows.out, run).await?,
                    _ => vec![],
                };
                let steps = match (customer, &run.work) {
                    (None, Some(_)) => self.disclose_steps(rows.out, run).await?,
                    _ => vec![],
                };
                let values = if own { self.values_left(run).await? } else { None };
                rows.add(json!({
                    "id": run.id.to_string(), "command": run.command,
                    "parameters": values.map(|values| plain(&values.shown)), "printed": printed,
                    "steps": steps,
                    "state": run.state.as_str(), "outcome": run.outcome.as_ref().map(crate::runs::sentence),
                    "submitted_at": run.queued_at.to_string(), "started_at": text(run.started_at),
                    "ended_at": text(run.finished_at),
                }))
                .await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return Ok(()),
            }
        }
    }

    /// What an agent was asked, did and answered, an entry on each line, in files of a bounded size; where they are in the
    /// archive.
    async fn disclose_steps(&self, out: &Out, run: &Run) -> Result<Vec<String>, Stop> {
        let mut places = vec![];
        let mut content = Zeroizing::new(vec![]);
        let mut next = Some(0);
        while let Some(from) = next {
            let steps = self.list_steps(run, from, ENTRIES_TOGETHER_MAX).await?;
            next = steps.next;
            for Step { kept, mut entry } in steps.items {
                // What its author tells an agent is theirs; what was put into it stands beside it.
                if let Entry::Begun { system, .. } = &mut entry {
                    system.clear();
                }
                let line = json!({"at": kept.at.to_string(), "step": entry}).to_string();
                if content.len() + line.len() >= FILE_BYTES_MAX && !content.is_empty() {
                    let full = Zeroizing::new(std::mem::take(&mut *content));
                    part(out, run, ("steps", "jsonl"), full, &mut places).await?;
                }
                content.extend_from_slice(line.as_bytes());
                content.push(b'\n');
            }
        }
        if !content.is_empty() {
            part(out, run, ("steps", "jsonl"), content, &mut places).await?;
        }
        Ok(places)
    }

    /// What a run printed, in files of a bounded size; where they are in the archive.
    async fn disclose_output(&self, out: &Out, run: &Run) -> Result<Vec<String>, Stop> {
        let mut places = vec![];
        let mut content = Zeroizing::new(vec![]);
        let mut from = (0, 0);
        loop {
            let found = self.store.list_output(run.id, from, OUTPUT_PAGE_BYTES).await?;
            let last = found.last().map(|chunk| (chunk.fence, chunk.seq + 1));
            for chunk in self.open_output(run, found).await? {
                if content.len() + chunk.bytes.len() > FILE_BYTES_MAX {
                    let full = Zeroizing::new(std::mem::take(&mut *content));
                    part(out, run, ("output", "txt"), full, &mut places).await?;
                }
                content.extend_from_slice(&chunk.bytes);
            }
            match last {
                Some(next) => from = next,
                None if content.is_empty() => return Ok(places),
                None => {
                    part(out, run, ("output", "txt"), content, &mut places).await?;
                    return Ok(places);
                }
            }
        }
    }
}

/// Sends a part of what a run left behind and notes where it is.
async fn part(
    out: &Out,
    run: &Run,
    (what, kind): (&str, &str),
    content: Zeroizing<Vec<u8>>,
    places: &mut Vec<String>,
) -> Result<(), Stop> {
    let name = format!("{}-{what}-{}.{kind}", run.id, places.len() + 1);
    places.push(format!("files/{name}"));
    out.send(Piece::File { name, content }).await
}
