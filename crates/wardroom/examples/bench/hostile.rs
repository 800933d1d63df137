//! Messages that nobody should send, very many of them: none may reach a tool, end the orchestrator or stay in its memory.

use crate::{
    figure::{Figure, Target, number},
    gateway::{SETTINGS, tool_server, with_server},
    socket,
    world::World,
};
use anyhow::{Context as _, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls_pki_types::ServerName;
use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, split},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

/// Who sends them, by HTTP, by WebSocket and by TCP.
const BY_HTTP: usize = 8;
const BY_WEBSOCKET: usize = 4;
const BY_TCP: usize = 4;
/// Messages before memory is looked at for the first time.
const WARM_UP: u64 = 20_000;
/// One in so many is as long as a message may be, and longer.
const HUGE_EVERY: u64 = 5000;
const HUGE_BYTES: usize = 1_100_000;
/// How deep some go.
const DEPTH: usize = 20_000;

/// Numbers that look random and are the same each time (Marsaglia, xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.next() % most).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

/// The message `index`; none of them is a call that may be made.
fn message(index: u64) -> Vec<u8> {
    let mut numbers = Numbers((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    if index % HUGE_EVERY == HUGE_EVERY - 1 {
        return format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}",
            "x".repeat(HUGE_BYTES)
        )
        .into_bytes();
    }
    let text = match numbers.next() % 16 {
        0 => return numbers.bytes(600),
        1 => {
            let cut = 1 + numbers.next() as usize % (CALL.len() - 1);
            return CALL.as_bytes().get(..cut).unwrap_or_default().to_vec();
        }
        2 => {
            let mut bytes = CALL.replace("echo", "e\u{e9}cho").into_bytes();
            let place = numbers.next() as usize % bytes.len();
            bytes.insert(place, 0xff);
            return bytes;
        }
        3 => "[".repeat(DEPTH),
        4 => format!("{{\"a\":{}1{}", "[".repeat(DEPTH), "]".repeat(DEPTH)),
        5 => CALL.replace("\"id\":1", "\"id\":1,\"id\":2"),
        6 => CALL.replace("\"text\":\"x\"", "\"text\":\"x\",\"__proto__\":{\"admin\":true}"),
        7 => CALL.replace("\"id\":1", "\"id\":null"),
        8 => CALL.replace("\"id\":1", "\"id\":{\"a\":1}"),
        9 => CALL.replace("\"2.0\"", "\"1.0\""),
        10 => CALL.replace("2026-07-28", "2099-01-01"),
        11 => format!("[{}]", [CALL; 40].join(",")),
        12 => CALL.replace("tools/call", &format!("tools/{}", numbers.next())),
        13 => CALL.replace("\"echo\"", &format!("\"{}\"", numbers.next())),
        14 => CALL.replace("\"text\":\"x\"", "\"text\":\"x\",\"text\":\"y\""),
        _ => CALL.replace("\"params\":{", "\"result\":{},\"params\":{"),
    };
    text.into_bytes()
}

/// What was refused, however: by a status, an error, or the end of the connection.
#[derive(Default)]
struct Count {
    sent: AtomicU64,
    refused: AtomicU64,
}

async fn by_http(
    world: &World,
    url: &str,
    next: &AtomicU64,
    all: u64,
    count: &Count,
) -> anyhow::Result<()> {
    let client = world.another_client()?;
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= all {
            return Ok(());
        }
        let request = client
            .post(url)
            .bearer_auth(world.token())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "echo")
            .body(message(index));
        count.sent.fetch_add(1, Ordering::Relaxed);
        let refused = match request.send().await {
            Ok(answer) => {
                let status = answer.status();
                ensure!(!status.is_server_error() || status == 503, "{index}: {status}");
                let text = answer.text().await.unwrap_or_default();
                status.is_client_error() || status == 503 || text.contains("\"error\"")
            }
            // One that is too long is not read to its end.
            Err(_) => true,
        };
        ensure!(refused, "message {index} was not refused");
        count.refused.fetch_add(1, Ordering::Relaxed);
    }
}

async fn by_websocket(
    world: &World,
    tls: &TlsConnector,
    number: usize,
    next: &AtomicU64,
    all: u64,
    count: &Count,
) -> anyhow::Result<()> {
    loop {
        let mut socket =
            socket::open(world, tls, number, ("/mcp/fast", "mcp"), world.token()).await?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= all {
                return Ok(());
            }
            let bytes = message(index);
            let frame = match String::from_utf8(bytes) {
                Ok(text) => Message::text(text),
                Err(error) => Message::binary(error.into_bytes()),
            };
            count.sent.fetch_add(1, Ordering::Relaxed);
            let said = match socket.send(frame).await {
                Ok(()) => socket.next().await,
                Err(_) => None,
            };
            count.refused.fetch_add(1, Ordering::Relaxed);
            match said {
                Some(Ok(Message::Text(text))) => {
                    ensure!(text.contains("\"error\""), "message {index} was not refused: {text}");
                }
                // The connection ends after a few: another one is opened.
                _ => break,
            }
        }
    }
}

async fn by_tcp(
    world: &World,
    tls: &TlsConnector,
    port: u16,
    next: &AtomicU64,
    all: u64,
    count: &Count,
) -> anyhow::Result<()> {
    let token = world.token();
    let hello = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"authenticate\",\"params\":{{\"token\":\"{token}\",\"server\":\"fast\"}}}}\n"
    );
    loop {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        let (reader, mut writer) = split(tls.connect(name, stream).await?);
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(hello.as_bytes()).await?;
        writer.flush().await?;
        let welcome = lines.next_line().await?.unwrap_or_default();
        ensure!(welcome.contains("\"result\""), "not let in by TCP: {welcome}");
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= all {
                return Ok(());
            }
            // A line is a message: one that has ends of lines would be several, an empty one none.
            let mut line = message(index);
            line.iter_mut()
                .filter(|byte| matches!(byte, b'\n' | b'\r'))
                .for_each(|byte| *byte = b'x');
            line.extend_from_slice(if line.is_empty() { b"x\n" } else { b"\n" });
            count.sent.fetch_add(1, Ordering::Relaxed);
            let said = match send(&mut writer, &line).await {
                Ok(()) => lines.next_line().await.ok().flatten(),
                Err(_) => None,
            };
            count.refused.fetch_add(1, Ordering::Relaxed);
            match said {
                Some(text) => {
                    ensure!(text.contains("\"error\""), "message {index} was not refused: {text}");
                }
                // The connection ends after a few: another one is opened.
                None => break,
            }
        }
    }
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), line: &[u8]) -> std::io::Result<()> {
    writer.write_all(line).await?;
    writer.flush().await
}

/// Sends them all.
pub(crate) async fn messages(all: u64) -> anyhow::Result<Vec<Figure>> {
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let lines = format!("listen_mcp_tcp=127.0.0.1:{port}");
    let settings: Vec<&str> = SETTINGS.into_iter().chain([lines.as_str()]).collect();
    let world = Arc::new(World::with(&settings).await?);
    let (url, server) = tool_server().await?;
    let through = with_server(&world, "fast", &url).await?;
    let before_calls = server.calls.load(Ordering::Relaxed);
    let tls = TlsConnector::from(Arc::new(wardroom_trust::tls::client_config(&world.authority)?));
    let count = Arc::<Count>::default();
    let next = Arc::<AtomicU64>::default();
    let begun = Instant::now();
    let mut before = None;
    for until in [WARM_UP.min(all), all] {
        let mut senders = JoinSet::new();
        for number in 0..BY_HTTP + BY_WEBSOCKET + BY_TCP {
            let (world, tls, url) = (Arc::clone(&world), tls.clone(), through.clone());
            let (next, count) = (Arc::clone(&next), Arc::clone(&count));
            senders.spawn(async move {
                if number < BY_HTTP {
                    by_http(&world, &url, &next, until, &count).await
                } else if number < BY_HTTP + BY_WEBSOCKET {
                    by_websocket(&world, &tls, number, &next, until, &count).await
                } else {
                    by_tcp(&world, &tls, port, &next, until, &count).await
                }
            });
        }
        while let Some(sender) = senders.join_next().await {
            sender??;
        }
        next.store(until, Ordering::Relaxed);
        before.get_or_insert(world.resident()?);
    }
    let after = world.resident().context("the orchestrator is gone")?;
    let before = before.context("nothing was sent")?;
    let (sent, refused) =
        (count.sent.load(Ordering::Relaxed), count.refused.load(Ordering::Relaxed));
    let reached = server.calls.load(Ordering::Relaxed) - before_calls;
    let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
    let note = format!(
        "{} messages, {} refused, in {:.0} s, over HTTP, WebSocket and TCP; resident {:.0} MiB after the first {}, {:.0} MiB after all, {:.0} MiB at the highest",
        number(sent as f64),
        number(refused as f64),
        begun.elapsed().as_secs_f64(),
        mib(before.now),
        number(WARM_UP.min(all) as f64),
        mib(after.now),
        mib(after.peak)
    );
    let at_most =
        |what: &str, most, value, unit| Figure::new(what, Target::AtMost(most), value, unit);
    let grown = mib(after.now.saturating_sub(before.now));
    Ok(vec![
        at_most("hostile messages that reached a tool", 0.0, reached as f64, "calls"),
        at_most("hostile messages that were not refused", 0.0, (sent - refused) as f64, "messages"),
        at_most("memory that hostile messages leave behind", 16.0, grown, "MiB").note(note),
    ])
}
