//! Server-Sent Events, read within bounds (HTML Living Standard, «Server-sent events»).

use std::time::Duration;

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// What it is of, where that is said.
    pub name: Option<String>,
    /// What it carries.
    pub data: Vec<u8>,
}

/// Bytes without an end.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// Makes events of bytes.
#[derive(Debug, Default)]
pub struct SseReader {
    /// Of a line that has no end yet.
    line: Vec<u8>,
    /// The last byte was a carriage return.
    returned: bool,
    event: SseEvent,
    /// Whether a `data` line came.
    filled: bool,
    /// The last id that was told, for coming back.
    pub last_id: Option<String>,
    /// After how long to come back.
    pub retry: Option<Duration>,
}

impl SseReader {
    /// For a stream that goes on where this one broke off.
    pub fn carried(self) -> Self {
        Self { last_id: self.last_id, retry: self.retry, ..Self::default() }
    }

    /// Takes bytes in; the events that are whole by now.
    pub fn take(&mut self, bytes: &[u8], most: usize) -> Result<Vec<SseEvent>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.returned) => {}
                b'\n' | b'\r' => {
                    self.returned = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.line(&line));
                }
                byte => {
                    self.returned = false;
                    if self.line.len() + self.event.data.len() > most {
                        return Err(TooLong);
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(events)
    }

    fn line(&mut self, line: &[u8]) -> Option<SseEvent> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.filled).then_some(event);
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = || String::from_utf8_lossy(value).into_owned();
        match field {
            b"data" => {
                if self.filled {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
                self.filled = true;
            }
            b"event" => self.event.name = Some(text()),
            b"id" if !value.contains(&0) => self.last_id = Some(text()),
            b"retry" => {
                let millis = text().parse().ok();
                self.retry = millis.map(Duration::from_millis).or(self.retry);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = b"\n: hello\nid: 7\nretry: 20\nevent: message\ndata: {\"a\":\ndata:1}\r\n\r\ndata: x\r\rid\n\ndata\n\n";
        for size in [1, 2, 3, 7, text.len()] {
            let mut reader = SseReader::default();
            let mut events = Vec::new();
            for piece in text.chunks(size) {
                events.extend(reader.take(piece, 100).unwrap());
            }
            let data: Vec<&[u8]> = events.iter().map(|event| event.data.as_slice()).collect();
            assert_eq!(data, [&b"{\"a\":\n1}"[..], b"x", b""], "{size}");
            assert_eq!(events.first().unwrap().name.as_deref(), Some("message"));
            assert_eq!(reader.last_id.as_deref(), Some(""));
            assert_eq!(reader.retry, Some(Duration::from_millis(20)));
        }
        assert_eq!(SseReader::default().take(&[b'x'; 200], 100), Err(TooLong));
        let endless = b"data: 0123456789\n".repeat(20);
        assert_eq!(SseReader::default().take(&endless, 100), Err(TooLong));
    }
}
