//! The steps of an agent's run, as a pure state machine over a journal: each entry is durable before what follows from it
//! is done, and whoever takes a run up folds its journal to where it stands.

mod entry;
mod kept;
mod labels;
mod machine;
mod past;
#[cfg(test)]
mod past_tests;
mod reading;
mod room;
#[cfg(test)]
mod tests;

pub use entry::{Awaited, Doubt, Ended, Entry, HeldBack, Limit};
pub use kept::{ENTRY_BYTES_MAX, JournalWrite, KeptEntry};
pub use labels::Labels;
pub use machine::{Called, Misplaced, Next, Steps, Used};
pub use past::Past;
pub use reading::{Read, Reading, Sought, SoughtKind};
pub use room::Room;
