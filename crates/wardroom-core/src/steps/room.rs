//! How long an answer may be, within what is left of a run.

use super::Limit;
use crate::model::{Price, Spend, Usage};

/// An answer that is shorter is worth no question.
const OUTPUT_TOKENS_MIN: u64 = 16;

/// What is left of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Of tokens and money.
    pub left: Spend,
}

impl Room {
    /// The longest answer, in tokens, to a question of `input_tokens`, of which `wanted` are wanted: it costs at most what
    /// is left, whatever it says.
    pub fn output_tokens_max(
        self,
        input_tokens: u64,
        wanted: u32,
        price: &Price,
    ) -> Result<u32, Limit> {
        let by_tokens = self.left.tokens.saturating_sub(input_tokens);
        if by_tokens < OUTPUT_TOKENS_MIN {
            return Err(Limit::Tokens);
        }
        let of = |output_tokens| {
            price.cost_micros_max(&Usage { input_tokens, output_tokens, ..Usage::default() })
        };
        let most = u64::from(wanted).min(by_tokens);
        if of(most) <= self.left.cost_micros {
            return Ok(u32::try_from(most).unwrap_or(wanted));
        }
        // What the input leaves, of which each token costs the same.
        let over = self.left.cost_micros.saturating_sub(of(0));
        let by_cost = u128::from(over) * 1_000_000 / u128::from(price.output.max(1));
        let by_cost = u64::try_from(by_cost).unwrap_or(u64::MAX).min(most);
        if of(0) > self.left.cost_micros || by_cost < OUTPUT_TOKENS_MIN {
            return Err(Limit::Cost);
        }
        Ok(u32::try_from(by_cost).unwrap_or(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price =
        Price { input: 1_000_000, output: 10_000_000, cache_read: None, cache_write: None };

    fn room(tokens: u64, cost_micros: u64) -> Room {
        Room { left: Spend { tokens, cost_micros } }
    }

    #[test]
    fn an_answer_fits_what_is_left() {
        let of = |tokens, cost, input| room(tokens, cost).output_tokens_max(input, 500, &PRICE);
        assert_eq!(of(10_000, 1_000_000, 100), Ok(500), "as long as is wanted");
        assert_eq!(of(300, 1_000_000, 100), Ok(200), "as tokens allow");
        assert_eq!(of(10_000, 1100, 100), Ok(100), "as money allows");
        assert_eq!(of(110, 1_000_000, 100), Err(Limit::Tokens));
        assert_eq!(of(10_000, 200, 100), Err(Limit::Cost));
        assert_eq!(of(10_000, 50, 100), Err(Limit::Cost));
        let free = Price { input: 0, output: 0, cache_read: None, cache_write: None };
        assert_eq!(room(10_000, 0).output_tokens_max(100, 500, &free), Ok(500));
    }

    #[test]
    fn what_fits_never_costs_more_than_is_left() {
        for cost in (0..20_000).step_by(37) {
            for input in [1, 50, 333] {
                let Ok(most) = room(100_000, cost).output_tokens_max(input, 4096, &PRICE) else {
                    continue;
                };
                let usage =
                    Usage { input_tokens: input, output_tokens: most.into(), ..Usage::default() };
                assert!(PRICE.cost_micros_max(&usage) <= cost, "{cost} {input} {most}");
            }
        }
    }
}
