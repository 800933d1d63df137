//! The right name that somebody may have meant.

/// How unlike two names may be to be taken for each other, 0 to 1.
const LIKENESS_MIN: f64 = 0.75;

/// Longer texts are no slips: comparing them takes long, and they are like nothing.
const BYTES_MAX: usize = 64;

/// The one of `names` that is most like `wrong`, where one is like it at all.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let like = |name| (strsim::jaro_winkler(wrong, name), name);
    if wrong.len() > BYTES_MAX {
        return None;
    }
    let names = names.into_iter().filter(|name| name.len() <= BYTES_MAX);
    let near = names.map(like).filter(|(likeness, _)| *likeness >= LIKENESS_MIN);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// A sentence about a wrong name, with the one that was probably meant.
pub fn meant<'a>(what: String, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(wrong, known) {
        Some(right) => format!("{what}; did you mean {right:?}?"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_none() {
        let names = ["description", "instructions", "model", "mode"];
        assert_eq!(nearest("instruction", names), Some("instructions"));
        assert_eq!(nearest("descripton", names), Some("description"));
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(nearest("x", []), None);
        let long = "model".repeat(50_000);
        assert_eq!(nearest(&long, [long.as_str(), "model"]), None);
    }
}
