//! As much of CBOR (RFC 8949) as CTAP2 writes: definite lengths, no tags, integers that fit 64 bits.

use super::WebauthnError;

/// Containers within containers.
const DEPTH_MAX: u8 = 6;

/// A value; what is inside of a container is read over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Other,
}

/// Reads on from where it is.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

fn short() -> WebauthnError {
    WebauthnError::Form("it ends too early")
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], WebauthnError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(short)?;
        self.0 = rest;
        Ok(head)
    }

    /// An unsigned number of `count` bytes, at most eight.
    pub(super) fn number(&mut self, count: usize) -> Result<u64, WebauthnError> {
        Ok(self.take(count)?.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }

    pub(super) fn end(&self) -> Result<(), WebauthnError> {
        if self.0.is_empty() { Ok(()) } else { Err(WebauthnError::Form("it goes on too long")) }
    }

    /// Major type and argument (RFC 8949 §3).
    fn head(&mut self) -> Result<(u8, u64), WebauthnError> {
        let first = self.number(1)? as u8;
        let argument = match first & 0x1f {
            small @ 0..=23 => u64::from(small),
            24 => self.number(1)?,
            25 => self.number(2)?,
            26 => self.number(4)?,
            27 => self.number(8)?,
            _ => return Err(WebauthnError::Form("an indefinite length")),
        };
        Ok((first >> 5, argument))
    }

    /// The number of pairs of a map.
    pub(super) fn map(&mut self) -> Result<u64, WebauthnError> {
        match self.head()? {
            (5, count) => Ok(count),
            _ => Err(WebauthnError::Form("a map is missing")),
        }
    }

    pub(super) fn item(&mut self) -> Result<Item<'a>, WebauthnError> {
        self.nested(0)
    }

    /// A count that lies ends as too short: every item takes at least a byte.
    fn nested(&mut self, depth: u8) -> Result<Item<'a>, WebauthnError> {
        if depth > DEPTH_MAX {
            return Err(WebauthnError::Form("too many containers within each other"));
        }
        let (major, argument) = self.head()?;
        let signed = || i64::try_from(argument).map_err(|_| WebauthnError::Form("a number"));
        let length = || usize::try_from(argument).map_err(|_| short());
        Ok(match major {
            0 => Item::Int(signed()?),
            1 => Item::Int(-1 - signed()?),
            2 => Item::Bytes(self.take(length()?)?),
            3 => Item::Text(
                std::str::from_utf8(self.take(length()?)?)
                    .map_err(|_| WebauthnError::Form("a text"))?,
            ),
            4 | 5 => {
                for _ in 0..argument {
                    self.nested(depth + 1)?;
                    if major == 5 {
                        self.nested(depth + 1)?;
                    }
                }
                Item::Other
            }
            6 => return Err(WebauthnError::Form("a tag")),
            _ => Item::Other,
        })
    }
}
