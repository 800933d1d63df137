//! Everything that is known of a person or a customer, for them: in parts, as it is read, so that it needs no more
//! memory the more there is.

mod customer;
mod runs;
mod tools;
mod user;

use crate::{Engine, EngineError};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Sender;
use wardroom_core::{
    PersonId, Timestamp,
    audit::{AuditEntry, AuditRecord},
    page::{PAGE_ITEMS_MAX, PageRequest},
    store::AuditFilter,
};
use zeroize::Zeroizing;

/// Rows of one part; the next ones make a further part.
const ROWS_MAX: usize = 500;

/// One piece of it.
pub enum Piece {
    /// A table.
    Part(Part),
    /// A file that somebody gave.
    File {
        /// What it is called in the archive: nothing of a path.
        name: String,
        /// Its content.
        content: Zeroizing<Vec<u8>>,
    },
    /// Something could not be read: what came so far is not the whole.
    Broken(EngineError),
    /// That was all. Without it, it was not.
    End,
}

/// A table of what is known.
pub struct Part {
    /// What it is called: letters, digits and hyphens.
    pub name: String,
    /// What it is, for people.
    pub title: &'static str,
    /// Its rows.
    pub rows: Vec<Value>,
}

/// Where pieces go. Nobody listens any more when sending fails: then nothing more is read.
struct Out(Sender<Piece>);

/// Why there is no more: somebody went away, or something could not be read.
enum Stop {
    Gone,
    Failed(EngineError),
}

impl<E: Into<EngineError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Rows on their way into parts.
struct Rows<'a> {
    out: &'a Out,
    name: &'static str,
    title: &'static str,
    rows: Vec<Value>,
    parts: usize,
}

impl Out {
    async fn send(&self, piece: Piece) -> Result<(), Stop> {
        self.0.send(piece).await.map_err(|_| Stop::Gone)
    }

    fn rows(&self, name: &'static str, title: &'static str) -> Rows<'_> {
        Rows { out: self, name, title, rows: vec![], parts: 0 }
    }
}

impl Rows<'_> {
    async fn add(&mut self, row: Value) -> Result<(), Stop> {
        self.rows.push(row);
        if self.rows.len() >= ROWS_MAX { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        self.parts += 1;
        let name = match self.parts {
            1 => self.name.to_owned(),
            number => format!("{}-{number}", self.name),
        };
        let rows = std::mem::take(&mut self.rows);
        self.out.send(Piece::Part(Part { name, title: self.title, rows })).await
    }

    /// The last part; a table that is empty is there too, to say so.
    async fn end(mut self) -> Result<(), Stop> {
        if self.rows.is_empty() && self.parts > 0 { Ok(()) } else { self.flush().await }
    }
}

/// Tells how it ended, unless nobody listens.
async fn settle(out: &Out, outcome: Result<(), Stop>) {
    let _ = match outcome {
        Ok(()) => out.send(Piece::End).await,
        Err(Stop::Failed(error)) => out.send(Piece::Broken(error)).await,
        Err(Stop::Gone) => Ok(()),
    };
}

fn text(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::String(at.to_string()))
}

fn plain<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

impl Engine {
    /// Records that fit. What is sealed for this person is opened; what is sealed for others is not theirs.
    async fn disclose_audit(
        &self,
        out: &Out,
        (name, title): (&'static str, &'static str),
        filter: AuditFilter,
        person: PersonId,
    ) -> Result<(), Stop> {
        let mut rows = out.rows(name, title);
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_audit(&filter, page).await?;
            for entry in &found.items {
                rows.add(self.record_row(entry, person).await?).await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return rows.end().await,
            }
        }
    }

    async fn record_row(&self, entry: &AuditEntry, person: PersonId) -> Result<Value, EngineError> {
        let record: AuditRecord = serde_json::from_str(&entry.body)
            .map_err(|error| EngineError::Seal(format!("record {}: {error}", entry.index)))?;
        let mut detail = Map::new();
        for (key, value) in &record.detail {
            let value = self.vault.open_text_of(person, key, value).await?;
            detail.insert(key.clone(), Value::String(value));
        }
        let address = match &record.address {
            Some(address) => {
                Value::String(self.vault.open_text_of(person, "address", address).await?)
            }
            None => Value::Null,
        };
        Ok(json!({
            "record": entry.index, "at": record.at.to_string(), "action": record.action,
            "by": record.actor, "on": record.target, "from": address,
            "outcome": record.outcome.as_str(), "why": record.reason, "detail": detail,
        }))
    }
}
