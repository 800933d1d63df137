//! Secrets that Wardroom keeps are for no model: they are taken out of what one is told.

use crate::{Engine, EngineError};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;
use wardroom_core::{
    Timestamp,
    model::{Ask, AssistantPart, Message, UserPart},
};
use zeroize::Zeroizing;

/// After how long it is looked again which secrets there are.
const READ_ANEW: Duration = Duration::from_secs(10);
/// A shorter value is no secret that could be told from other text.
const SECRET_BYTES_MIN: usize = 8;
/// A shorter value may be a word or a number, unless it has both letters and digits.
const PLAIN_BYTES_MAX: usize = 16;
/// A longer value is looked for as it is, and in no other form.
const FORMS_BYTES_MAX: usize = 4 * 1024;
/// Of all values together, more are looked for as they are, and in no other form.
const ALL_FORMS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The end of a text is held back as what may be the beginning of a secret from so many bytes on.
const BEGINNING_BYTES_MIN: usize = 4;
/// What stands in the place of a secret.
const CONCEALED: &str = "[secret]";

/// The secrets that are known.
#[derive(Default)]
pub(crate) struct Known {
    /// Finds any of them, in any of the forms in which it may be written.
    found: Option<AhoCorasick>,
    /// These forms, sorted.
    forms: Vec<Zeroizing<Vec<u8>>>,
    /// The longest of them, in bytes.
    pub(super) longest: usize,
}

impl Known {
    /// These.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Self, EngineError> {
        let values = values.into_iter().map(str::trim).filter(|value| is_telling(value));
        let (mut forms, mut bytes) = (vec![], 0);
        for value in values {
            let more = match value.len() <= FORMS_BYTES_MAX && bytes <= ALL_FORMS_BYTES_MAX {
                true => forms_of(value),
                false => vec![Zeroizing::new(value.as_bytes().to_vec())],
            };
            bytes += more.iter().map(|form| form.len()).sum::<usize>();
            forms.extend(more);
        }
        if forms.is_empty() {
            return Ok(Self::default());
        }
        forms.sort_by(|one, other| one.as_slice().cmp(other.as_slice()));
        forms.dedup();
        let longest = forms.iter().map(|form| form.len()).max().unwrap_or_default();
        let found = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(forms.iter().map(|form| form.as_slice()));
        Ok(Self { found: Some(found.map_err(EngineError::seal)?), forms, longest })
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.found.is_none()
    }

    /// Whether one stands in `text`.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.found.as_ref().is_some_and(|found| found.is_match(text))
    }

    /// Whether one stands in a text or a name within `value`.
    pub(super) fn is_within(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::String(text) => self.is_in(text),
            Value::Number(number) => self.is_in(&number.to_string()),
            Value::Array(items) => items.iter().any(|item| self.is_within(item)),
            Value::Object(members) => {
                members.iter().any(|(name, value)| self.is_in(name) || self.is_within(value))
            }
        }
    }

    /// How many bytes at the end of `text` may be the beginning of one.
    pub(super) fn begins_at_end_of(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let from = bytes.len().saturating_sub(self.longest);
        let begins = |end: &[u8]| {
            let at = self.forms.partition_point(|form| form.as_slice() < end);
            self.forms.get(at).is_some_and(|form| form.starts_with(end))
        };
        let ends = (from..bytes.len()).filter_map(|at| bytes.get(at..));
        let mut ends = ends.take_while(|end| end.len() >= BEGINNING_BYTES_MIN);
        ends.find(|end| begins(end)).map_or(0, <[u8]>::len)
    }

    /// Takes them out of a text.
    pub(crate) fn take_out(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.without(text) {
            *text = clean;
        }
    }

    fn without<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.found {
            Some(found) if found.is_match(text) => {
                let mut clean = String::with_capacity(text.len());
                found.replace_all_with(text, &mut clean, |_, _, clean| {
                    clean.push_str(CONCEALED);
                    true
                });
                Cow::Owned(clean)
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// Takes them out of what a call was made with.
    fn take_out_of_value(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::String(text) => self.take_out(text),
            Value::Number(number) if self.is_in(&number.to_string()) => *value = CONCEALED.into(),
            Value::Number(_) => {}
            Value::Array(items) => items.iter_mut().for_each(|item| self.take_out_of_value(item)),
            Value::Object(members) => self.take_out_of_members(members),
        }
    }

    fn take_out_of_members(&self, members: &mut Map<String, Value>) {
        if members.keys().any(|name| self.is_in(name)) {
            let named = std::mem::take(members).into_iter();
            *members =
                named.map(|(name, value)| (self.without(&name).into_owned(), value)).collect();
        }
        members.values_mut().for_each(|value| self.take_out_of_value(value));
    }

    /// Takes them out of what a model is asked: out of all that is said, and of what tools are said to do.
    pub(super) fn take_out_of(&self, ask: &mut Ask) {
        if self.is_empty() {
            return;
        }
        self.take_out(&mut ask.system);
        ask.tools.iter_mut().for_each(|tool| self.take_out(&mut tool.description));
        for message in &mut ask.messages {
            match message {
                Message::User { parts } => parts.iter_mut().for_each(|part| match part {
                    UserPart::Text { text } | UserPart::ToolResult { text, .. } => {
                        self.take_out(text);
                    }
                    UserPart::Image { .. } => {}
                }),
                Message::Assistant { parts } => {
                    parts.retain(|part| match part {
                        // As its provider signed it, or not at all.
                        AssistantPart::Thought { raw, .. } => !self.is_within(raw),
                        _ => true,
                    });
                    parts.iter_mut().for_each(|part| match part {
                        AssistantPart::Text { text } => self.take_out(text),
                        AssistantPart::ToolCall { arguments, .. } => {
                            self.take_out_of_members(arguments);
                        }
                        AssistantPart::Thought { .. } => {}
                    });
                }
            }
        }
    }
}

/// Whether a value can be told from other text.
fn is_telling(value: &str) -> bool {
    let has = |what: fn(char) -> bool| value.chars().any(what);
    let is_mixed = has(char::is_alphabetic) && has(|c| c.is_ascii_digit());
    value.len() >= SECRET_BYTES_MIN && (value.len() >= PLAIN_BYTES_MAX || is_mixed)
}

/// The forms in which a secret is written: as it is, as in JSON, as in a URL, in hexadecimal digits, and within Base64.
fn forms_of(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let bytes = secret.as_bytes();
    let json = Value::from(secret).to_string();
    let json = json.get(1..json.len() - 1).unwrap_or_default().to_owned();
    let url: String = form_urlencoded::byte_serialize(bytes).collect();
    let spaced = url.replace('+', "%20");
    // What a browser's own encoding leaves as it is.
    let left = [("%21", "!"), ("%27", "'"), ("%28", "("), ("%29", ")"), ("%7E", "~")];
    let of_browser =
        left.iter().fold(spaced.clone(), |text, (code, plain)| text.replace(code, plain));
    let mut texts = vec![secret.replace("\r\n", "\n"), json.replace('/', "\\/"), json];
    texts.push(texts.first().map(|text| text.replace('\n', "\r\n")).unwrap_or_default());
    texts.extend([lower_codes(&spaced), lower_codes(&of_browser), spaced, of_browser, url]);
    texts.extend([HEXLOWER.encode(bytes), HEXUPPER.encode(bytes)]);
    for alphabet in [BASE64_NOPAD, BASE64URL_NOPAD] {
        texts.extend((0..3).filter_map(|offset| within_base64(bytes, offset, &alphabet)));
    }
    texts.into_iter().map(|text| Zeroizing::new(text.into_bytes())).collect()
}

/// With the digits of codes in a URL as small letters.
fn lower_codes(url: &str) -> String {
    let mut parts = url.split('%');
    let mut lower = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        lower.push('%');
        lower.push_str(&code.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
}

/// What is in Base64 wherever these bytes stand `offset` bytes behind a multiple of three.
fn within_base64(bytes: &[u8], offset: usize, alphabet: &Encoding) -> Option<String> {
    let shifted = Zeroizing::new([vec![0; offset], bytes.to_vec()].concat());
    let text = alphabet.encode(&shifted);
    // Digits at either end may have bits of what stands beside.
    let from = [0, 2, 3].get(offset).copied()?;
    let to = text.len() - usize::from(shifted.len() % 3 != 0);
    text.get(from..to).map(ToOwned::to_owned)
}

/// The secrets that are known, kept for a moment.
#[derive(Default)]
pub(crate) struct KnownSecrets {
    /// Goes up with each secret that is added or renewed here.
    generation: AtomicU64,
    kept: arc_swap::ArcSwapOption<Kept>,
    /// Held by whoever looks anew: the others wait, or take what is there.
    looking: Mutex<()>,
}

/// What was found at a look.
struct Kept {
    known: Arc<Known>,
    generation: u64,
    at: Timestamp,
    /// Of which secrets, in which versions, and which keys from elsewhere.
    of: (Vec<(String, i64)>, Vec<Zeroizing<String>>),
}

impl KnownSecrets {
    /// There is another one.
    pub(crate) fn renew(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    fn fresh(&self, now: Timestamp) -> Option<Arc<Known>> {
        let kept = self.kept.load();
        let kept = kept.as_ref()?;
        let is_fresh = kept.generation == self.generation.load(Ordering::Acquire)
            && now < kept.at.plus(READ_ANEW);
        is_fresh.then(|| Arc::clone(&kept.known))
    }
}

impl Engine {
    /// The secrets that are known at the moment: named ones in their present version, and keys of providers.
    pub(crate) async fn known_secrets(&self) -> Result<Arc<Known>, EngineError> {
        if let Some(known) = self.known.fresh(self.now()) {
            return Ok(known);
        }
        let _looking = self.known.looking.lock().await;
        if let Some(known) = self.known.fresh(self.now()) {
            return Ok(known);
        }
        let (at, generation) = (self.now(), self.known.generation.load(Ordering::Acquire));
        let secrets = self.store.list_secrets().await?;
        let named = secrets.into_iter().map(|secret| (secret.name, secret.current)).collect();
        let of: (Vec<(String, i64)>, _) = (named, self.models.outside_keys());
        let before = self.known.kept.load_full();
        let known = match before.filter(|before| before.of == of) {
            Some(before) => Arc::clone(&before.known),
            None => {
                let mut values = of.1.clone();
                for (name, _) in &of.0 {
                    match self.secret_value(name).await {
                        Ok(value) => values.push(value),
                        Err(EngineError::Store(error)) => return Err(error.into()),
                        // Nobody can use it from here either.
                        Err(error) => {
                            tracing::warn!(secret = name, %error, "a secret can't be looked for in what models say");
                        }
                    }
                }
                let built = tokio::task::spawn_blocking(move || {
                    Known::of(values.iter().map(|value| value.as_str()))
                });
                Arc::new(built.await.map_err(EngineError::seal)??)
            }
        };
        let kept = Kept { known: Arc::clone(&known), generation, at, of };
        self.known.kept.store(Some(Arc::new(kept)));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use data_encoding::BASE64;
    use serde_json::json;

    const SECRET: &str = "hunter2/+ \"ü\" (key)";

    #[test]
    fn a_secret_is_found_in_whatever_form_it_is_written() {
        let known = Known::of([SECRET, "two\nlines 22"]).unwrap();
        let json = SECRET.replace('"', "\\\"");
        for text in [
            format!("it is {SECRET}!"),
            format!("it is {json}!"),
            format!("it is {}!", json.replace('/', "\\/")),
            "it is hunter2%2F%2B%20%22%C3%BC%22%20%28key%29!".to_owned(),
            "it is hunter2%2f%2b%20%22%c3%bc%22%20(key)!".to_owned(),
            "it is hunter2%2F%2B+%22%C3%BC%22+%28key%29!".to_owned(),
            format!("it is {}!", HEXLOWER.encode(SECRET.as_bytes())),
            format!("it is {}!", HEXUPPER.encode(SECRET.as_bytes())),
            "it is two\r\nlines 22!".to_owned(),
        ] {
            assert_eq!(known.without(&text), "it is [secret]!", "{text}");
        }
        for before in ["", "a", "ab", "abc"] {
            let whole = format!("{before}{SECRET} and more");
            for text in [BASE64.encode(whole.as_bytes()), BASE64URL_NOPAD.encode(whole.as_bytes())]
            {
                assert!(known.without(&text).contains(CONCEALED), "{text}");
            }
        }
        assert_eq!(known.without("hunter and key"), "hunter and key");
    }

    #[test]
    fn what_could_be_any_word_or_number_is_no_secret() {
        let known = Known::of(["short1", "password", "20261123", "  "]).unwrap();
        assert!(known.is_empty());
        assert_eq!(known.without("a short1 password of 20261123"), "a short1 password of 20261123");
    }

    #[test]
    fn arguments_are_cleaned_whatever_they_are() {
        let known = Known::of(["4711000815471100"]).unwrap();
        let mut value =
            json!({"pin": 4711000815471100_u64, "4711000815471100": ["x 4711000815471100"]});
        assert!(known.is_within(&value));
        known.take_out_of_value(&mut value);
        assert_eq!(value, json!({"pin": "[secret]", "[secret]": ["x [secret]"]}));
    }

    #[test]
    fn the_beginning_of_a_secret_is_seen_at_the_end() {
        let known = Known::of(["correct-horse-9"]).unwrap();
        for (text, held) in
            [("It is correct-ho", 10), ("It is cor", 0), ("It is corr", 4), ("It", 0)]
        {
            assert_eq!(known.begins_at_end_of(text), held, "{text}");
        }
    }

    #[test]
    fn long_secrets_are_looked_for_as_they_are() {
        let long = "0a".repeat(8 * 1024);
        let known = Known::of([long.as_str()]).unwrap();
        assert_eq!((known.forms.len(), known.longest), (1, 16 * 1024));
        assert_eq!(known.without(&format!("<{long}>")), "<[secret]>");
    }
}
