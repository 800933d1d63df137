//! `GET /node/v1/link`: the node's WebSocket.

use super::{frames, refused};
use crate::{App, error::ApiError, listen::KeptPlace, middleware::RequestInfo};
use axum::{
    Extension,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, header},
    response::Response,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use wardroom_core::{
    NodeId, Principal,
    audit::{AuditDraft, AuditOutcome},
    node::Catalogue,
};
use wardroom_engine::{
    EngineError,
    link::{Goodbye, Link, ToNode},
};
use wardroom_wire::link::{
    CatalogueShape, FRAME_BYTES_MAX, LINK_SUBPROTOCOL, LINK_VERSION, NodeFrame, OrchestratorFrame,
};

/// How often a node says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A link on which nothing came for so long is dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The time in which a node must say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// The time in which a frame must be on its way; a node that reads slower loses its link.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// What a connection's buffers start with; ten thousand idle links must stay small.
const BUFFER_BYTES: usize = 2 * 1024;

/// Checks the node's access token, then upgrades.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    place: Option<Extension<KeptPlace>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    // SECURITY: a browser always sends Origin; no node does. This door is not for web pages.
    if headers.contains_key(header::ORIGIN) {
        return Err(refused("this door is not for browsers"));
    }
    let (node, expires_in) = match token_of(&app, &headers) {
        Ok(claims) => claims,
        Err(why) => {
            let audit = AuditDraft::event(
                "node.link",
                &Principal::Anonymous,
                &info.origin(),
                app.engine.now(),
            )
            .outcome(AuditOutcome::Refused, why);
            app.refusals.record(&app, audit).await?;
            return Err(refused(why));
        }
    };
    let upgrade = upgrade
        .protocols([LINK_SUBPROTOCOL])
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * FRAME_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _place = place;
        // On the heap: the state of a long-lived link must not weigh on every upgrade's future.
        Box::pin(serve(app, info, node, expires_in, socket)).await;
    }))
}

/// The node and for how long its token is good.
fn token_of(app: &App, headers: &HeaderMap) -> Result<(NodeId, Duration), &'static str> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or("the request carries no access token")?;
    verify(app, token)
}

fn verify(app: &App, token: &str) -> Result<(NodeId, Duration), &'static str> {
    let now = app.engine.now();
    let claims = app
        .node_tokens
        .verify(token, now)
        .map_err(|_| "the access token is not valid or has expired")?;
    Ok((claims.node, claims.expires_at.since(now)))
}

async fn serve(
    app: Arc<App>,
    info: RequestInfo,
    node: NodeId,
    expires_in: Duration,
    mut socket: WebSocket,
) {
    let hello = timeout(HELLO_TIMEOUT, receive(&mut socket)).await;
    let (holding, runs_max) = match hello {
        Ok(Some(Ok(NodeFrame::Hello { version: LINK_VERSION, holding, runs_max }))) => {
            match frames::holding(&holding) {
                Ok(holding) => (holding, runs_max),
                Err(what) => return part(&mut socket, Goodbye::Protocol(what)).await,
            }
        }
        Ok(Some(Ok(NodeFrame::Hello { .. }))) => {
            return part(
                &mut socket,
                Goodbye::Protocol("this orchestrator speaks version 1 of the link"),
            )
            .await;
        }
        _ => return part(&mut socket, Goodbye::Protocol("the first frame must be hello")).await,
    };
    let welcome = OrchestratorFrame::Welcome {
        heartbeat_seconds: HEARTBEAT.as_secs() as u32,
        token_expires_in: expires_in.as_secs(),
    };
    if send(&mut socket, &welcome).await.is_err() {
        return;
    }
    let (link, outgoing) = match app.engine.open_link(node, info.origin(), holding, runs_max).await
    {
        Ok(opened) => opened,
        Err(EngineError::NodeDisabled) => return part(&mut socket, Goodbye::Disabled).await,
        Err(EngineError::NotFound(_)) => return part(&mut socket, Goodbye::Removed).await,
        Err(EngineError::TooOften) => {
            return part(&mut socket, Goodbye::Protocol("the link is opened too often")).await;
        }
        Err(error) => {
            tracing::warn!(%node, %error, "a link could not be opened");
            return part(&mut socket, Goodbye::Store).await;
        }
    };
    let mut conversation =
        Conversation { app, link: Arc::clone(&link), socket, expires: Instant::now() + expires_in };
    let why = conversation.run(outgoing).await;
    link.close(why).await;
}

struct Conversation {
    app: Arc<App>,
    link: Arc<Link>,
    socket: WebSocket,
    expires: Instant,
}

impl Conversation {
    /// Talks until the link ends; says why it did.
    async fn run(
        &mut self,
        mut outgoing: tokio::sync::mpsc::Receiver<Box<ToNode>>,
    ) -> &'static str {
        let mut heard = Instant::now();
        let mut pulse = interval(HEARTBEAT);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                why = self.link.goodbye() => {
                    part(&mut self.socket, why).await;
                    return "the orchestrator said goodbye";
                }
                frame = outgoing.recv() => {
                    let Some(frame) = frame else { return "the link was given up" };
                    let frame = frames::outgoing(*frame, self.app.engine.now());
                    if send(&mut self.socket, &frame).await.is_err() {
                        return "the node did not take what was sent";
                    }
                }
                received = receive(&mut self.socket) => {
                    heard = Instant::now();
                    let taken = match received {
                        None => return "the node closed the connection",
                        Some(Err(what)) => Err(what),
                        Some(Ok(frame)) => self.take(frame).await,
                    };
                    if let Err(what) = taken {
                        part(&mut self.socket, Goodbye::Protocol(what)).await;
                        return what;
                    }
                }
                () = sleep_until(self.expires) => {
                    let frame = OrchestratorFrame::Goodbye {
                        code: "token_expired".to_owned(),
                        message: "the access token was not renewed in time".to_owned(),
                    };
                    let _ = send(&mut self.socket, &frame).await;
                    return "the access token expired";
                }
                _ = pulse.tick() => {
                    if heard.elapsed() > SILENCE_MAX {
                        return "the node was silent for too long";
                    }
                }
            }
        }
    }

    async fn take(&mut self, frame: NodeFrame) -> Result<(), &'static str> {
        match frame {
            NodeFrame::Hello { .. } => Err("hello was said twice"),
            NodeFrame::Heartbeat { report, holding } => {
                let (report, holding) = (frames::node_report(report)?, frames::holding(&holding)?);
                let kept = self.link.heartbeat(report, &holding).await;
                kept.map_err(|_| "the heartbeat could not be stored")
            }
            NodeFrame::Catalogue { catalogue } => {
                match checked(Arc::clone(&self.app), catalogue).await {
                    Ok(catalogue) => self
                        .link
                        .publish(catalogue)
                        .await
                        .map_err(|_| "the catalogue could not be stored"),
                    Err(reason) => self
                        .link
                        .catalogue_refused(&reason)
                        .await
                        .map_err(|_| "the catalogue's refusal could not be recorded"),
                }
            }
            NodeFrame::Renew { token } => self.renew(&token).await,
            frame => {
                let Some(frame) = frames::instance(&self.link, frame)? else { return Ok(()) };
                if let Some(report) = frames::report(frame)? {
                    self.link.report(report).await;
                }
                Ok(())
            }
        }
    }

    /// The node brings a fresh token: the connection may live as long as it.
    async fn renew(&mut self, token: &str) -> Result<(), &'static str> {
        let (node, expires_in) = verify(&self.app, token)?;
        // SECURITY: another node's token must not keep this node's link open.
        if node != self.link.node() {
            return Err("the new access token is another node's");
        }
        self.expires = Instant::now() + expires_in;
        let frame = OrchestratorFrame::Renewed { token_expires_in: expires_in.as_secs() };
        send(&mut self.socket, &frame).await.map_err(|()| "the node did not take what was sent")
    }
}

/// A catalogue, checked where that holds nothing up: its patterns take their time to be compiled. One at a
/// time, so that nodes can't use up the machine with them.
async fn checked(app: Arc<App>, shape: CatalogueShape) -> Result<Catalogue, String> {
    let permit = Arc::clone(&app.catalogues).acquire_owned().await;
    let checking = tokio::task::spawn_blocking(move || {
        let _one_at_a_time = permit;
        frames::catalogue(shape)
    });
    checking.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The next frame; `None` when the connection is gone.
async fn receive(socket: &mut WebSocket) -> Option<Result<NodeFrame, &'static str>> {
    loop {
        return match socket.recv().await? {
            Ok(Message::Text(text)) => {
                Some(serde_json::from_str(&text).map_err(|_| "a frame is not of the link's form"))
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Binary(_)) => Some(Err("frames are text")),
            Ok(Message::Close(_)) | Err(_) => None,
        };
    }
}

async fn send(socket: &mut WebSocket, frame: &OrchestratorFrame) -> Result<(), ()> {
    let text = serde_json::to_string(frame).map_err(|_| ())?;
    match timeout(SEND_TIMEOUT, socket.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}

/// Says goodbye and closes.
async fn part(socket: &mut WebSocket, why: Goodbye) {
    if send(socket, &frames::goodbye(why)).await.is_ok() {
        let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(None))).await;
    }
}
