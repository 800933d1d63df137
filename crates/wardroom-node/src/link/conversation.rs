//! One connection, from hello to its end.

use super::Socket;
use crate::{daemon::Daemon, runner::Wire};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::Message;
use wardroom_wire::link::{LINK_VERSION, NodeFrame, OrchestratorFrame};

/// Frames that wait to be sent.
const FRAMES_WAITING_MAX: usize = 64;
/// How long sending one frame may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection on which nothing came for so long is dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long before its end an access token is renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parted {
    /// The node was removed: there is nothing to come back to.
    Removed(String),
    /// The node is disabled: it tries again, seldom.
    Disabled,
    /// Anything else: it tries again.
    Lost(String),
}

/// Talks until the connection ends.
pub async fn converse(
    daemon: &Daemon,
    mut socket: Socket,
    number: u64,
    token_ttl: Duration,
) -> Parted {
    let (outgoing, mut waiting) = mpsc::channel(FRAMES_WAITING_MAX);
    let hello = NodeFrame::Hello {
        version: LINK_VERSION,
        holding: daemon.holding(),
        runs_max: daemon.runs_max(),
    };
    for frame in [hello, daemon.catalogue()] {
        if let Err(why) = send(&mut socket, &frame).await {
            return Parted::Lost(why);
        }
    }
    daemon.wires.send_replace(Wire { number, outgoing: Some(outgoing.clone()) });
    let parted = talk(daemon, &mut socket, &mut waiting, &outgoing, token_ttl).await;
    daemon.wires.send_replace(Wire { number, outgoing: None });
    daemon.disconnected();
    let _ = timeout(Duration::from_secs(1), socket.close(None)).await;
    parted
}

#[expect(clippy::too_many_lines, reason = "one select over everything that can happen on a link")]
async fn talk(
    daemon: &Daemon,
    socket: &mut Socket,
    waiting: &mut mpsc::Receiver<NodeFrame>,
    outgoing: &mpsc::Sender<NodeFrame>,
    token_ttl: Duration,
) -> Parted {
    let mut lists = daemon.lists.clone();
    lists.mark_unchanged();
    let mut heard = Instant::now();
    let mut renew_at = Instant::now() + renewal(token_ttl);
    let mut beat = interval(Duration::from_secs(15));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let frame = tokio::select! {
            frame = waiting.recv() => match frame {
                Some(frame) => frame,
                None => return Parted::Lost("the daemon stopped".into()),
            },
            received = socket.next() => {
                heard = Instant::now();
                let text = match received {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(_)) => return Parted::Lost("the orchestrator closed the connection".into()),
                    Some(Err(error)) => return Parted::Lost(error.to_string()),
                    None => return Parted::Lost("the connection is gone".into()),
                };
                match serde_json::from_str(&text) {
                    Ok(OrchestratorFrame::Welcome { heartbeat_seconds, token_expires_in }) => {
                        beat = interval(Duration::from_secs(u64::from(heartbeat_seconds.clamp(1, 60))));
                        renew_at = Instant::now() + renewal(Duration::from_secs(token_expires_in));
                    }
                    Ok(OrchestratorFrame::Renewed { token_expires_in }) => {
                        renew_at = Instant::now() + renewal(Duration::from_secs(token_expires_in));
                    }
                    Ok(OrchestratorFrame::Goodbye { code, message }) => return match code.as_str() {
                        "removed" => Parted::Removed(message),
                        "disabled" => Parted::Disabled,
                        _ => Parted::Lost(format!("{code}: {message}")),
                    },
                    Ok(frame) => daemon.take(frame, outgoing),
                    Err(error) => return Parted::Lost(format!("a frame makes no sense: {error}")),
                }
                continue;
            }
            changed = lists.changed() => {
                if changed.is_err() {
                    return Parted::Lost("the allow-list is not followed any more".into());
                }
                daemon.catalogue()
            }
            _ = beat.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    return Parted::Lost("the orchestrator was silent for too long".into());
                }
                // The orchestrator answers a ping, which shows that it is there.
                if let Err(error) = socket.send(Message::Ping(Default::default())).await {
                    return Parted::Lost(error.to_string());
                }
                NodeFrame::Heartbeat { report: daemon.report() }
            }
            () = sleep_until(renew_at) => {
                renew_at = Instant::now() + Duration::from_secs(10);
                match daemon.identity.access_token().await {
                    Ok((token, _)) => NodeFrame::Renew { token },
                    Err(error) => {
                        tracing::warn!("the access token could not be renewed: {error:#}");
                        continue;
                    }
                }
            }
        };
        if let Err(why) = send(socket, &frame).await {
            return Parted::Lost(why);
        }
    }
}

fn renewal(ttl: Duration) -> Duration {
    ttl.saturating_sub(RENEW_BEFORE).max(ttl / 2)
}

async fn send(socket: &mut Socket, frame: &NodeFrame) -> Result<(), String> {
    let text = serde_json::to_string(frame).map_err(|error| error.to_string())?;
    match timeout(SEND_TIMEOUT, socket.send(Message::Text(text.into()))).await {
        Ok(sent) => sent.map_err(|error| error.to_string()),
        Err(_) => Err("the orchestrator did not take what was sent".into()),
    }
}
