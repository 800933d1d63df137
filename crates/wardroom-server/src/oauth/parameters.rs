//! Parameters of OAuth requests, in a query or a form.

use super::error::{Code, OauthError, Refusal};
use axum::{
    extract::{FromRequest, Request},
    http::header,
};
use std::collections::BTreeMap;

/// The longest parameter that is kept, in bytes.
const VALUE_BYTES_MAX: usize = 4096;
/// The one that may be there several times (RFC 8707 §2).
const RESOURCE: &str = "resource";

/// Parameters by name. SECURITY: they hold secrets and have no debug form.
#[derive(Default)]
pub(crate) struct Parameters {
    found: BTreeMap<String, String>,
    resources: Vec<String>,
    /// What is wrong with single ones.
    wrong: BTreeMap<String, &'static str>,
}

impl Parameters {
    /// Reads them. Unknown ones are there and of no consequence, and one without a value is as if it were not
    /// there (RFC 6749 §3.1).
    pub(crate) fn read(encoded: &[u8]) -> Self {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(encoded) {
            let (name, value) = (name.into_owned(), value.into_owned());
            if value.len() > VALUE_BYTES_MAX {
                read.wrong.insert(name, "is longer than 4,096 bytes");
            } else if name == RESOURCE {
                read.resources.push(value);
            } else if read.found.insert(name.clone(), value).is_some() {
                read.wrong.insert(name, "is there twice");
            }
        }
        read.found.retain(|_, value| !value.is_empty());
        read
    }

    /// Whether all of them can be read.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self.wrong.first_key_value() {
            Some((name, why)) => Err(Refusal::request(&format!("{name} {why}"))),
            None => Ok(()),
        }
    }

    /// The value of `name`, where it is there and nothing is wrong with it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.found.get(name).filter(|_| !self.wrong.contains_key(name)).map(String::as_str)
    }

    /// The value of `name`, which must be there.
    pub(crate) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::request(&format!("{name} is missing")))
    }

    /// The one resource that is named. A grant is for one.
    pub(crate) fn resource(&self) -> Result<Option<&str>, Refusal> {
        let Some(first) = self.resources.first() else { return Ok(None) };
        if self.resources.iter().all(|resource| resource == first) {
            return Ok(Some(first));
        }
        Err(Refusal::new(
            Code::InvalidTarget,
            "a grant is for one resource: ask for each by itself",
        ))
    }

    /// Refuses what is meant for another place than `here`.
    pub(crate) fn check_resource(&self, here: &str) -> Result<(), Refusal> {
        match self.resource()? {
            Some(resource) if resource != here => {
                Err(Refusal::new(Code::InvalidTarget, &format!("the grant is for {here}")))
            }
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = OauthError;
    async fn from_request(request: Request, state: &S) -> Result<Self, OauthError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()?.split(';').next());
        let form = "application/x-www-form-urlencoded";
        if !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(form)) {
            let said = "send the parameters as application/x-www-form-urlencoded";
            return Err(Refusal::request(said).into());
        }
        let body = axum::body::Bytes::from_request(request, state).await;
        let read = Self::read(&body.map_err(|_| Refusal::request("the body can't be read"))?);
        read.check()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_there_once_or_not_at_all() {
        let read = Parameters::read(b"a=1&b=&odd=%FF");
        assert_eq!((read.get("a"), read.get("b"), read.get("c")), (Some("1"), None, None));
        assert!(read.need("a").is_ok() && read.need("b").is_err() && read.check().is_ok());
        for bad in ["a=1&a=1", "a=&a=", &format!("a={}", "x".repeat(4097))] {
            let read = Parameters::read(bad.as_bytes());
            assert!(read.check().is_err() && read.get("a").is_none(), "{bad}");
        }
    }

    #[test]
    fn a_resource_may_be_named_several_times_and_must_be_here() {
        let read = Parameters::read(b"resource=https://a/api&resource=https://a/api");
        assert!(read.check().is_ok() && read.check_resource("https://a/api").is_ok());
        assert!(read.check_resource("https://b/api").is_err());
        let two = Parameters::read(b"resource=https://a/api&resource=https://b/api");
        assert!(two.check_resource("https://a/api").is_err());
        assert!(Parameters::read(b"").check_resource("https://a/api").is_ok());
    }
}
