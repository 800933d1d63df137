//! Names of other systems as names are here.

/// A name of a-z 0-9 and `-`, a letter first: what is anything else becomes `-`, or is left out at the ends. Empty where
/// nothing is left.
pub fn plain_name(name: &str, chars_max: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let kept: String = name.chars().map(plain).collect();
    let kept = kept.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
    kept.chars().take(chars_max).collect::<String>().trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_become_names_of_ours() {
        for (name, own) in [
            ("GitHub", "github"),
            ("my_server 2", "my-server-2"),
            ("9lives", "lives"),
            ("a/b", "a-b"),
            ("Ärger", "rger"),
            ("_-1", ""),
            ("abcdefg-hij", "abcdefg"),
        ] {
            assert_eq!(plain_name(name, 8.max(own.len())), own, "{name}");
        }
    }
}
