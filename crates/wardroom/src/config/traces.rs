//! Where traces go.

use super::Config;

impl Config {
    /// Where traces go, if anywhere.
    #[cfg(feature = "otlp")]
    pub(crate) fn traces(&self) -> anyhow::Result<Option<wardroom_server::TraceRules>> {
        use anyhow::{Context as _, bail};
        use secrecy::ExposeSecret as _;
        let percent = self.within("otlp_sample_percent", 0..=100)?;
        let shown = self.secret("otlp_headers_file")?;
        let Some(endpoint) = self.text("otlp_traces_endpoint") else {
            if shown.is_some() {
                bail!(
                    "otlp_headers_file is set, but not otlp_traces_endpoint: set that too, or remove it"
                );
            }
            return Ok(None);
        };
        let outbound = self.collector(endpoint)?;
        outbound.check(endpoint).context("otlp_traces_endpoint")?;
        let headers = shown.as_ref().map(|shown| headers(shown.expose_secret())).transpose();
        let headers = headers.context("otlp_headers_file")?.unwrap_or_default();
        let endpoint = endpoint.to_owned();
        Ok(Some(wardroom_server::TraceRules { endpoint, headers, percent, outbound }))
    }

    /// What asks the collector, which is the one that settings name, wherever it is; nothing else is asked by this.
    /// Plain HTTP goes to an address alone: a name could lead anywhere.
    #[cfg(feature = "otlp")]
    fn collector(&self, endpoint: &str) -> anyhow::Result<wardroom_server::Outbound> {
        use anyhow::Context as _;
        use ipnet::IpNet;
        use reqwest::Url;
        let url = Url::parse(endpoint).context("otlp_traces_endpoint")?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let reach: Vec<IpNet> = match (host.parse(), host) {
            (Ok(address), _) => vec![IpNet::from(std::net::IpAddr::clone(&address))],
            (Err(_), "localhost") => vec!["127.0.0.0/8".parse()?, "::1/128".parse()?],
            (Err(_), _) => vec!["0.0.0.0/0".parse()?, "::/0".parse()?],
        };
        self.outbound_to(wardroom_server::Reach::new(reach))
    }

    /// Refuses what this build can't do.
    #[cfg(not(feature = "otlp"))]
    pub(crate) fn traces(&self) -> anyhow::Result<()> {
        let set = ["otlp_traces_endpoint", "otlp_headers_file"];
        match set.into_iter().find(|name| self.text(name).is_some()) {
            None => Ok(()),
            Some(name) => anyhow::bail!(
                "{name} is set, but this build sends no traces: build it with `--features otlp`, or remove it"
            ),
        }
    }
}

/// Headers, one on each line. SECURITY: a line that is none is not repeated: it may be the secret.
#[cfg(feature = "otlp")]
fn headers(text: &str) -> anyhow::Result<reqwest::header::HeaderMap> {
    use anyhow::{Context as _, ensure};
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    let mut headers = HeaderMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = || format!("line {} must be `Name: value`", at + 1);
        let (name, value) = line.split_once(':').with_context(wrong)?;
        let name = HeaderName::try_from(name.trim()).ok().with_context(wrong)?;
        let mut value = HeaderValue::try_from(value.trim()).ok().with_context(wrong)?;
        value.set_sensitive(true);
        let before = headers.insert(name, value);
        ensure!(before.is_none(), "line {} has a name that is there already", at + 1);
    }
    Ok(headers)
}

#[cfg(all(test, feature = "otlp"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_or_refused_without_being_repeated() {
        let read = headers("authorization: Bearer a%41b\n\nX-Scope: one\n").unwrap();
        assert_eq!(read.get("authorization").unwrap(), "Bearer a%41b");
        assert!(read.get("x-scope").unwrap().is_sensitive());
        for wrong in ["planted", "a planted: x", "x: planted\u{1}", "x: planted\nX: planted"] {
            let said = format!("{:#}", headers(wrong).unwrap_err());
            assert!(said.contains("line") && !said.contains("planted"), "{said}");
        }
    }
}
