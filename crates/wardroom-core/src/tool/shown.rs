//! Arguments as people are shown them: without what looks like a secret.

use crate::redact::redact;
use serde_json::Value;

/// Names whose values are not shown.
const SECRETIVE: [&str; 8] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "authorization", "credential"];

/// Arguments without what has the name or the form of a secret.
pub fn shown(text: &str) -> Option<Value> {
    let mut value = serde_json::from_str(text).ok()?;
    hide(&mut value, &|text| String::from_utf8_lossy(&redact(text.as_bytes())).into_owned(), false);
    Some(value)
}

/// Arguments for whoever decides over them. SECURITY: nobody consents to what they can't see, so only texts under names
/// of secrets are left out, and how long they are is told.
pub fn shown_to_decider(text: &str) -> Option<Value> {
    let mut value = serde_json::from_str(text).ok()?;
    hide(&mut value, &str::to_owned, false);
    Some(value)
}

/// Hides texts within what has the name of a secret, and gives all others to `redact`.
fn hide(value: &mut Value, redact: &impl Fn(&str) -> String, secret: bool) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let lower = name.to_ascii_lowercase();
                let named = SECRETIVE.iter().any(|secret| lower.contains(secret));
                hide(value, redact, secret || named);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, redact, secret)),
        Value::String(text) if secret => {
            *text = format!("[redacted: {} characters]", text.chars().count());
        }
        Value::String(text) => *text = redact(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        let text = json!({
            "path": "/srv/a",
            "db": {"Password": "hunter2", "hosts": [{"apiKey": "seven"}], "max_tokens": 7},
            "note": "use Bearer abcdefghijklmnop please",
        });
        let shown = shown(&text.to_string()).unwrap();
        assert_eq!(shown["path"], "/srv/a");
        assert_eq!(shown["db"]["Password"], "[redacted: 7 characters]");
        assert_eq!(shown["db"]["hosts"][0]["apiKey"], "[redacted: 5 characters]");
        assert_eq!(shown["db"]["max_tokens"], 7);
        assert!(!shown.to_string().contains("abcdefghijklmnop"), "{shown}");
    }

    #[test]
    fn nothing_hides_what_is_decided_over() {
        for note in ["x://u:", "-----BEGIN PRIVATE KEY-----"] {
            let text = json!({"note": note, "command": "rm -rf /srv", "z": "@-"}).to_string();
            assert_eq!(shown(&text).unwrap()["command"], "rm -rf /srv", "{note}");
            assert_eq!(
                shown_to_decider(&text).unwrap(),
                serde_json::from_str::<Value>(&text).unwrap()
            );
        }
    }
}
