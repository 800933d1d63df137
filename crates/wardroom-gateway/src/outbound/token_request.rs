//! Requests to token endpoints, with the client's proof of who it is (RFC 6749 §2.3, §3.2).

use super::{Outbound, OutboundError};
use data_encoding::BASE64;
use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};

/// How a client proves at a token endpoint who it is.
#[derive(Clone, Copy)]
pub struct ClientProof<'a> {
    /// What it is called there.
    pub id: &'a str,
    /// Its secret, where it has one.
    pub secret: Option<&'a str>,
    /// Whether the secret goes in a header rather than in the form.
    pub basic: bool,
}

/// Whether a token endpoint that names these methods takes a client's secret in a header. Where it does not say, it
/// does (RFC 8414 §2).
pub fn takes_basic(methods: Option<&[String]>) -> bool {
    methods.is_none_or(|all| all.iter().any(|one| one == "client_secret_basic"))
}

impl Outbound {
    /// A request to a token endpoint with this form.
    pub fn token_request(
        &self,
        endpoint: &str,
        client: ClientProof<'_>,
        form: &[(&str, &str)],
    ) -> Result<RequestBuilder, OutboundError> {
        let mut request = self
            .request(Method::POST, endpoint)?
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        match client.secret {
            Some(secret) if client.basic => {
                // RFC 6749 §2.3.1: each half is encoded as in a form first.
                let half = |text: &str| -> String {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                let pair =
                    BASE64.encode(format!("{}:{}", half(client.id), half(secret)).as_bytes());
                let value = HeaderValue::from_str(&format!("Basic {pair}"));
                let mut value = value.map_err(|error| OutboundError::Failed(error.to_string()))?;
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
            secret => {
                body.append_pair("client_id", client.id);
                if let Some(secret) = secret {
                    body.append_pair("client_secret", secret);
                }
            }
        }
        Ok(request.body(body.finish()))
    }
}
