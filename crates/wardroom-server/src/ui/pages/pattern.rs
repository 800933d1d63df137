//! A parameter's regular expression as a browser's `pattern`, where both mean the same.

/// The pattern for the browser, or `None` where it might mean something else there or be refused.
/// Browsers compile it with the `v` flag, under which more characters of a class must be escaped.
/// It is only a help while typing: the orchestrator and the node check the value.
pub(crate) fn for_browser(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut letters = pattern.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\\' => escaped(&mut letters, &mut out)?,
            '[' => class(&mut letters, &mut out)?,
            ']' | '/' => return None,
            '(' if letters.peek() == Some(&'?') => {
                letters.next();
                // Only groups without a name or flags mean the same in both.
                if letters.next() != Some(':') {
                    return None;
                }
                out.push_str("(?:");
            }
            c if c.is_ascii() && !c.is_ascii_control() => out.push(c),
            _ => return None,
        }
    }
    Some(out)
}

/// An escaped punctuation mark. Classes such as `\d` and `\w` are larger here than in a browser.
fn escaped(letters: &mut impl Iterator<Item = char>, out: &mut String) -> Option<()> {
    let c = letters.next().filter(|c| r"\.+*?()|[]{}^$/-".contains(*c))?;
    if c == '-' && !out.ends_with('[') {
        out.push('-');
    } else {
        out.push('\\');
        out.push(c);
    }
    Some(())
}

/// A class of single characters and ranges.
fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if letters.peek() == Some(&'^') {
        letters.next();
        out.push('^');
    }
    let mut members = Vec::new();
    loop {
        match letters.next()? {
            ']' if !members.is_empty() => break,
            '\\' => members.push((letters.next().filter(|c| c.is_ascii_punctuation())?, true)),
            c if c.is_ascii_alphanumeric() || " !#%'*+,-.:;=?@_\"$()/{}|".contains(c) => {
                members.push((c, false))
            }
            _ => return None,
        }
    }
    let last = members.len() - 1;
    let mut before = None;
    for (at, (c, was_escaped)) in members.into_iter().enumerate() {
        let range = c == '-' && !was_escaped && at != 0 && at != last;
        // Doubled punctuation is reserved in a browser and may be an operation here.
        if !c.is_ascii_alphanumeric() && before == Some(c) {
            return None;
        }
        if !range && r"()[]{}/-\|".contains(c) {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
    out.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_patterns_are_escaped_as_a_browser_wants() {
        let same =
            |pattern: &str, wanted: &str| assert_eq!(for_browser(pattern).as_deref(), Some(wanted));
        same("[a-z0-9._-]+", r"[a-z0-9._\-]+");
        same(r"[A-Za-z0-9 .,:;!?()'\-_]{1,200}", r"[A-Za-z0-9 .,:;!?\(\)'\-_]{1,200}");
        same(r"v(?:[0-9]+\.){2}[0-9]+", r"v(?:[0-9]+\.){2}[0-9]+");
        same("(foo|bar)*", "(foo|bar)*");
    }

    #[test]
    fn what_differs_is_left_out() {
        for pattern in [
            r"\d+",
            r"\w",
            r"\p{L}",
            "(?i)a",
            "(?P<x>a)",
            "[a&&b]",
            "[[:alpha:]]",
            "é",
            "a/b",
            "[a",
            "[]",
        ] {
            assert_eq!(for_browser(pattern), None, "{pattern}");
        }
    }
}
