//! Many light nodes in this process: each enrols, proves itself, opens its link and keeps it.

use crate::{
    socket::{self, Socket},
    world::World,
};
use anyhow::{Context as _, bail};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use futures_util::{SinkExt as _, StreamExt as _};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use wardroom_wire::link::{
    CHALLENGE_CONTEXT, CHALLENGE_PATH, CatalogueShape, ChallengeRequest, ChallengeResponse,
    ENROL_CONTEXT, ENROL_PATH, EnrolRequest, EnrolResponse, LINK_PATH, LINK_SUBPROTOCOL,
    LINK_VERSION, NodeFrame, OrchestratorFrame, ReportShape, TOKEN_PATH, TokenRequest,
    TokenResponse,
};

/// What all nodes share.
pub(crate) struct Swarm {
    pub(crate) world: Arc<World>,
    pub(crate) tls: TlsConnector,
    pub(crate) catalogue: CatalogueShape,
    pub(crate) report: ReportShape,
    /// Links that are open.
    pub(crate) open: AtomicU64,
}

impl Swarm {
    /// Enrols a node, opens its link and says all that a node says first. Gives the link.
    pub(crate) async fn node(self: &Arc<Self>, number: usize) -> anyhow::Result<Link> {
        let token = self.access_token(number).await?;
        let mut socket =
            socket::open(&self.world, &self.tls, number, (LINK_PATH, LINK_SUBPROTOCOL), &token)
                .await
                .context("a link can't be opened")?;
        let hello = NodeFrame::Hello { version: LINK_VERSION, holding: vec![], runs_max: 8 };
        feed(&mut socket, &hello).await?;
        feed(&mut socket, &NodeFrame::Catalogue { catalogue: self.catalogue.clone() }).await?;
        socket.flush().await?;
        let Some(Ok(Message::Text(text))) = socket.next().await else {
            bail!("the link ended before its welcome");
        };
        match serde_json::from_str(&text)? {
            OrchestratorFrame::Welcome { heartbeat_seconds, .. } => {
                let beat = Duration::from_secs(u64::from(heartbeat_seconds));
                self.open.fetch_add(1, Ordering::Relaxed);
                Ok(Link { swarm: Arc::clone(self), socket, beat })
            }
            other => bail!("no welcome but {other:?}"),
        }
    }

    /// Enrols with a fresh join token and turns a signed challenge into an access token.
    async fn access_token(&self, number: usize) -> anyhow::Result<String> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new());
        let pkcs8 = pkcs8.map_err(|_| anyhow::anyhow!("a key can't be made"))?;
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref());
        let key = key.map_err(|_| anyhow::anyhow!("a key can't be made"))?;
        let sign = |text: String| BASE64URL_NOPAD.encode(key.sign(text.as_bytes()).as_ref());
        let token = self.world.join_token().await?;
        let id = token.strip_prefix("wrj_").and_then(|rest| rest.split('.').next());
        let id = id.context("a join token of another form")?.to_owned();
        let public_key = BASE64URL_NOPAD.encode(key.public_key().as_ref());
        let signature = sign(format!("{ENROL_CONTEXT}join_{id}\n{public_key}"));
        let name = format!("light-{number}");
        let asked = EnrolRequest { token, name, public_key, signature };
        let enrolled: EnrolResponse = self.world.post(ENROL_PATH, &asked).await?;
        let node = enrolled.node;
        let asked = ChallengeRequest { node: node.clone() };
        let given: ChallengeResponse = self.world.post(CHALLENGE_PATH, &asked).await?;
        let signature = sign(format!("{CHALLENGE_CONTEXT}{}", given.challenge));
        let proof = TokenRequest { node, challenge: given.challenge, signature };
        let token: TokenResponse = self.world.post(TOKEN_PATH, &proof).await?;
        Ok(token.token)
    }
}

/// A node's open link.
pub(crate) struct Link {
    swarm: Arc<Swarm>,
    socket: Socket,
    beat: Duration,
}

impl Link {
    /// Sends heartbeats until the link ends.
    pub(crate) async fn keep(mut self) {
        let mut beats = interval(self.beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    let frame = NodeFrame::Heartbeat {
                        report: self.swarm.report.clone(),
                        holding: vec![],
                    };
                    let beat = async {
                        self.socket.feed(Message::Ping(Default::default())).await?;
                        feed(&mut self.socket, &frame).await?;
                        self.socket.flush().await?;
                        anyhow::Ok(())
                    };
                    if beat.await.is_err() { break }
                }
                said = self.socket.next() => match said {
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => {}
                    _ => break,
                },
            }
        }
        self.swarm.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn feed(socket: &mut Socket, frame: &NodeFrame) -> anyhow::Result<()> {
    Ok(socket.feed(Message::Text(serde_json::to_string(frame)?.into())).await?)
}
