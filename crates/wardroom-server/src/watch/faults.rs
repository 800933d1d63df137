//! What goes wrong inside, caught where it is logged: everything at the level of errors, panics too.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};
use wardroom_core::{
    Timestamp,
    redact::redact,
    watch::fault::{Fault, MESSAGE_CHARS_MAX, fingerprint},
};

/// Kinds of faults that are held until they are put down; beyond that they are only logged.
const KINDS_MAX: usize = 200;

/// Counts what is logged as an error until it is put down.
#[derive(Clone, Default)]
pub struct FaultLog(Arc<Mutex<BTreeMap<String, Fault>>>);

/// A span's request.
struct OfRequest(String);

/// The words of an event, and the run that it names.
#[derive(Default)]
struct Words {
    message: String,
    facts: String,
    run: Option<String>,
    id: Option<String>,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "run" => self.run = Some(format!("{value:?}")),
            "id" => self.id = Some(format!("{value:?}")),
            // It can't fail: it is a text in memory.
            name => drop(write!(self.facts, " {name}={value:?}")),
        }
    }
}

impl FaultLog {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, place: &str, words: Words, request: Option<String>) {
        let text = format!("{}{}", words.message, words.facts);
        // SECURITY: what is kept goes through the same net as what is logged.
        let text = String::from_utf8_lossy(&redact(text.as_bytes())).into_owned();
        let message: String = text.chars().take(MESSAGE_CHARS_MAX).collect();
        let fingerprint = fingerprint(place, &message);
        let mut held = self.held();
        if let Some(fault) = held.get_mut(&fingerprint) {
            fault.count += 1;
            fault.message = message;
            fault.request = request.or(fault.request.take());
            fault.run = words.run.or(fault.run.take());
        } else if held.len() < KINDS_MAX {
            let fault = Fault {
                fingerprint: fingerprint.clone(),
                place: place.to_owned(),
                message,
                count: 1,
                first_at: Timestamp::default(),
                last_at: Timestamp::default(),
                request,
                run: words.run,
                resolved_at: None,
            };
            held.insert(fingerprint, fault);
        }
    }

    /// What was counted since the last time.
    pub(crate) fn take(&self, now: Timestamp) -> Vec<Fault> {
        let taken = std::mem::take(&mut *self.held());
        taken.into_values().map(|fault| Fault { first_at: now, last_at: now, ..fault }).collect()
    }

    /// Takes back what could not be put down.
    pub(crate) fn put_back(&self, faults: Vec<Fault>) {
        let mut held = self.held();
        for fault in faults {
            match held.get_mut(&fault.fingerprint) {
                Some(newer) => newer.count += fault.count,
                None => drop(held.insert(fault.fingerprint.clone(), fault)),
            }
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for FaultLog {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != "request" {
            return;
        }
        let mut words = Words::default();
        attributes.record(&mut words);
        if let (Some(span), Some(request)) = (context.span(id), words.id) {
            span.extensions_mut().insert(OfRequest(request));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let request = context.event_scope(event).and_then(|mut scope| {
            scope.find_map(|span| span.extensions().get::<OfRequest>().map(|of| of.0.clone()))
        });
        self.count(event.metadata().target(), words, request);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn errors_are_counted_by_what_they_are_with_their_request_and_without_secrets() {
        let log = FaultLog::default();
        let subscriber = tracing_subscriber::registry().with(log.clone());
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", id = %"req_1");
            span.in_scope(|| {
                for number in 0..3 {
                    tracing::error!(run = %"run_1", "disk {number} failed: Bearer abcdefghijklmnop");
                }
            });
            tracing::error!("another thing");
            tracing::warn!("nothing of the kind");
        });
        let now = Timestamp::from_micros(9);
        let mut faults = log.take(now);
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.count));
        assert_eq!(faults.iter().map(|fault| fault.count).collect::<Vec<_>>(), [3, 1]);
        let first = &faults[0];
        assert_eq!(first.message, "disk 2 failed: Bearer [redacted]");
        assert_eq!(
            (first.request.as_deref(), first.run.as_deref()),
            (Some("req_1"), Some("run_1"))
        );
        assert_eq!((first.first_at, first.last_at), (now, now));
        assert!(log.take(now).is_empty());
        log.put_back(faults);
        assert_eq!(log.take(now).len(), 2);
    }

    #[test]
    fn a_flood_of_kinds_is_bounded() {
        let log = FaultLog::default();
        for number in 0..KINDS_MAX * 2 {
            let kind: String =
                number.to_string().chars().map(|c| char::from(c as u8 + 49)).collect();
            log.count(&kind, Words::default(), None);
        }
        assert_eq!(log.take(Timestamp::default()).len(), KINDS_MAX);
    }
}
