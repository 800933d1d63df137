//! What models cost: a table with a version, and whole millionths of a US dollar.

use super::Usage;
use serde::{Deserialize, Serialize};

/// What the tokens of a model cost, in millionths of a US dollar for a million of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// That go in.
    pub input: u64,
    /// That come out.
    pub output: u64,
    /// That go in from the provider's cache; as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// That go in and are kept in the provider's cache; as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
}

/// Tokens of which a price speaks.
const MILLION: u128 = 1_000_000;

impl Price {
    /// What this much costs at most, whatever of it a cache gives or takes.
    pub fn cost_micros_max(&self, usage: &Usage) -> u64 {
        let dearest =
            self.input.max(self.cache_write.unwrap_or(0)).max(self.cache_read.unwrap_or(0));
        Self { input: dearest, ..*self }.cost_micros(usage)
    }

    /// What this much costs, in millionths of a US dollar, rounded up: what is spent is never less than counted.
    pub fn cost_micros(&self, usage: &Usage) -> u64 {
        let read = usage.cache_read_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens - read);
        let plain = usage.input_tokens - read - written;
        let of = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let all = of(plain, self.input)
            .saturating_add(of(read, self.cache_read.unwrap_or(self.input)))
            .saturating_add(of(written, self.cache_write.unwrap_or(self.input)))
            .saturating_add(of(usage.output_tokens, self.output));
        u64::try_from(all.div_ceil(MILLION)).unwrap_or(u64::MAX)
    }
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// The model, or with `*` at its end all whose names begin so.
    model: String,
    price: Price,
}

/// What models cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices {
    version: String,
    lines: Vec<Line>,
    /// Those that hold where none of these does.
    behind: Option<Box<Self>>,
}

/// A price, and the table that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The price.
    pub price: Price,
    /// The table's version: what the ledger says of each cost.
    pub version: &'a str,
}

/// Why a table of prices can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Two lines are about the same.
    #[error("two prices are for {0:?}")]
    Twice(String),
    /// A name is none.
    #[error("{0:?} is no name of a model, with `*` at its end at most")]
    Name(String),
}

impl Prices {
    /// A table with these lines: a model's name, or the beginning of names with `*`, and its price.
    pub fn new(
        version: impl Into<String>,
        lines: impl IntoIterator<Item = (String, Price)>,
    ) -> Result<Self, PriceError> {
        let mut table: Vec<Line> = vec![];
        for (model, price) in lines {
            let bare = model.strip_suffix('*').unwrap_or(&model);
            if model.is_empty() || bare.contains('*') {
                return Err(PriceError::Name(model));
            }
            if table.iter().any(|line| line.model == model) {
                return Err(PriceError::Twice(model));
            }
            table.push(Line { model, price });
        }
        Ok(Self { version: version.into(), lines: table, behind: None })
    }

    /// Which table it is.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// These, and those of `behind` where none of them fits.
    #[must_use]
    pub fn before(self, behind: Self) -> Self {
        Self { behind: Some(Box::new(behind)), ..self }
    }

    /// What a model costs: by its own line, or else by the longest beginning of its name.
    pub fn of(&self, model: &str) -> Option<Listed<'_>> {
        let fits = |line: &&Line| match line.model.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => line.model == model,
        };
        let exact = |line: &Line| (!line.model.ends_with('*'), line.model.len());
        let own = self.lines.iter().filter(fits).max_by_key(|line| exact(line));
        let own = own.map(|line| Listed { price: line.price, version: &self.version });
        own.or_else(|| self.behind.as_ref()?.of(model))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const PRICE: Price = Price {
        input: 3_000_000,
        output: 15_000_000,
        cache_read: Some(300_000),
        cache_write: None,
    };

    #[test]
    fn costs_are_whole_and_rounded_up() {
        let of = |input_tokens, cache_read_tokens, output_tokens| {
            let usage =
                Usage { input_tokens, cache_read_tokens, output_tokens, ..Usage::default() };
            PRICE.cost_micros(&usage)
        };
        assert_eq!(of(1_000_000, 0, 0), 3_000_000);
        assert_eq!(of(1_000_000, 1_000_000, 0), 300_000);
        assert_eq!(of(1000, 0, 100), 3000 + 1500);
        assert_eq!(
            (of(0, 1, 0), of(1, 1, 0), of(0, 0, 0)),
            (0, 1, 0),
            "a cache has no more than went in"
        );
        assert_eq!(of(u64::MAX, 0, u64::MAX), u64::MAX);
    }

    #[test]
    fn the_nearest_line_counts() {
        let price = |input| Price { input, output: 0, cache_read: None, cache_write: None };
        let lines = [("gpt-*", 1), ("gpt-5*", 2), ("gpt-5-mini", 3)];
        let lines = lines.map(|(model, input)| (model.to_owned(), price(input)));
        let prices = Prices::new("2026-11", lines.clone()).unwrap();
        let of = |model| prices.of(model).map(|listed| listed.price.input);
        assert_eq!((of("gpt-4"), of("gpt-5-large"), of("gpt-5-mini")), (Some(1), Some(2), Some(3)));
        assert_eq!((of("other"), of("")), (None, None));
        // What stands before goes first, however exact what is behind.
        let own =
            Prices::new("own", [("gpt-*".to_owned(), price(9))]).unwrap().before(prices.clone());
        let found = own.of("gpt-5-mini").unwrap();
        assert_eq!((found.price.input, found.version), (9, "own"));
        let both = Prices::new("own", []).unwrap().before(prices);
        assert_eq!(both.of("gpt-4").unwrap().version, "2026-11");
        let twice = lines.iter().chain(&lines).cloned();
        assert_eq!(Prices::new("", twice), Err(PriceError::Twice("gpt-*".into())));
        let odd = [("a*b".to_owned(), price(1))];
        assert_eq!(Prices::new("", odd), Err(PriceError::Name("a*b".into())));
    }
}
