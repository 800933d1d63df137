//! Amazon's event streams, read within bounds: frames with headers and a checked sum (the format
//! `application/vnd.amazon.eventstream` of AWS's Smithy specification).

use std::collections::BTreeMap;

/// The longest frame, in bytes.
const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Length, length of headers, and the sum over both.
const PRELUDE: usize = 12;
/// What stands in every frame beside headers and payload.
const AROUND: usize = PRELUDE + 4;

/// One frame.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its headers that are texts.
    pub headers: BTreeMap<String, String>,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Bytes that are no frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a piece of the stream is no frame: {0}")]
pub struct NoFrame(&'static str);

/// Makes frames of bytes.
#[derive(Debug, Default)]
pub struct FrameReader(Vec<u8>);

impl FrameReader {
    /// Takes bytes in; the frames that are whole by now.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, NoFrame> {
        self.0.extend_from_slice(bytes);
        let (mut frames, mut done) = (vec![], 0);
        while let Some((frame, length)) = frame(self.0.get(done..).unwrap_or_default())? {
            frames.push(frame);
            done += length;
        }
        self.0.drain(..done);
        Ok(frames)
    }

    /// Whether nothing of a frame is left over.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    four.try_into().ok().map(u32::from_be_bytes)
}

/// The frame at the beginning, and how long it is; nothing while it is not whole.
fn frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, NoFrame> {
    let (Some(length), Some(headers), Some(sum)) =
        (number(bytes, 0), number(bytes, 4), number(bytes, 8))
    else {
        return Ok(None);
    };
    let (length, headers) = (length as usize, headers as usize);
    if crc32fast::hash(bytes.get(..8).unwrap_or_default()) != sum {
        return Err(NoFrame("its beginning was altered"));
    }
    if length > FRAME_BYTES_MAX {
        return Err(NoFrame("it is too long"));
    }
    if length < AROUND || headers > length - AROUND {
        return Err(NoFrame("its lengths make no sense"));
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    let (body, sum) = whole.split_at(length - 4);
    if number(sum, 0) != Some(crc32fast::hash(body)) {
        return Err(NoFrame("it was altered"));
    }
    let (told, payload) = body.get(PRELUDE..).unwrap_or_default().split_at(headers);
    let frame = Frame { headers: texts(told)?, payload: payload.to_vec() };
    Ok(Some((frame, length)))
}

/// The headers that are texts; others are passed over.
fn texts(mut bytes: &[u8]) -> Result<BTreeMap<String, String>, NoFrame> {
    let cut = NoFrame("a header is cut");
    let mut found = BTreeMap::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(length.into()).ok_or(cut)?;
        let (&kind, rest) = rest.split_first().ok_or(cut)?;
        let (fixed, counted) = match kind {
            0 | 1 => (0, false),
            2 => (1, false),
            3 => (2, false),
            4 => (4, false),
            5 | 8 => (8, false),
            6 | 7 => (2, true),
            9 => (16, false),
            _ => return Err(NoFrame("a header is of no known type")),
        };
        let (value, mut rest) = rest.split_at_checked(fixed).ok_or(cut)?;
        if counted {
            let length = value.iter().fold(0_usize, |sum, byte| sum * 256 + usize::from(*byte));
            let (value, behind) = rest.split_at_checked(length).ok_or(cut)?;
            if kind == 7 {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                found.insert(text(name), text(value));
            }
            rest = behind;
        }
        bytes = rest;
    }
    Ok(found)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use data_encoding::HEXLOWER;

    /// The frame that AWS's own tests have: no headers.
    const BARE: &str = "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936";
    /// The beginning of an answer, as AWS's own reader takes it.
    const START: &str = "000000760000005296d5fade0b3a6576656e742d7479706507000c6d65737361676553746172740d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22726f6c65223a22617373697374616e74227d6fa8c599";

    /// A frame with these headers.
    pub(in crate::models) fn framed(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut told = vec![];
        for (name, value) in headers {
            told.push(name.len() as u8);
            told.extend_from_slice(name.as_bytes());
            told.push(7);
            told.extend_from_slice(&(value.len() as u16).to_be_bytes());
            told.extend_from_slice(value.as_bytes());
        }
        let mut frame = ((AROUND + told.len() + payload.len()) as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&(told.len() as u32).to_be_bytes());
        frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
        frame.extend_from_slice(&told);
        frame.extend_from_slice(payload);
        frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
        frame
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let bytes = HEXLOWER.decode([BARE, START].concat().as_bytes()).unwrap();
        for size in [1, 3, 16, 40, bytes.len()] {
            let (mut reader, mut frames) = (FrameReader::default(), vec![]);
            for piece in bytes.chunks(size) {
                frames.extend(reader.take(piece).unwrap());
            }
            assert!(reader.is_empty());
            assert_eq!(frames.len(), 2, "{size}");
            assert_eq!(frames[0].payload, b"{'foo':'bar'}");
            assert_eq!(frames[1].payload, b"{\"role\":\"assistant\"}");
            assert_eq!(frames[1].headers[":event-type"], "messageStart");
        }
        let own = framed(&[(":message-type", "event")], b"{}");
        assert_eq!(FrameReader::default().take(&own).unwrap()[0].payload, b"{}");
    }

    #[test]
    fn what_is_altered_cut_or_too_long_is_no_frame() {
        let whole = HEXLOWER.decode(START.as_bytes()).unwrap();
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            assert!(FrameReader::default().take(&altered).is_err(), "byte {at}");
        }
        let mut reader = FrameReader::default();
        assert_eq!(reader.take(&whole[..whole.len() - 1]).unwrap(), []);
        assert!(!reader.is_empty(), "a cut frame shows");
        let long = framed(&[], &vec![0; FRAME_BYTES_MAX]);
        assert!(FrameReader::default().take(&long[..20]).is_err(), "told before it is kept");
        // Headers that lie about their lengths, with sums that are right.
        for told in [&[5, b'a'][..], &[1, b'a', 7, 0, 9, b'x'], &[1, b'a', 42], &[1, b'a', 4, 0]] {
            let mut frame = ((AROUND + told.len()) as u32).to_be_bytes().to_vec();
            frame.extend_from_slice(&(told.len() as u32).to_be_bytes());
            frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
            frame.extend_from_slice(told);
            frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
            assert!(FrameReader::default().take(&frame).is_err(), "{told:?}");
        }
    }
}
