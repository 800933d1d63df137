//! Where values are that are sealed for people: each kind's table, and how it is told by its id.

use uuid::Uuid;
use wardroom_core::sealed::Personal;

/// Files' contents that are read at a time: each may be large.
const FILES_MAX: u32 = 8;
/// The same of entries of journals.
const ENTRIES_MAX: u32 = 32;

/// A kind of value.
pub(crate) struct Place {
    /// Its table.
    pub(crate) table: &'static str,
    /// By what a row is told.
    pub(crate) id: &'static str,
    /// The value.
    pub(crate) column: &'static str,
    /// How many are read at a time at most.
    pub(crate) most: u32,
    /// What it is, by that id.
    pub(crate) what: fn(Uuid) -> Personal,
}

macro_rules! place {
    ($table:literal, $id:literal, $column:literal, $most:expr, $what:ident, $kind:ident) => {
        Place {
            table: $table,
            id: $id,
            column: $column,
            most: $most,
            what: |id| Personal::$what(wardroom_core::$kind::from_uuid(id)),
        }
    };
}

/// Every kind.
pub(crate) static PLACES: [Place; 17] = [
    place!("users", "id", "profile", u32::MAX, User, UserId),
    place!("sessions", "id", "about", u32::MAX, Session, SessionId),
    place!("factors", "id", "sealed", u32::MAX, Factor, FactorId),
    place!("messages", "id", "sealed", u32::MAX, Message, MessageId),
    place!("customers", "id", "profile", u32::MAX, Customer, CustomerId),
    place!("requests", "id", "sealed", u32::MAX, Request, ServiceRequestId),
    place!("runs", "id", "parameters_sealed", u32::MAX, Run, RunId),
    place!("notes", "id", "sealed", u32::MAX, Note, NoteId),
    place!("attachments", "id", "sealed_name", u32::MAX, FileName, AttachmentId),
    place!("attachment_contents", "attachment_id", "sealed", FILES_MAX, File, AttachmentId),
    place!("tool_calls", "id", "arguments", u32::MAX, ToolCall, ToolCallId),
    place!("tool_accounts", "id", "sealed", u32::MAX, ToolAccount, ToolAccountId),
    place!("approvals", "id", "arguments", u32::MAX, Approval, ApprovalId),
    place!("approvals", "id", "reason", u32::MAX, Reason, ApprovalId),
    place!("journal", "id", "sealed", ENTRIES_MAX, Step, StepId),
    place!("threads", "id", "title", u32::MAX, Thread, ThreadId),
    place!("memories", "id", "sealed", u32::MAX, Memory, MemoryId),
];

/// Which values are under an older key: `$1` is the format's version and `$2` the generation, both as they stand in a
/// value's head.
pub(crate) fn older(place: &Place) -> String {
    let Place { table, column, .. } = place;
    format!("FROM {table} WHERE substr({column}, 1, 1) = $1 AND substr({column}, 18, 4) < $2")
}

/// The kind of `what`, and its row.
pub(crate) fn place_of(what: Personal) -> (&'static Place, Uuid) {
    let [user, session, factor, message, customer, request, run, note, name, file, rest @ ..] =
        &PLACES;
    let [call, account, approval, reason, step, thread, memory] = rest;
    match what {
        Personal::User(id) => (user, id.uuid()),
        Personal::Session(id) => (session, id.uuid()),
        Personal::Factor(id) => (factor, id.uuid()),
        Personal::Message(id) => (message, id.uuid()),
        Personal::Customer(id) => (customer, id.uuid()),
        Personal::Request(id) => (request, id.uuid()),
        Personal::Run(id) => (run, id.uuid()),
        Personal::Note(id) => (note, id.uuid()),
        Personal::FileName(id) => (name, id.uuid()),
        Personal::File(id) => (file, id.uuid()),
        Personal::ToolCall(id) => (call, id.uuid()),
        Personal::ToolAccount(id) => (account, id.uuid()),
        Personal::Approval(id) => (approval, id.uuid()),
        Personal::Reason(id) => (reason, id.uuid()),
        Personal::Step(id) => (step, id.uuid()),
        Personal::Thread(id) => (thread, id.uuid()),
        Personal::Memory(id) => (memory, id.uuid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_place() {
        for place in &PLACES {
            let id = Uuid::from_u128(7);
            let (found, row) = place_of((place.what)(id));
            assert_eq!((found.table, found.column, row), (place.table, place.column, id));
        }
    }
}
