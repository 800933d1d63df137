//! MCP over TCP: one message on each line. The first says who speaks: `authenticate` with a token.

use super::{
    caller::McpCaller,
    channel::{Channel, Closing},
    exchange::Answered,
    is_visible,
};
use crate::{
    App,
    error::ApiError,
    middleware::{RequestInfo, by_token},
    places::network,
};
use futures_util::StreamExt as _;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    sync::mpsc,
    time::{Instant, interval, timeout},
};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use wardroom_core::{
    Door, Principal, RequestId,
    audit::{AuditDraft, AuditOutcome},
};
use wardroom_gateway::{
    door::Outlet,
    rpc::{Id, Message, Object, Request, RpcError, codes, parse},
};
use wardroom_wire::error::ErrorCode;

/// The time and the bytes in which a client must say who it is.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HANDSHAKE_BYTES_MAX: usize = 16 * 1024;
/// A connection on which nothing came for so long ends; `ping` keeps it.
const SILENCE_MAX: Duration = Duration::from_secs(30 * 60);
/// How often it is looked whether who speaks is still let in.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// The time in which a message must be on its way.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

type Lines<S> = FramedRead<ReadHalf<S>, LinesCodec>;

/// Serves a connection to its end.
pub(crate) async fn serve<S>(app: Arc<App>, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let id = RequestId::new(app.engine.now(), app.engine.rng());
    let info = RequestInfo { id, client: peer.ip().to_canonical(), door: Door::McpTcp };
    let (reader, mut writer) = split(stream);
    let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(HANDSHAKE_BYTES_MAX));
    let opened = timeout(HANDSHAKE_TIMEOUT, open(&app, info, &mut lines)).await;
    let (channel, messages, id) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(Some((id, error)))) => {
            let refused = Answered::of(id.as_ref(), &Err(error));
            let _ = timeout(SEND_TIMEOUT, say(&mut writer, &refused.text)).await;
            return;
        }
        Ok(Err(None)) | Err(_) => return,
    };
    let welcome = Answered::of(Some(&id), &Ok(Object::default()));
    if !matches!(timeout(SEND_TIMEOUT, say(&mut writer, &welcome.text)).await, Ok(Ok(()))) {
        return;
    }
    lines.decoder_mut().clone_from(&LinesCodec::new_with_max_length(app.limits.message_bytes_max));
    Box::pin(converse(app, channel, messages, lines, writer)).await;
}

/// What is answered before the connection ends; nothing where nobody is there.
type NotOpened = Option<(Option<Id>, RpcError)>;

/// Finds out who speaks.
async fn open<S: AsyncRead>(
    app: &Arc<App>,
    info: RequestInfo,
    lines: &mut Lines<S>,
) -> Result<(Channel, mpsc::Receiver<String>, Id), NotOpened> {
    let now = app.engine.now();
    if app.blocks.until(info.client, now).is_some() {
        return Err(Some((None, RpcError::refused("nothing from your network is let in now"))));
    }
    if app.rates.address(network(info.client)).is_err() {
        return Err(Some((None, RpcError::refused("too many connections: wait a moment"))));
    }
    let first = match lines.next().await {
        Some(Ok(line)) => parse(line.as_bytes()),
        Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
            let why = format!("the handshake is longer than {HANDSHAKE_BYTES_MAX} bytes");
            return Err(Some((None, RpcError::invalid_request(why))));
        }
        Some(Err(_)) | None => return Err(None),
    };
    let Ok(Message::Request(request)) = first else {
        let audit = AuditDraft::event("mcp.malformed", &Principal::Anonymous, &info.origin(), now)
            .outcome(AuditOutcome::Refused, "the first line is no handshake");
        let _ = app.refusals.record(app, audit).await;
        let why = "the first line must be a request `authenticate` with `token`";
        return Err(Some((None, RpcError::invalid_request(why))));
    };
    let id = request.id.clone();
    match authenticate(app, info, request).await {
        Ok((channel, messages)) => Ok((channel, messages, id)),
        Err(error) => Err(Some((Some(id), error))),
    }
}

async fn authenticate(
    app: &Arc<App>,
    info: RequestInfo,
    request: Request,
) -> Result<(Channel, mpsc::Receiver<String>), RpcError> {
    if request.method != "authenticate" {
        let why = "say first who you are: `authenticate` with `token`";
        return Err(RpcError::refused(why));
    }
    let token = request.params.text("token");
    let token = token.ok_or_else(|| RpcError::invalid_params("`token` must be a text"))?;
    let (shown, proof) = by_token(app, &info, &token).await.map_err(refused)?;
    let user = proof.principal.user().ok_or_else(RpcError::internal)?;
    let scope = request.params.text("server");
    if request.params.has("server") && scope.is_none() {
        return Err(RpcError::invalid_params("`server` must be a text"));
    }
    // SECURITY: what was granted for one server's tools is good for no other's.
    if !proof.reaches(app, scope.as_deref()) {
        return Err(refused(ApiError::new(ErrorCode::Unauthenticated)));
    }
    let now = app.engine.now();
    let place = app.channels.take(&proof, user, info.door, scope.clone(), now).map_err(refused)?;
    let (outlet, messages) = Outlet::new();
    let channel = Channel::new(Arc::clone(app), info, shown, outlet, place);
    let ctx = channel.admit().await.map_err(refused)?;
    let caller = McpCaller::new(ctx).map_err(refused)?;
    if scope.is_some_and(|name| !is_visible(app, &caller, &name)) {
        return Err(RpcError::invalid_params("`server` must name a tool server"));
    }
    Ok((channel, messages))
}

fn refused(error: ApiError) -> RpcError {
    match error.code {
        ErrorCode::Internal | ErrorCode::StoreUnavailable => RpcError::internal(),
        ErrorCode::Busy => RpcError::new(codes::UNAVAILABLE, error.detail.unwrap_or_default()),
        ErrorCode::Unauthenticated => RpcError::refused("the token is not known or has ended"),
        code => RpcError::refused(error.detail.unwrap_or_else(|| code.title().to_owned())),
    }
}

async fn say<S: AsyncWrite>(writer: &mut WriteHalf<S>, text: &str) -> std::io::Result<()> {
    writer.write_all(text.as_bytes()).await?;
    writer.write_all(b"\n").await?;
    writer.flush().await
}

async fn converse<S: AsyncRead + AsyncWrite>(
    app: Arc<App>,
    mut channel: Channel,
    mut messages: mpsc::Receiver<String>,
    mut lines: Lines<S>,
    mut writer: WriteHalf<S>,
) {
    let end = channel.told().end.clone();
    let mut check = interval(CHECK_EVERY);
    let mut heard = Instant::now();
    let error = loop {
        tokio::select! {
            _ = check.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    return;
                }
                // SECURITY: who only listens must still be let in.
                if !channel.is_let_in().await {
                    break RpcError::refused("you are not let in any more");
                }
            }
            () = app.stop.cancelled() => break RpcError::refused("the server stops"),
            () = end.cancelled() => break RpcError::refused("an operator ended the connection"),
            line = lines.next() => {
                heard = Instant::now();
                let taken = match line {
                    Some(Ok(line)) if line.is_empty() => Ok(()),
                    Some(Ok(line)) => channel.take(line.as_bytes()).await,
                    Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
                        let most = app.limits.message_bytes_max;
                        let why = format!("a message is longer than {most} bytes");
                        break RpcError::invalid_request(why);
                    }
                    Some(Err(_)) => break RpcError::parse("the message is not UTF-8"),
                    None => return,
                };
                match taken {
                    Ok(()) => {}
                    Err(Closing::NotLetIn) => break RpcError::refused("you are not let in any more"),
                    Err(Closing::Malformed) => {
                        break RpcError::invalid_request("too much of what came is no message");
                    }
                    Err(Closing::Slow) => return,
                }
            }
            Some(text) = messages.recv() => {
                channel.told().bytes_out.fetch_add(text.len() as u64, Ordering::Relaxed);
                if !matches!(timeout(SEND_TIMEOUT, say(&mut writer, &text)).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    };
    // What was answered already goes first.
    while let Ok(text) = messages.try_recv() {
        if !matches!(timeout(SEND_TIMEOUT, say(&mut writer, &text)).await, Ok(Ok(()))) {
            return;
        }
    }
    let last = Answered::of(None, &Err(error)).text;
    let _ = timeout(SEND_TIMEOUT, say(&mut writer, &last)).await;
    let _ = timeout(SEND_TIMEOUT, writer.shutdown()).await;
}
