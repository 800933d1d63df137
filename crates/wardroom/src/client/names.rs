//! Names in place of ids.

use super::Api;
use std::collections::{BTreeMap, BTreeSet};
use wardroom_core::{NodeId, UserId};

/// How many ids one request asks for: what fits in an address, and the orchestrator looks up at once.
const IDS_PER_REQUEST_MAX: usize = 100;

/// The names of accounts and nodes, as far as the caller may know them.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// The names of these. What is no id is let stand; without an answer ids are shown.
    pub(super) async fn of<'a>(api: &Api, ids: impl IntoIterator<Item = &'a String>) -> Self {
        let is_id = |id: &&str| id.parse::<UserId>().is_ok() || id.parse::<NodeId>().is_ok();
        let ids: BTreeSet<&str> = ids.into_iter().map(String::as_str).filter(is_id).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut names = Self::default();
        for part in ids.chunks(IDS_PER_REQUEST_MAX) {
            let query = vec![("ids", part.join(","))];
            match api.get::<wardroom_wire::api::Names>("/api/v1/names", &query).await {
                Ok(found) => names.0.extend(found.names),
                Err(_) => break,
            }
        }
        names
    }

    /// The name with its id, where accounts must not be mistaken for each other.
    pub(super) fn both(&self, id: &str) -> String {
        self.0.get(id).map_or_else(|| id.to_owned(), |name| format!("{name} ({id})"))
    }

    /// The name of `id`; itself where no name is known.
    pub(super) fn name(&self, id: &str) -> String {
        self.0.get(id).map_or(id, String::as_str).to_owned()
    }
}
