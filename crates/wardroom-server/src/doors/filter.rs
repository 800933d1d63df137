//! A net for requests that have the form of an attack, in their path, query and describing headers. It is
//! one more layer: nothing here is what keeps such an attack from working. Payloads are never rewritten.

use axum::http::{HeaderMap, Uri, header};
use regex::Regex;
use std::{borrow::Cow, collections::BTreeMap, str::FromStr};

/// The longest text that is looked at; what is longer is looked at as far as this.
const TEXT_BYTES_MAX: usize = 8192;
/// How often a text is decoded: attacks hide behind several layers.
const DECODINGS_MAX: usize = 2;

/// The rules: a name, what it recognises.
const RULES: [(&str, &str); 5] = [
    (
        "sqli",
        r#"(?i)\bunion\b[\s/*+]{1,20}(?:all[\s/*+]{1,20})?select\b|['")]\s*(?:or|and)\s+['"(]?\w+['")]?\s*(?:=|like|<|>)|;\s*(?:drop|alter|truncate|insert|delete|update|exec)\s|\b(?:pg_sleep|sleep|benchmark|waitfor\s+delay)\s*\(?\s*['"\d]|/\*!\d|\bxp_cmdshell\b"#,
    ),
    (
        "xss",
        r"(?i)<\s*(?:script|iframe|object|embed|svg|img|body|link|meta)\b|\bjavascript\s*:|\bon(?:error|load|click|focus|mouseover|toggle)\s*=|\bsrcdoc\s*=",
    ),
    (
        "traversal",
        r"(?i)(?:^|[/\\=&?])\.\.(?:[/\\]|$)|/etc/(?:passwd|shadow)\b|\bc:\\windows\\|\x00|/proc/self/",
    ),
    (
        "ssrf",
        r"(?i)\b(?:https?|ftp|gopher|dict|file|ldap)://(?:127\.|0\.0\.0\.0|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|localhost\b|\[::1?\]|\[fd|\[fe80|metadata\.)|\bfile:///",
    ),
    ("pollution", r"(?i)__proto__|\bconstructor\s*[\[.]\s*prototype\b|\[\s*constructor\s*\]"),
];

/// What to do with a request that a rule recognises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterMode {
    /// Nothing: it is not looked at.
    Off,
    /// It is counted and recorded, and goes on.
    Detect,
    /// It is counted, recorded and refused.
    Block,
}

/// What to do, by rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterRules(BTreeMap<&'static str, FilterMode>);

/// A text that is not a list of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not understood: give off, detect or block, and exceptions as RULE=MODE behind it, where RULE is one of sqli, xss, traversal, ssrf, pollution"
)]
pub struct FilterError(String);

impl Default for FilterRules {
    fn default() -> Self {
        Self(RULES.iter().map(|(name, _)| (*name, FilterMode::Detect)).collect())
    }
}

impl FromStr for FilterRules {
    type Err = FilterError;
    /// `block,sqli=detect`: a mode for all, then single rules.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        let error = |part: &str| FilterError(part.to_owned());
        let mode = |text: &str| match text {
            "off" => Ok(FilterMode::Off),
            "detect" => Ok(FilterMode::Detect),
            "block" => Ok(FilterMode::Block),
            other => Err(error(other)),
        };
        let mut rules = Self::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None => {
                    let wanted = mode(part)?;
                    rules.0.values_mut().for_each(|mode| *mode = wanted);
                }
                Some((rule, text)) => {
                    *rules.0.get_mut(rule).ok_or_else(|| error(rule))? = mode(text)?;
                }
            }
        }
        Ok(rules)
    }
}

/// What a rule recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// The rule.
    pub(crate) rule: &'static str,
    /// Where: `path`, `query` or a header's name.
    pub(crate) place: &'static str,
    /// Whether the request is refused.
    pub(crate) blocks: bool,
}

/// The rules, ready to be used.
pub(crate) struct Filter(Vec<(&'static str, Option<Regex>, FilterMode)>);

impl Filter {
    pub(crate) fn new(rules: &FilterRules) -> Self {
        let made = RULES.iter().filter_map(|(name, pattern)| {
            let mode = rules.0.get(name).copied().filter(|mode| *mode != FilterMode::Off)?;
            Some((*name, Regex::new(pattern).ok(), mode))
        });
        Self(made.collect())
    }

    /// What the rules recognise in a request: of those that block, the first; else of those that detect.
    pub(crate) fn look(&self, uri: &Uri, headers: &HeaderMap) -> Option<Found> {
        let header =
            |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let places: [(&'static str, Option<Cow<'_, str>>); 4] = [
            ("path", Some(Cow::Borrowed(uri.path()))),
            ("query", uri.query().map(Cow::Borrowed)),
            ("user-agent", header(header::USER_AGENT)),
            ("referer", header(header::REFERER).map(behind_authority)),
        ];
        let mut first = None;
        for (place, text) in places {
            let Some(text) = text else { continue };
            for layer in layers(&text, place == "query") {
                for (rule, pattern, mode) in &self.0 {
                    // SECURITY: a pattern that could not be read recognises everything; a test reads them.
                    if pattern.as_ref().is_none_or(|pattern| pattern.is_match(&layer)) {
                        let blocks = *mode == FilterMode::Block;
                        let found = Found { rule, place, blocks };
                        if blocks {
                            return Some(found);
                        }
                        first.get_or_insert(found);
                    }
                }
            }
        }
        first
    }
}

/// What a page's address has behind its host. The host is where somebody reads the dashboard, often at a private
/// address, and nothing that a rule is about.
fn behind_authority(address: Cow<'_, str>) -> Cow<'_, str> {
    let rest = ["https://", "http://"].iter().find_map(|scheme| address.strip_prefix(scheme));
    match rest {
        Some(rest) => {
            Cow::Owned(rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]).to_owned())
        }
        None => address,
    }
}

/// A text as it is, and with each layer of percent encoding taken off.
fn layers(text: &str, is_query: bool) -> Vec<String> {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    let mut layer = text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned();
    let mut found = Vec::with_capacity(1 + DECODINGS_MAX);
    for turn in 0..=DECODINGS_MAX {
        let plus = if is_query && turn == 0 { layer.replace('+', " ") } else { layer.clone() };
        let decoded = decoded(&plus);
        found.push(layer);
        if found.last() == Some(&decoded) {
            break;
        }
        layer = decoded;
    }
    found
}

fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| *byte == b'%');
        let hex = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match hex {
            Some(value) => {
                out.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn look(rules: &str, target: &str) -> Option<Found> {
        Filter::new(&rules.parse().unwrap()).look(&target.parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn every_pattern_can_be_read_and_the_classic_attacks_are_recognised() {
        assert!(RULES.iter().all(|(_, pattern)| Regex::new(pattern).is_ok()));
        for (rule, target) in [
            ("sqli", "/audit?text=1'%20OR%20'1'='1"),
            ("sqli", "/runs?after=x%27+union+all+select+1"),
            ("sqli", "/runs?after=1;%20DROP%20TABLE%20users"),
            ("sqli", "/runs?after=1%20and%20pg_sleep(5)"),
            ("xss", "/runs?command=%3Cscript%3Ealert(1)%3C/script%3E"),
            ("xss", "/runs?command=%253Cimg%2520src%253Dx%2520onerror%253D1"),
            ("traversal", "/assets/..%2f..%2fetc/passwd"),
            ("traversal", "/runs?file=../../x"),
            ("ssrf", "/runs?url=http://169.254.169.254/latest/meta-data"),
            ("ssrf", "/runs?url=file:///etc/hosts"),
            ("pollution", "/runs?__proto__[x]=1"),
        ] {
            let found = look("block", target);
            assert!(found.is_some_and(|found| found.blocks), "{target}");
            assert_eq!(found.unwrap().rule, rule, "{target}");
        }
        let headers = HeaderMap::from_iter([(
            header::USER_AGENT,
            "<script>alert(1)</script>".parse().unwrap(),
        )]);
        let filter = Filter::new(&"block".parse().unwrap());
        let found = filter.look(&"/".parse().unwrap(), &headers).unwrap();
        assert_eq!((found.rule, found.place), ("xss", "user-agent"));
    }

    #[test]
    fn sound_requests_pass() {
        for target in [
            "/",
            "/api/v1/runs?state=failed&node=web-1&limit=50&after=run_0123456789ab7def8123456789abcdef",
            "/audit?action=auth.&text=the%20union%20of%20operators",
            "/audit?from=2026-01-01T00%3A00&text=select%20a%20node",
            "/users?role=operator&state=active",
            "/sign-in?next=%2Fruns%3Fstate%3Dfailed",
            "/account/prove?next=/users/user_01",
            "/audit?text=O'Brien%20and%20sons",
        ] {
            assert_eq!(look("block", target), None, "{target}");
        }
    }

    #[test]
    fn where_the_dashboard_is_read_is_no_attack_and_the_rest_of_a_referrer_is_looked_at() {
        let filter = Filter::new(&"block".parse().unwrap());
        let from = |address: &str| {
            let headers = HeaderMap::from_iter([(header::REFERER, address.parse().unwrap())]);
            filter.look(&"/".parse().unwrap(), &headers).map(|found| (found.rule, found.place))
        };
        for sound in
            ["https://localhost:4000/", "https://127.0.0.1/runs?state=failed", "http://10.0.0.3"]
        {
            assert_eq!(from(sound), None, "{sound}");
        }
        for bad in
            ["https://localhost/?url=http://169.254.169.254/", "//10.0.0.1/?u=http://127.0.0.1/"]
        {
            assert_eq!(from(bad), Some(("ssrf", "referer")), "{bad}");
        }
    }

    #[test]
    fn modes_are_for_all_or_for_single_rules() {
        let attack = "/runs?__proto__=1";
        assert!(!look("detect", attack).unwrap().blocks);
        assert!(look("detect,pollution=block", attack).unwrap().blocks);
        assert_eq!(look("block,pollution=off", attack), None);
        for bad in ["", "on", "block,x=off", "sqli"] {
            assert!(bad.parse::<FilterRules>().is_err(), "{bad:?}");
        }
    }
}
