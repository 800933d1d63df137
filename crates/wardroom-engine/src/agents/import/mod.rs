//! Definitions out of other systems' files, with a note of all that has no counterpart here.

mod agentrunner;
mod fields;

use super::{
    located::Located,
    read::{Flaw, Flaws, dotted, read, too_long},
};
use serde_json::Value;

/// A definition that was made of another system's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The file of it.
    pub text: String,
    /// What has no counterpart here, or another one than it seems, by its place in the other system's file.
    pub notes: Vec<Flaw>,
    /// What is still wrong with `text`, by its place there.
    pub flaws: Vec<Flaw>,
}

/// Makes a definition of an agent's configuration as AgentRunner documents it (`docs/CONFIGURATION_REFERENCE.md` of its
/// repository). Fails where the file is no YAML map.
pub fn of_agentrunner(text: &str) -> Result<Imported, Flaws> {
    too_long(text)?;
    let source = Located::read(text)
        .map_err(|(at, what)| Flaws(vec![Flaw { at, field: String::new(), what }]))?;
    let Value::Object(members) = source.value() else {
        let (at, what) = (source.place(""), "an agent's configuration is a map of fields");
        return Err(Flaws(vec![Flaw { at, field: String::new(), what: what.to_owned() }]));
    };
    let (definition, notes) = agentrunner::definition(members);
    let note = |(pointer, what): (String, String)| Flaw {
        at: source.place(&pointer),
        field: dotted(&pointer),
        what,
    };
    let mut notes: Vec<Flaw> = notes.into_iter().map(note).collect();
    notes.sort();
    // Texts stay on their lines: what a person wrote is theirs to break.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let text = serde_saphyr::to_string_with_options(&definition, options).map_err(|error| {
        let what = format!("what comes of it can't be written as YAML: {error}");
        Flaws(vec![Flaw { at: source.place(""), field: String::new(), what }])
    })?;
    let flaws = read(&text).err().map(|flaws| flaws.0).unwrap_or_default();
    Ok(Imported { text, notes, flaws })
}

#[cfg(test)]
mod tests;
