//! `wardroom mcp stdio`: a bridge for programs that start a tool server and speak with it on standard input and output.
//! Each line is a message; here it goes on by WebSocket.

use super::super::{Exit, Failure, Session, http::segment};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

/// The longest message, in bytes; the orchestrator's own bound may be lower.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long answers are waited for after standard input has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Passes messages on until either side ends.
pub(super) async fn run(session: &Session, server: Option<&str>) -> Result<Exit, Failure> {
    let path = match server {
        Some(server) => format!("/mcp/{}", segment(server)?),
        None => "/mcp".to_owned(),
    };
    let stream = session.upgradable_api()?.upgrade(&path, "mcp").await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
    let (mut sender, mut receiver) = socket.split();
    let broken = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Unreachable,
            format!("the connection to the orchestrator broke off: {error}"),
        )
    };
    let local = |error: std::io::Error| {
        Failure::local(format!("standard output can't be written: {error}"))
    };
    let mut lines = BufReader::new(stdin()).lines();
    let mut out = stdout();
    let mut ended = None;
    loop {
        tokio::select! {
            line = lines.next_line(), if ended.is_none() => match line {
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => {
                    sender.send(Message::text(line)).await.map_err(|error| broken(&error))?;
                }
                Ok(None) => ended = Some(tokio::time::Instant::now() + LAST_ANSWERS),
                Err(error) => return Err(Failure::local(format!("standard input can't be read: {error}"))),
            },
            () = tokio::time::sleep_until(ended.unwrap_or_else(tokio::time::Instant::now)), if ended.is_some() => {
                let _ = sender.close().await;
                return Ok(Exit::Ok);
            }
            message = receiver.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    out.write_all(text.as_bytes()).await.map_err(local)?;
                    out.write_all(b"\n").await.map_err(local)?;
                    out.flush().await.map_err(local)?;
                }
                Some(Ok(Message::Close(frame))) => {
                    let why = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                    return Err(Failure::new(Exit::Denied, format!("the orchestrator ended the connection: {why}")));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(broken(&error)),
                None => return Err(broken(&"it ended")),
            },
        }
    }
}
