//! What models cost: what the file about models says, and behind it what is known of their makers.

use super::models::Kind;
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use wardroom_core::model::{Price, Prices};

/// What models cost in October 2026 at their makers, in US dollars for a million tokens: input, output, read from the
/// cache, written to it. Where a price depends on a question's length the higher one stands here.
const KNOWN_PRICES: [(Kind, &str, [f64; 4]); 12] = [
    (Kind::Anthropic, "claude-fable-5-1*", [10.0, 50.0, 0.25, 12.5]),
    (Kind::Anthropic, "claude-fable-5*", [10.0, 50.0, 1.0, 12.5]),
    (Kind::Anthropic, "claude-opus-5-5*", [4.0, 20.0, 0.2, 5.0]),
    (Kind::Anthropic, "claude-opus-5*", [5.0, 25.0, 0.5, 6.25]),
    (Kind::Anthropic, "claude-opus-4-*", [5.0, 25.0, 0.5, 6.25]),
    (Kind::Anthropic, "claude-sonnet-5-5*", [2.0, 10.0, 0.1, 2.5]),
    (Kind::Anthropic, "claude-sonnet-5*", [2.0, 10.0, 0.2, 2.5]),
    (Kind::Anthropic, "claude-haiku-5-5*", [0.5, 2.5, 0.05, 0.625]),
    (Kind::Anthropic, "claude-haiku-4-5*", [1.0, 5.0, 0.1, 1.25]),
    (Kind::Openai, "gpt-6.1-sol*", [2.0, 10.0, 0.1, 2.5]),
    (Kind::Openai, "gpt-6-sol*", [2.0, 10.0, 0.2, 2.5]),
    (Kind::Openai, "gpt-6-luna*", [0.1, 0.5, 0.01, 0.125]),
];
/// Which table that is.
pub(super) const KNOWN_VERSION: &str = "built-in 2026-10";

/// In US dollars for a million tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceEntry {
    model: String,
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
}

/// A provider's own prices, and behind them those that are known of its maker.
pub(super) fn prices(
    of: Kind,
    version: Option<&str>,
    own: &[PriceEntry],
) -> anyhow::Result<Prices> {
    let mut lines = vec![];
    for price in own {
        let maybe = |dollars: Option<f64>| dollars.map(micros).transpose();
        let price_of = || {
            anyhow::Ok(Price {
                input: micros(price.input)?,
                output: micros(price.output)?,
                cache_read: maybe(price.cache_read)?,
                cache_write: maybe(price.cache_write)?,
            })
        };
        let one = price_of().with_context(|| format!("the price of {:?}", price.model))?;
        lines.push((price.model.clone(), one));
    }
    let mut known = vec![];
    for (kind, model, [input, output, read, written]) in KNOWN_PRICES {
        if kind == of {
            let (cache_read, cache_write) = (Some(micros(read)?), Some(micros(written)?));
            let (input, output) = (micros(input)?, micros(output)?);
            known.push((model.to_owned(), Price { input, output, cache_read, cache_write }));
        }
    }
    if of == Kind::Scripted {
        let nothing = Price { input: 0, output: 0, cache_read: None, cache_write: None };
        known.push(("*".to_owned(), nothing));
    }
    let known = Prices::new(KNOWN_VERSION, known)?;
    Ok(Prices::new(version.unwrap_or("models_file"), lines)?.before(known))
}

/// Dollars for a million tokens as millionths of a dollar for a million.
fn micros(dollars: f64) -> anyhow::Result<u64> {
    ensure!(
        (0.0..=1_000_000.0).contains(&dollars),
        "a price is 0 to 1000000 US dollars for a million tokens"
    );
    Ok((dollars * 1e6).round() as u64)
}
