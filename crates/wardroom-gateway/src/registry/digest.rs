//! The digest by which a definition is known again: SHA-256 of its JSON without blanks, names in order.

use serde_json::Value;
use wardroom_core::digest::sha256;

/// The digest of `value`.
pub(super) fn digest(value: &Value) -> [u8; 32] {
    let mut text = String::new();
    write(value, &mut text);
    sha256(&[text.as_bytes()])
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            text.push('{');
            for (at, name) in names.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(members.get(name).unwrap_or(&Value::Null), text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_of_names_makes_no_difference_and_everything_else_does() {
        let one = json!({"a": 1, "b": {"d": [1, 2], "c": "x"}});
        let same = json!({"b": {"c": "x", "d": [1, 2]}, "a": 1});
        assert_eq!(digest(&one), digest(&same));
        for other in [
            json!({"a": 2, "b": {"d": [1, 2], "c": "x"}}),
            json!({"a": 1, "b": {"d": [2, 1], "c": "x"}}),
            json!({"a": 1, "b": {"d": [1, 2], "c": "x "}}),
            json!({"a": 1, "b": {"d": [1, 2], "c": "x", "e": null}}),
        ] {
            assert_ne!(digest(&one), digest(&other), "{other}");
        }
    }
}
