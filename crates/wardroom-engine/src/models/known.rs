//! Secrets that Wardroom keeps are for no model: they are taken out of what one is told, and an answer with one in it is none.

use crate::{Engine, EngineError};
use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::{
    Timestamp,
    model::{Ask, AssistantPart, Event, Message, UserPart},
};
use zeroize::Zeroizing;

/// After how long it is looked again which secrets there are.
const READ_ANEW: Duration = Duration::from_secs(10);
/// A shorter value is no secret that could be told from other text.
const SECRET_BYTES_MIN: usize = 8;
/// A shorter value of letters alone may be a word.
const WORD_BYTES_MAX: usize = 16;
/// What stands in the place of a secret.
const CONCEALED: &str = "[secret]";

/// The secrets that are known.
#[derive(Default)]
pub(crate) struct Known {
    /// Finds any of them, in any of the forms in which it may be written.
    found: Option<AhoCorasick>,
    /// The longest form, in bytes.
    longest: usize,
}

impl Known {
    /// These.
    fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, EngineError> {
        let forms: Vec<Zeroizing<Vec<u8>>> = secrets
            .into_iter()
            .map(str::trim)
            .filter(|value| is_telling(value))
            .flat_map(forms)
            .collect();
        if forms.is_empty() {
            return Ok(Self::default());
        }
        let longest = forms.iter().map(|form| form.len()).max().unwrap_or_default();
        let found = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(forms.iter().map(|form| form.as_slice()));
        Ok(Self { found: Some(found.map_err(EngineError::seal)?), longest })
    }

    /// `text` without any.
    fn conceal<'t>(&self, text: &'t str) -> Cow<'t, str> {
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

    /// Takes them out of a text.
    pub(crate) fn take_out(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.conceal(text) {
            *text = clean;
        }
    }

    /// Takes them out of what a model is asked.
    pub(super) fn take_out_of(&self, ask: &mut Ask) {
        if self.found.is_none() {
            return;
        }
        self.take_out(&mut ask.system);
        for message in &mut ask.messages {
            match message {
                Message::User { parts } => parts.iter_mut().for_each(|part| match part {
                    UserPart::Text { text } | UserPart::ToolResult { text, .. } => {
                        self.take_out(text)
                    }
                    UserPart::Image { .. } => {}
                }),
                Message::Assistant { parts } => parts.iter_mut().for_each(|part| match part {
                    AssistantPart::Text { text } => self.take_out(text),
                    AssistantPart::ToolCall { arguments, .. } => {
                        let text = serde_json::Value::Object(arguments.clone()).to_string();
                        if let Cow::Owned(clean) = self.conceal(&text)
                            && let Ok(clean) = serde_json::from_str(&clean)
                        {
                            *arguments = clean;
                        }
                    }
                    AssistantPart::Thought { .. } => {}
                }),
            }
        }
    }
}

/// Listens to an answer for secrets, whatever pieces it comes in.
pub(super) struct Listening {
    known: Arc<Known>,
    /// The end of what was heard of the text, and of the arguments of each call.
    heard: BTreeMap<Option<u32>, String>,
}

impl Listening {
    pub(super) fn new(known: Arc<Known>) -> Self {
        Self { known, heard: BTreeMap::new() }
    }

    /// Whether there is one in what was heard by now.
    pub(super) fn hears(&mut self, event: &Event) -> bool {
        let Some(found) = &self.known.found else { return false };
        let (of, piece) = match event {
            Event::Text { text } => (None, text),
            Event::Arguments { index, text } => (Some(*index), text),
            Event::Thinking { text } => return found.is_match(text),
            Event::Thought { raw, .. } => return found.is_match(&raw.to_string()),
            Event::Call { .. } | Event::End { .. } => return false,
        };
        let heard = self.heard.entry(of).or_default();
        heard.push_str(piece);
        if found.is_match(heard.as_str()) {
            return true;
        }
        let mut from = heard.len().saturating_sub(self.known.longest);
        while !heard.is_char_boundary(from) {
            from += 1;
        }
        heard.drain(..from);
        false
    }
}

/// Whether a value can be told from other text.
fn is_telling(value: &str) -> bool {
    let is_word = value.len() < WORD_BYTES_MAX && value.chars().all(char::is_alphabetic);
    value.len() >= SECRET_BYTES_MIN && !is_word
}

/// The forms in which a secret is written: as it is, as in JSON, as in a URL, in hexadecimal digits, and within Base64.
fn forms(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let bytes = secret.as_bytes();
    let json = serde_json::Value::from(secret).to_string();
    let json = json.trim_matches('"').to_owned();
    let url: String = form_urlencoded::byte_serialize(bytes).collect();
    let mut texts = vec![secret.to_owned(), json, url.replace('+', "%20"), url];
    texts.extend([HEXLOWER.encode(bytes), HEXUPPER.encode(bytes)]);
    for (alphabet, offset) in
        [BASE64_NOPAD, BASE64URL_NOPAD].iter().flat_map(|one| [(one, 0), (one, 1), (one, 2)])
    {
        texts.extend(within_base64(bytes, offset, alphabet));
    }
    texts.sort();
    texts.dedup();
    texts.into_iter().map(|text| Zeroizing::new(text.into_bytes())).collect()
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
pub(crate) struct KnownSecrets(Mutex<Option<(Timestamp, Arc<Known>)>>);

impl KnownSecrets {
    /// There is another one.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Engine {
    /// The secrets that are known at the moment: named ones, and keys of providers.
    pub(crate) async fn known_secrets(&self) -> Result<Arc<Known>, EngineError> {
        let now = self.now();
        let kept = self.known.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((read_at, known)) = kept
            && now < read_at.plus(READ_ANEW)
        {
            return Ok(known);
        }
        let mut values = self.models.outside_keys();
        for secret in self.store.list_secrets().await? {
            // One that was forgotten meanwhile is none any more.
            match self.secret_value(&secret.name).await {
                Ok(value) => values.push(value),
                Err(EngineError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let known = Arc::new(Known::of(values.iter().map(|value| value.as_str()))?);
        *self.known.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((now, Arc::clone(&known)));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use data_encoding::BASE64;

    const SECRET: &str = "hunter2/+ \"ü\" key";

    #[test]
    fn a_secret_is_found_in_whatever_form_it_is_written() {
        let known = Known::of([SECRET]).unwrap();
        for text in [
            format!("it is {SECRET}!"),
            format!("it is {SECRET}!").replace('"', "\\\""),
            "it is hunter2%2F%2B%20%22%C3%BC%22%20key!".to_owned(),
            format!("it is {}!", HEXLOWER.encode(SECRET.as_bytes())),
            format!("it is {}!", HEXUPPER.encode(SECRET.as_bytes())),
        ] {
            let clean = known.conceal(&text);
            assert_eq!(clean, "it is [secret]!", "{text}");
        }
        for before in ["", "a", "ab", "abc"] {
            let whole = format!("{before}{SECRET} and more");
            for text in [BASE64.encode(whole.as_bytes()), BASE64URL_NOPAD.encode(whole.as_bytes())]
            {
                assert!(known.conceal(&text).contains(CONCEALED), "{text}");
            }
        }
        assert_eq!(known.conceal("hunter and key"), "hunter and key");
    }

    #[test]
    fn what_could_be_any_word_is_no_secret() {
        let known = Known::of(["short", "password", "  "]).unwrap();
        assert_eq!(known.conceal("a short password"), "a short password");
    }

    #[test]
    fn it_is_heard_in_pieces() {
        let mut listening = Listening::new(Arc::new(Known::of([SECRET]).unwrap()));
        let text = format!("Well, it is {SECRET}");
        let heard: Vec<bool> =
            text.chars().map(|c| listening.hears(&Event::Text { text: c.to_string() })).collect();
        assert_eq!(heard.iter().position(|heard| *heard), Some(heard.len() - 1));
        let mut listening = Listening::new(Arc::new(Known::of([SECRET]).unwrap()));
        let (one, two) = SECRET.split_at(9);
        let arguments = |index, text: &str| Event::Arguments { index, text: text.to_owned() };
        assert!(!listening.hears(&arguments(0, one)));
        assert!(!listening.hears(&arguments(1, two)), "of another call");
        assert!(listening.hears(&arguments(0, two)));
    }
}
