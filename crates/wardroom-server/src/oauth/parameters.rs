//! Parameters of OAuth requests, in a query or a form.

use super::error::OauthError;
use axum::{
    extract::{FromRequest, Request},
    http::header,
};
use std::collections::BTreeMap;

/// The longest parameter that is kept, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

/// Parameters by name. SECURITY: they hold secrets and have no debug form.
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads them. Unknown ones are there and of no consequence; none may be there twice, and one without a value is
    /// as if it were not there (RFC 6749 §3.1).
    pub(crate) fn read(encoded: &[u8]) -> Result<Self, OauthError> {
        let mut found = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            if value.len() > VALUE_BYTES_MAX {
                return Err(OauthError::request(format!("{name:?} is too long")));
            }
            if found.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(OauthError::request(format!("{name:?} is there twice")));
            }
        }
        found.retain(|_, value| !value.is_empty());
        Ok(Self(found))
    }

    /// The value of `name`, where it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of `name`, which must be there.
    pub(crate) fn need(&self, name: &str) -> Result<&str, OauthError> {
        self.get(name).ok_or_else(|| OauthError::request(format!("{name:?} is missing")))
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = OauthError;
    async fn from_request(request: Request, state: &S) -> Result<Self, OauthError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let form = |kind: &[u8]| kind.starts_with(b"application/x-www-form-urlencoded");
        if !kind.is_some_and(|kind| form(kind.as_bytes())) {
            let said = "send the parameters as application/x-www-form-urlencoded";
            return Err(OauthError::request(said));
        }
        let body = axum::body::Bytes::from_request(request, state).await;
        Self::read(&body.map_err(|_| OauthError::request("the body can't be read"))?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn parameters_are_there_once_or_not_at_all() {
        let read = Parameters::read(b"a=1&b=&odd=%FF").unwrap();
        assert_eq!((read.get("a"), read.get("b"), read.get("c")), (Some("1"), None, None));
        assert!(read.need("a").is_ok() && read.need("b").is_err());
        for bad in ["a=1&a=1", "a=&a=", &format!("a={}", "x".repeat(4097))] {
            assert!(Parameters::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
