//! One connection, from hello to its end. Reading, writing and renewing the access token go on side by
//! side: a peer that does not read must not keep this node from reading, or both would wait for ever.

use super::Socket;
use crate::{daemon::Daemon, runner::Wire};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use std::{cell::Cell, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::Message;
use wardroom_wire::link::{LINK_VERSION, NodeFrame, OrchestratorFrame};

/// Frames that wait to be sent.
const FRAMES_WAITING_MAX: usize = 64;
/// How long sending may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the answer to hello may take.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(20);
/// Heartbeats after which a connection on which nothing came is dead.
const SILENT_BEATS_MAX: u32 = 3;
/// How long before its end an access token is renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// The longest that an access token is taken for good, whatever the orchestrator says.
const TOKEN_TTL_MAX: Duration = Duration::from_secs(86_400);
/// How long to wait before a failed renewal is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(10);

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

/// What the orchestrator said about the pace.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// Time between heartbeats; `None` before its welcome.
    beat: Option<Duration>,
    renew_at: Option<Instant>,
}

/// Talks until the connection ends.
pub async fn converse(daemon: &Daemon, socket: Socket, number: u64, token_ttl: Duration) -> Parted {
    let (outgoing, waiting) = mpsc::channel(FRAMES_WAITING_MAX);
    let (mut sink, stream) = socket.split();
    let hello = NodeFrame::Hello {
        version: LINK_VERSION,
        holding: daemon.holding(),
        runs_max: daemon.runs_max(),
    };
    if let Err(why) = send(&mut sink, [hello, daemon.catalogue()]).await {
        return Parted::Lost(why);
    }
    daemon.disconnected();
    let (paces, pace) = watch::channel(Pace { beat: None, renew_at: Some(renewal(token_ttl)) });
    let heard = Cell::new(Instant::now());
    daemon.wires.send_replace(Wire { number, outgoing: Some(outgoing.clone()) });
    let parted = tokio::select! {
        parted = read(daemon, stream, &heard, &paces, &outgoing) => parted,
        parted = write(daemon, &mut sink, waiting, &heard, pace.clone()) => parted,
        parted = renew(daemon, pace, &paces, &outgoing) => parted,
    };
    daemon.wires.send_replace(Wire { number, outgoing: None });
    let _ = timeout(Duration::from_secs(1), sink.close()).await;
    parted
}

/// Reads and obeys.
async fn read(
    daemon: &Daemon,
    mut stream: SplitStream<Socket>,
    heard: &Cell<Instant>,
    paces: &watch::Sender<Pace>,
    outgoing: &mpsc::Sender<NodeFrame>,
) -> Parted {
    loop {
        let received = stream.next().await;
        heard.set(Instant::now());
        let text = match received {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_))) => {
                return Parted::Lost("the orchestrator closed the connection".into());
            }
            Some(Ok(_)) => return Parted::Lost("a frame makes no sense: frames are text".into()),
            Some(Err(error)) => return Parted::Lost(error.to_string()),
            None => return Parted::Lost("the connection is gone".into()),
        };
        match serde_json::from_str(&text) {
            Ok(OrchestratorFrame::Welcome { heartbeat_seconds, token_expires_in }) => {
                let beat = Duration::from_secs(u64::from(heartbeat_seconds.clamp(1, 60)));
                let renew_at = renewal(Duration::from_secs(token_expires_in));
                paces.send_replace(Pace { beat: Some(beat), renew_at: Some(renew_at) });
            }
            Ok(OrchestratorFrame::Renewed { token_expires_in }) => {
                let renew_at = renewal(Duration::from_secs(token_expires_in));
                paces.send_modify(|pace| pace.renew_at = Some(renew_at));
            }
            Ok(OrchestratorFrame::Goodbye { code, message }) => {
                return match code.as_str() {
                    "removed" => Parted::Removed(message),
                    "disabled" => Parted::Disabled,
                    _ => Parted::Lost(format!("{code}: {message}")),
                };
            }
            Ok(frame) => {
                if let Err(why) = daemon.take(frame, outgoing).await {
                    return Parted::Lost(format!("a frame makes no sense: {why}"));
                }
            }
            // SECURITY: the error's own text can hold what the frame held.
            Err(error) => {
                return Parted::Lost(format!(
                    "a frame makes no sense, at its column {}",
                    error.column()
                ));
            }
        }
    }
}

/// Writes what waits, heartbeats and new catalogues.
async fn write(
    daemon: &Daemon,
    sink: &mut SplitSink<Socket, Message>,
    mut waiting: mpsc::Receiver<NodeFrame>,
    heard: &Cell<Instant>,
    mut pace: watch::Receiver<Pace>,
) -> Parted {
    let mut lists = daemon.lists.clone();
    lists.mark_unchanged();
    let Ok(Some(beat)) = timeout(WELCOME_TIMEOUT, welcome(&mut pace)).await else {
        return Parted::Lost("the orchestrator did not answer hello".into());
    };
    let mut beats = interval(beat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            frame = waiting.recv() => {
                let Some(first) = frame else { return Parted::Lost("the daemon stopped".into()) };
                let more = std::iter::from_fn(|| waiting.try_recv().ok()).take(FRAMES_WAITING_MAX);
                send(sink, std::iter::once(first).chain(more)).await
            }
            changed = lists.changed() => {
                if changed.is_err() {
                    return Parted::Lost("the allow-list is not followed any more".into());
                }
                daemon.stop_unlisted();
                send(sink, [daemon.catalogue()]).await
            }
            _ = beats.tick() => {
                if heard.get().elapsed() > beat * SILENT_BEATS_MAX {
                    return Parted::Lost("the orchestrator was silent for too long".into());
                }
                // The orchestrator answers a ping, which shows that it is there.
                match sink.feed(Message::Ping(Default::default())).await {
                    Ok(()) => send(sink, [daemon.heartbeat()]).await,
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        if let Err(why) = sent {
            return Parted::Lost(why);
        }
    }
}

/// The time between heartbeats, once the orchestrator said it.
async fn welcome(pace: &mut watch::Receiver<Pace>) -> Option<Duration> {
    pace.wait_for(|pace| pace.beat.is_some()).await.ok()?.beat
}

/// Renews the access token in time, as long as the connection lasts.
async fn renew(
    daemon: &Daemon,
    mut pace: watch::Receiver<Pace>,
    paces: &watch::Sender<Pace>,
    outgoing: &mpsc::Sender<NodeFrame>,
) -> Parted {
    loop {
        let renew_at = pace.borrow_and_update().renew_at;
        tokio::select! {
            changed = pace.changed() => {
                if changed.is_err() {
                    return Parted::Lost("the daemon stopped".into());
                }
                continue;
            }
            () = async { match renew_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            } } => {}
        }
        let again = match daemon.identity.access_token().await {
            // The next time is set by the answer.
            Ok((token, _)) => outgoing.send(NodeFrame::Renew { token }).await.ok().and(None),
            Err(error) => {
                tracing::warn!("the access token could not be renewed: {error:#}");
                Some(Instant::now() + RENEW_AGAIN)
            }
        };
        paces.send_modify(|pace| pace.renew_at = again);
    }
}

/// When to renew a token that is good for `ttl`.
fn renewal(ttl: Duration) -> Instant {
    let ttl = ttl.min(TOKEN_TTL_MAX);
    Instant::now() + if ttl > RENEW_BEFORE { ttl - RENEW_BEFORE } else { ttl / 2 }
}

/// Sends frames together.
async fn send(
    sink: &mut SplitSink<Socket, Message>,
    frames: impl IntoIterator<Item = NodeFrame>,
) -> Result<(), String> {
    let sending = async {
        for frame in frames {
            let text = serde_json::to_string(&frame).map_err(|error| error.to_string())?;
            sink.feed(Message::Text(text.into())).await.map_err(|error| error.to_string())?;
        }
        sink.flush().await.map_err(|error| error.to_string())
    };
    match timeout(SEND_TIMEOUT, sending).await {
        Ok(sent) => sent,
        Err(_) => Err("the orchestrator did not take what was sent".into()),
    }
}
