//! What agents remember of people: texts under keys, each one person's and one agent's.

use crate::{MemoryId, Timestamp, UserId, person::BlindIndex, steps::Labels};
use serde::{Deserialize, Serialize};

/// What an agent may remember of one person, however little each is.
pub const MEMORIES_MAX: i64 = 2000;
/// The longest text, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// The longest key, in characters.
pub const KEY_CHARS_MAX: usize = 120;

/// Something that an agent remembers of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Its id.
    pub id: MemoryId,
    /// Of whom. Nobody else reads it.
    pub user: UserId,
    /// Which agent, by name.
    pub agent: String,
    /// The part of its memory.
    pub namespace: String,
    /// By which it is found again; it tells nobody the key.
    pub index: BlindIndex,
    /// What it says ([`Remembered`]), sealed under the person's key; empty where that is gone.
    pub sealed: Vec<u8>,
    /// How long what it says is, in bytes, before it is sealed.
    pub size_bytes: u32,
    /// When it was written down.
    pub written_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// By which the agent speaks of it.
    pub key: String,
    /// What.
    pub text: String,
    /// What the run had seen that wrote it down: whoever reads it has seen that, too.
    pub seen: Labels,
}

/// A write to what is remembered.
#[derive(Debug, Clone)]
pub enum MemoryWrite {
    /// In place of what has the same index, whose id it takes the place of. Fails where there is no room: an agent remembers
    /// [`MEMORIES_MAX`], and `bytes_max` in all of one person.
    Put {
        /// What.
        memory: Memory,
        /// The room.
        bytes_max: u32,
    },
    /// It is forgotten. Fails when there is none.
    Remove(MemoryId),
    /// What has this index is forgotten. Fails when there is none.
    RemoveByIndex(BlindIndex),
    /// All that an agent remembers of a person is forgotten. Fails when there is nothing.
    RemoveAll {
        /// The person.
        user: UserId,
        /// The agent.
        agent: String,
    },
    /// All that is remembered of a person is forgotten.
    RemoveOf(UserId),
}

impl Remembered {
    /// How well it fits words that are looked for: how many of them stand in it, in whatever case; one counts where there are none.
    pub fn fits(&self, words: &[String]) -> usize {
        if words.is_empty() {
            return 1;
        }
        let (key, text) = (self.key.to_lowercase(), self.text.to_lowercase());
        words.iter().filter(|word| key.contains(*word) || text.contains(*word)).count()
    }
}

/// The words of a text, as they are looked for.
pub fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX * 8)
        .map(str::to_lowercase)
        .collect();
    words.sort();
    words.dedup();
    words.truncate(WORDS_MAX);
    words
}

/// Words that are looked for at a time.
const WORDS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_more_of_the_words_fits_better() {
        let of = |key: &str, text: &str| Remembered {
            key: key.into(),
            text: text.into(),
            seen: Labels::NONE,
        };
        let boat = of("boat", "A sloop of eleven metres, called Äolus");
        assert_eq!(words("The BOAT, the boat & Äolus!"), ["boat", "the", "äolus"]);
        assert_eq!(boat.fits(&words("boat äolus")), 2);
        assert_eq!(boat.fits(&words("Sloop or yacht")), 1);
        assert_eq!(boat.fits(&words("yacht")), 0);
        assert_eq!(boat.fits(&[]), 1);
    }
}
