//! Where traces go.

use super::Config;
#[cfg(feature = "otlp")]
use crate::serve::traces::TraceRules;

impl Config {
    /// Where traces go, if anywhere.
    #[cfg(feature = "otlp")]
    pub(crate) fn traces(&self) -> anyhow::Result<Option<TraceRules>> {
        use anyhow::{Context as _, bail};
        use secrecy::ExposeSecret as _;
        let percent = self.within("otlp_percent", 0..=100)?;
        let shown = self.secret("otlp_headers_file")?;
        let Some(endpoint) = self.text("otlp_endpoint") else {
            if shown.is_some() {
                bail!("otlp_headers_file is set, but not otlp_endpoint: where do traces go?");
            }
            return Ok(None);
        };
        let outbound = self.outbound()?;
        outbound.check(endpoint).context("otlp_endpoint")?;
        let lines = shown.as_ref().map(|shown| shown.expose_secret().lines()).into_iter().flatten();
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        // SECURITY: the line is not repeated: it may be the secret.
        let headers =
            lines.filter(|line| !line.trim().is_empty()).map(header).collect::<Option<_>>();
        let headers = headers.context("otlp_headers_file: each line must be `Name: value`")?;
        Ok(Some(TraceRules { endpoint: endpoint.to_owned(), headers, percent, outbound }))
    }

    /// Refuses what this build can't do.
    #[cfg(not(feature = "otlp"))]
    pub(crate) fn traces(&self) -> anyhow::Result<()> {
        match self.text("otlp_endpoint") {
            None => Ok(()),
            Some(_) => anyhow::bail!(
                "otlp_endpoint is set, but this build sends no traces: build it with `--features otlp`"
            ),
        }
    }
}
