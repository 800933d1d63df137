//! Where values are that are sealed for people: each kind's table, and how it is told by its id.

use uuid::Uuid;
use wardroom_core::change::Personal;

/// Files' contents that are read at a time: each may be large.
pub(crate) const FILES_MAX: u32 = 8;

/// A kind of value.
pub(crate) struct Place {
    /// Its table.
    pub(crate) table: &'static str,
    /// By what a row is told.
    pub(crate) id: &'static str,
    /// The value.
    pub(crate) column: &'static str,
    /// What it is, by that id.
    pub(crate) what: fn(Uuid) -> Personal,
}

macro_rules! place {
    ($table:literal, $id:literal, $column:literal, $what:ident, $kind:ident) => {
        Place {
            table: $table,
            id: $id,
            column: $column,
            what: |id| Personal::$what(wardroom_core::$kind::from_uuid(id)),
        }
    };
}

/// Every kind.
pub(crate) static PLACES: [Place; 9] = [
    place!("users", "id", "profile", User, UserId),
    place!("sessions", "id", "about", Session, SessionId),
    place!("factors", "id", "sealed", Factor, FactorId),
    place!("messages", "id", "sealed", Message, MessageId),
    place!("customers", "id", "profile", Customer, CustomerId),
    place!("requests", "id", "sealed", Request, ServiceRequestId),
    place!("notes", "id", "sealed", Note, NoteId),
    place!("attachments", "id", "sealed_name", FileName, AttachmentId),
    place!("attachment_contents", "attachment_id", "sealed", File, AttachmentId),
];

/// Which values are under an older key: `$1` is the format's version and `$2` the generation, both as they stand in a
/// value's head.
pub(crate) fn older(place: &Place) -> String {
    let Place { table, column, .. } = place;
    format!("FROM {table} WHERE substr({column}, 1, 1) = $1 AND substr({column}, 18, 4) < $2")
}

/// The kind of `what`, and its row.
pub(crate) fn place_of(what: Personal) -> (&'static Place, Uuid) {
    let [user, session, factor, message, customer, request, note, name, file] = &PLACES;
    match what {
        Personal::User(id) => (user, id.uuid()),
        Personal::Session(id) => (session, id.uuid()),
        Personal::Factor(id) => (factor, id.uuid()),
        Personal::Message(id) => (message, id.uuid()),
        Personal::Customer(id) => (customer, id.uuid()),
        Personal::Request(id) => (request, id.uuid()),
        Personal::Note(id) => (note, id.uuid()),
        Personal::FileName(id) => (name, id.uuid()),
        Personal::File(id) => (file, id.uuid()),
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
