//! How values read on a page.

use std::{borrow::Borrow, time::Duration};
use wardroom_core::Timestamp;

/// The characters of an id that are enough to tell it from its neighbours on a page.
const SHORT_CHARS: usize = 8;

/// `2026-01-31 09:30:05 UTC` from an RFC 3339 text; another text as it is.
pub(crate) fn stamp(text: &str) -> String {
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) if text.parse::<Timestamp>().is_ok() => format!("{day} {time} UTC"),
        _ => text.to_owned(),
    }
}

/// `14:00` from an RFC 3339 text.
pub(crate) fn clock(text: &str) -> &str {
    text.get(11..16).unwrap_or(text)
}

/// How long before or after `now` the time is: `3 min ago`, `in 2 h`.
pub(crate) fn ago(text: &str, now: &Timestamp) -> String {
    let Ok(at) = text.parse::<Timestamp>() else { return text.to_owned() };
    if at > *now { format!("in {}", rough(at.since(*now))) } else { past(now.since(at)) }
}

fn past(span: Duration) -> String {
    if span < Duration::from_secs(5) {
        "just now".to_owned()
    } else {
        format!("{} ago", rough(span))
    }
}

/// A span in its largest unit.
fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A span in its two largest units: `850 ms`, `4.2 s`, `2 min 5 s`, `3 h 4 min`, `2 d 3 h`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{}.{} s", seconds, span.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The span between two RFC 3339 texts.
pub(crate) fn between(from: &str, to: &str) -> String {
    match (from.parse::<Timestamp>(), to.parse::<Timestamp>()) {
        (Ok(from), Ok(to)) => span(to.since(from)),
        _ => String::new(),
    }
}

/// Milliseconds as a span.
pub(crate) fn millis(ms: impl Borrow<u64>) -> String {
    span(Duration::from_millis(*ms.borrow()))
}

/// Fractions of milliseconds as a span with three digits; a dash where there are none.
pub(crate) fn ms(ms: impl Borrow<Option<f64>>) -> String {
    match *ms.borrow() {
        None => "–".to_owned(),
        Some(ms) if ms < 10.0 => format!("{ms:.2} ms"),
        Some(ms) if ms < 100.0 => format!("{ms:.1} ms"),
        Some(ms) => millis(ms.round() as u64),
    }
}

/// An amount of US dollars; one that is small with all that is counted of it.
pub(crate) fn dollars(amount: &f64) -> String {
    match amount {
        amount if *amount == 0.0 => "US$ 0".to_owned(),
        amount if amount.abs() < 0.01 => format!("US$ {amount:.6}"),
        amount => format!("US$ {amount:.2}"),
    }
}

/// The same number, as wide as what is shown takes it.
pub(crate) fn wide(number: &u32) -> u64 {
    (*number).into()
}

/// Bytes with a binary unit: `512 B`, `1.5 MiB`.
pub(crate) fn bytes(count: impl Borrow<u64>) -> String {
    let count = *count.borrow();
    let mut unit = "B";
    let mut tenths = u128::from(count) * 10;
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = larger;
    }
    match (unit, tenths) {
        ("B", _) => format!("{count} B"),
        (_, 0..1000) => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        _ => format!("{} {unit}", tenths / 10),
    }
}

/// A count with thin spaces between thousands.
pub(crate) fn count(number: impl Borrow<u64>) -> String {
    let digits = number.borrow().to_string();
    let mut text = String::with_capacity(digits.len() + 6);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `part` of `whole` in thousandths, at most 1000.
pub(crate) fn permille(part: impl Borrow<u64>, whole: impl Borrow<u64>) -> u32 {
    let share = u128::from(*part.borrow()) * 1000 / u128::from((*whole.borrow()).max(1));
    u32::try_from(share.min(1000)).unwrap_or(1000)
}

/// Thousandths as whole per cent.
pub(crate) fn percent(permille: impl Borrow<u32>) -> u32 {
    permille.borrow().saturating_add(5) / 10
}

/// Thousandths as a number with two digits behind the point.
pub(crate) fn thousandths(number: &u32) -> String {
    format!("{}.{:02}", number / 1000, number % 1000 / 10)
}

/// How alarming a fill level is.
pub(crate) fn level(permille: impl Borrow<u32>) -> &'static str {
    match *permille.borrow() {
        0..800 => "calm",
        800..920 => "warn",
        _ => "bad",
    }
}

/// An id's kind and its last characters: `run_…89abcdef`; a shorter text as it is.
pub(crate) fn short(id: &str) -> String {
    match id.split_once('_') {
        Some((kind, hex)) if hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{kind}_…{}", hex.get(hex.len() - SHORT_CHARS..).unwrap_or(hex))
        }
        _ => id.to_owned(),
    }
}

/// A name of the wire as words: `timed_out` reads `timed out`.
pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A text as a sentence: a capital first, a full stop last. Empty stays empty.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut letters = text.chars();
    // What begins with an address is that address.
    let address = text.split_whitespace().next().is_some_and(|word| word.contains("://"));
    let first = letters.next().filter(|_| !address).map(char::to_uppercase).into_iter().flatten();
    let letters = if address { text.chars() } else { letters };
    let stop = Some('.').filter(|_| !text.is_empty() && !text.ends_with(['.', '!', '?', '…']));
    first.chain(letters).chain(stop).collect()
}

/// What a state means at a glance: the colour of its badge.
pub(crate) fn tone(state: &str) -> &'static str {
    match state {
        "online" | "succeeded" | "done" | "open" | "sound" | "active" | "allowed" | "in force"
        | "completed" | "published" | "approved" | "accepted" | "ready" | "connected" => "ok",
        "running" | "leased" | "invited" | "in_progress" | "scheduled" => "live",
        "stale" | "retrying" | "interrupted" | "refused" | "waiting" | "awaiting_approval"
        | "awaiting_input" | "left alone" | "changed" | "tool_error" => "warn",
        "failed" | "timed_out" | "unsound" | "blocked" | "denied" | "failing" => "bad",
        _ => "idle",
    }
}

/// The page of what an id names, if it has one.
pub(crate) fn page_of(id: &str) -> Option<String> {
    match id.split_once('_')? {
        ("run", _) => Some(format!("/runs/{id}")),
        ("node", _) => Some(format!("/nodes/{id}")),
        ("user", _) => Some(format!("/users/{id}")),
        ("customer", _) => Some(format!("/customers/{id}")),
        ("request", _) => Some(format!("/requests/{id}")),
        ("service", _) => Some(format!("/services/{id}")),
        ("call", _) => Some(format!("/gateway/calls/{id}")),
        ("approval", _) => Some(format!("/approvals/{id}")),
        _ => None,
    }
}

/// What a browser or program calls itself, in two words where it is known.
pub(crate) fn agent(text: &str) -> String {
    let system = ["Windows", "Android", "iPhone", "iPad", "Mac OS X", "Linux"]
        .into_iter()
        .find(|name| text.contains(name));
    let browser =
        [("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]
            .into_iter()
            .find(|(mark, _)| text.contains(mark));
    match (browser, system) {
        (Some((_, browser)), Some(system)) => format!("{browser} on {system}"),
        _ if text.is_empty() => "unnamed program".to_owned(),
        _ => text.to_owned(),
    }
}

/// A time as a browser's field for one holds it, in UTC to the minute.
pub(crate) fn local(at: Option<&String>) -> String {
    at.and_then(|text| text.get(..16)).unwrap_or_default().to_owned()
}

/// A parameter's value as text.
pub(crate) fn value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// JSON over several lines.
pub(crate) fn pretty(value: &serde_json::Value) -> String {
    spelled_out(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// What a list shows of JSON, in characters.
const GLANCE_CHARS_MAX: usize = 120;

/// The beginning of JSON, in one line; nothing where there is nothing in it.
pub(crate) fn glance(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if matches!(text.as_str(), "{}" | "[]" | "null") {
        return String::new();
    }
    let shown = spelled_out(&text);
    let mut cut: String = shown.chars().take(GLANCE_CHARS_MAX).collect();
    if cut.len() < shown.len() {
        cut.push('…');
    }
    cut
}

/// SECURITY: what turns text around or takes no room is spelled out, so that nobody decides over something else than
/// they see.
fn spelled_out(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = matches!(u32::from(c), 0x7f..=0x9f | 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff | 0xe0000..=0xe0fff);
        if hidden {
            shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The query of a link, without what is empty; begins with `?`.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    format!("?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_hides_nothing_and_says_where_it_ends() {
        let about = serde_json::json!({"parameters": "x", "to": "a\u{202e}b"});
        assert_eq!(glance(&about), r#"{"parameters":"x","to":"a\u{202e}b"}"#);
        let long = glance(&serde_json::json!({"a": "x".repeat(500)}));
        assert!(long.ends_with("x…") && long.chars().count() == GLANCE_CHARS_MAX + 1, "{long}");
        assert_eq!(glance(&serde_json::json!({})), "");
        assert_eq!(sentence("https://a.example says no"), "https://a.example says no.");
        assert_eq!(sentence("it says no"), "It says no.");
    }

    #[test]
    fn times_read_as_people_say_them() {
        let now = Timestamp::from_micros(1_767_225_600_000_000);
        assert_eq!(stamp("2026-01-01T00:00:00.000001Z"), "2026-01-01 00:00:00 UTC");
        assert_eq!(stamp("soon"), "soon");
        assert_eq!(ago("2025-12-31T23:57:00Z", &now), "3 min ago");
        assert_eq!(ago("2025-12-31T23:59:58Z", &now), "just now");
        assert_eq!(ago("2026-01-01T02:00:00Z", &now), "in 2 h");
        assert_eq!(between("2026-01-01T00:00:00Z", "2026-01-01T00:02:05Z"), "2 min 5 s");
        assert_eq!(span(Duration::from_millis(4250)), "4.2 s");
        assert_eq!(span(Duration::from_secs(90_000)), "1 d 1 h");
    }

    #[test]
    fn sizes_and_counts_keep_their_magnitude() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(200 << 30), "200 GiB");
        assert_eq!(bytes(u64::MAX), "16383 PiB");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(permille(u64::MAX, 1), 1000);
        assert_eq!(permille(0, 0), 0);
    }

    #[test]
    fn ids_are_shortened_and_other_texts_are_not() {
        assert_eq!(short("run_0123456789ab7def8123456789abcdef"), "run_…89abcdef");
        assert_eq!(short("join_token"), "join_token");
        assert_eq!(page_of("join_1"), None);
        assert_eq!(page_of("node_1").as_deref(), Some("/nodes/node_1"));
    }

    #[test]
    fn texts_become_sentences() {
        assert_eq!(sentence("the command succeeded"), "The command succeeded.");
        assert_eq!(sentence("Really?"), "Really?");
        assert_eq!(sentence(" "), "");
    }

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(
            query(&[("text", "a&b=c"), ("action", ""), ("after", "7")]),
            "?text=a%26b%3Dc&after=7"
        );
    }
}
