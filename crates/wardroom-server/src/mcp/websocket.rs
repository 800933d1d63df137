//! MCP over WebSocket: one message in each text frame. Who connects shows a token with the upgrade.

use super::{
    channel::{Channel, Closing},
    http::Arrived,
};
use crate::{App, error::ApiError, listen::KeptPlace};
use axum::{
    Extension,
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    response::Response,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use wardroom_core::Door;

/// What clients may ask the connection to be called.
const SUBPROTOCOL: &str = "mcp";
/// How often it is asked whether the other side is there.
const PING: Duration = Duration::from_secs(30);
/// A connection on which nothing came for so long is dead.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// The time in which a message must be on its way.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// What a connection's buffers start with; thousands of idle ones must stay small.
const BUFFER_BYTES: usize = 2 * 1024;

/// Opens a WebSocket for who was let in.
pub(super) async fn open(
    arrived: Arrived,
    place: Option<Extension<KeptPlace>>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let app = Arc::clone(&arrived.ctx.app);
    let (channel, _, messages) = Channel::open(arrived, Door::McpWebsocket).await?;
    let bytes_max = app.limits.message_bytes_max;
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(bytes_max)
        .max_frame_size(bytes_max)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * bytes_max);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _place = place;
        // On the heap: the state of a long-lived connection must not weigh on every upgrade's future.
        Box::pin(serve(app, channel, messages, socket)).await;
    }))
}

async fn serve(
    app: Arc<App>,
    mut channel: Channel,
    mut messages: mpsc::Receiver<String>,
    mut socket: WebSocket,
) {
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = tokio::time::Instant::now();
    let end = channel.told().end.clone();
    let close = loop {
        tokio::select! {
            () = app.stop.cancelled() => break (1001, "the server stops"),
            () = end.cancelled() => break (1008, "an operator ended the connection"),
            message = socket.recv() => {
                heard = tokio::time::Instant::now();
                let taken = match message {
                    Some(Ok(Message::Text(text))) => channel.take(text.as_bytes()).await,
                    Some(Ok(Message::Binary(_))) => break (1003, "messages are text"),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                    Some(Ok(Message::Close(_))) | None => return,
                    // A frame that is too large, or no frame at all.
                    Some(Err(_)) => break (1009, "the message is too large or no message"),
                };
                match taken {
                    Ok(()) => {}
                    Err(Closing::NotLetIn) => break (1008, "you are not let in any more"),
                    Err(Closing::Malformed) => break (1008, "too much of what came is no message"),
                    Err(Closing::Slow) => break (1008, "messages are not read"),
                }
            }
            Some(text) = messages.recv() => {
                channel.told().bytes_out.fetch_add(text.len() as u64, Ordering::Relaxed);
                let sending = socket.send(Message::Text(text.into()));
                if !matches!(timeout(SEND_TIMEOUT, sending).await, Ok(Ok(()))) {
                    return;
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    return;
                }
                // SECURITY: who only listens must still be let in.
                if !channel.is_let_in().await {
                    break (1008, "you are not let in any more");
                }
                let sending = socket.send(Message::Ping(Default::default()));
                if !matches!(timeout(SEND_TIMEOUT, sending).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    };
    // What was answered already goes first.
    while let Ok(text) = messages.try_recv() {
        let sending = socket.send(Message::Text(text.into()));
        if !matches!(timeout(SEND_TIMEOUT, sending).await, Ok(Ok(()))) {
            return;
        }
    }
    let frame = CloseFrame { code: close.0, reason: close.1.into() };
    let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
}
