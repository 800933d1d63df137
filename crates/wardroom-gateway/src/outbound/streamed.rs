//! Requests whose answers are read as they come.

use super::{Outbound, OutboundError, why_failed};
use reqwest::{
    Method, Response,
    header::{HeaderName, HeaderValue},
};

/// An answer that is read as it comes. Whoever reads it bounds its time; dropping it ends the request.
pub struct Streamed(Response);

impl Outbound {
    /// Sends a JSON document with these headers, none of which is logged.
    pub async fn post_streamed(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Streamed, OutboundError> {
        let mut request = self
            .conversation(Method::POST, url)?
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            // SECURITY: what it would say of an unfit value is not repeated: it may be a key.
            let unfit = || OutboundError::Refused(format!("the header {name} can't be sent"));
            let mut value = HeaderValue::from_str(value).map_err(|_| unfit())?;
            value.set_sensitive(true);
            request = request.header(HeaderName::from_static(name), value);
        }
        request.send().await.map(Streamed).map_err(|error| match error.is_connect() {
            true => failed(error),
            false => OutboundError::BrokeOff(why_failed(&error.without_url())),
        })
    }
}

fn failed(error: reqwest::Error) -> OutboundError {
    OutboundError::Failed(why_failed(&error.without_url()))
}

impl Streamed {
    /// Its status.
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// A header's value, where it is a text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok()
    }

    /// The next bytes; nothing at the end.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, OutboundError> {
        Ok(self.0.chunk().await.map_err(failed)?.map(Vec::from))
    }

    /// The rest as far as `bytes_max`; what is longer is cut.
    pub async fn rest(mut self, bytes_max: usize) -> Vec<u8> {
        let mut rest = vec![];
        while rest.len() < bytes_max
            && let Ok(Some(bytes)) = self.chunk().await
        {
            rest.extend_from_slice(&bytes);
        }
        rest.truncate(bytes_max);
        rest
    }
}
