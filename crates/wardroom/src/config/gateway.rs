//! The gateway: its doors, and when tool servers are left alone.

use super::Config;
use anyhow::{Context as _, ensure};
use secrecy::SecretString;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use wardroom_server::{BreakerRules, ListenError, Listener, StaticToken, StaticTokenError};

/// The ports of the doors where an address names none.
const WEBSOCKET_PORT: u16 = 3002;
const TCP_PORT: u16 = 9500;

/// A door of the gateway that is to be opened.
pub(crate) enum McpDoor {
    /// For WebSockets.
    WebSocket(SocketAddr),
    /// For lines.
    Tcp(SocketAddr),
}

impl McpDoor {
    /// Opens it.
    pub(crate) async fn listen(self, plain: bool) -> Result<Listener, ListenError> {
        match self {
            Self::WebSocket(address) => Listener::websockets(address, plain).await,
            Self::Tcp(address) => Listener::tcp(address, plain).await,
        }
    }
}

impl Config {
    /// The doors that settings ask for: the setting, whether it is without TLS, and the door.
    pub(crate) fn mcp_listeners(&self) -> anyhow::Result<Vec<(&'static str, bool, McpDoor)>> {
        let mut doors = vec![];
        let mut add = |name, plain, port, door: fn(SocketAddr) -> McpDoor| {
            let Some(address) = self.address_or_port(name, port)? else { return Ok(()) };
            let is_plain = self.flag(plain)?;
            ensure!(
                !is_plain || address.ip().is_loopback(),
                "{plain} is set, but {name} is not on loopback: tokens would go over the network for all to read"
            );
            doors.push((name, is_plain, door(address)));
            anyhow::Ok(())
        };
        add("listen_mcp_websocket", "mcp_websocket_plain", WEBSOCKET_PORT, McpDoor::WebSocket)?;
        add("listen_mcp_tcp", "mcp_tcp_plain", TCP_PORT, McpDoor::Tcp)?;
        Ok(doors)
    }

    /// An address, whose port may be left out.
    fn address_or_port(&self, name: &str, port: u16) -> anyhow::Result<Option<SocketAddr>> {
        let bare = self.text(name).and_then(|text| text.parse::<IpAddr>().ok());
        match bare {
            Some(address) => Ok(Some(SocketAddr::new(address, port))),
            None => self.address(name).with_context(|| name.to_owned()),
        }
    }

    /// How long calls of tools are kept.
    pub(crate) fn calls_kept(&self) -> anyhow::Result<Duration> {
        let days: u64 = self.within("tool_call_days", 1..=3650)?;
        Ok(Duration::from_secs(days * 86_400))
    }

    /// Tokens that are good at the doors for WebSocket and TCP.
    pub(crate) fn static_tokens(&self) -> anyhow::Result<Vec<StaticToken>> {
        type Made = fn(SecretString) -> Result<StaticToken, StaticTokenError>;
        let doors: [(&str, &str, Made); 2] = [
            ("mcp_websocket_token", "mcp_websocket_token_file", StaticToken::websocket),
            ("mcp_tcp_token", "mcp_tcp_token_file", StaticToken::tcp),
        ];
        let mut tokens = vec![];
        for (name, file, make) in doors {
            let secret = match self.text(name) {
                Some(text) => Some(SecretString::from(text)),
                None => self.secret(file)?,
            };
            let Some(secret) = secret else { continue };
            ensure!(
                self.text("mcp_static_token_user").is_some(),
                "{name}: {}",
                StaticTokenError::NoAccount
            );
            tokens.push(make(secret).map_err(|error| anyhow::anyhow!("{name}: {error}"))?);
        }
        Ok(tokens)
    }

    /// How long consent can be given, and used.
    pub(crate) fn approvals_open_for(&self) -> anyhow::Result<Duration> {
        let minutes: u64 = self.within("approval_minutes", 1..=43_200)?;
        Ok(Duration::from_secs(minutes * 60))
    }

    /// When tool servers are left alone.
    pub(crate) fn breaker(&self) -> anyhow::Result<BreakerRules> {
        Ok(BreakerRules {
            failures_max: match self.within("tool_breaker_failures", 0..=1000)? {
                0 => u32::MAX,
                failures => failures,
            },
            open_for: Duration::from_secs(self.within("tool_breaker_open_seconds", 1..=86_400)?),
            successes_min: self.within("tool_breaker_successes", 1..=1000)?,
        })
    }
}
