//! What the authorization server answers when it does not do it (RFC 6749 §4.1.2.1, §5.2).

use crate::error::ApiError;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// The longest sentence: some repeat what was sent.
const SAID_CHARS_MAX: usize = 300;

/// What kind of refusal it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    /// RFC 8707 §2.
    InvalidTarget,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    AccessDenied,
}

impl Code {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::AccessDenied => "access_denied",
        }
    }
}

/// A refusal in the protocol's words: its kind, and a sentence for the program's makers.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) said: String,
}

impl Refusal {
    /// One in the characters that RFC 6749 allows in it.
    pub(crate) fn new(code: Code, said: &str) -> Self {
        let plain = said.chars().map(|c| if c == '"' { '\'' } else { c });
        let plain = plain.filter(|c| matches!(c, ' '..='~') && *c != '\\');
        Self { code, said: plain.take(SAID_CHARS_MAX).collect() }
    }

    /// The request is out of form.
    pub(crate) fn request(said: &str) -> Self {
        Self::new(Code::InvalidRequest, said)
    }
}

/// Why not.
#[derive(Debug)]
pub(crate) enum OauthError {
    /// As the protocol has it.
    Refused(Refusal),
    /// Something that the protocol knows nothing of.
    Api(ApiError),
}

impl From<Refusal> for OauthError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ApiError> for OauthError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<wardroom_core::store::StoreError> for OauthError {
    fn from(error: wardroom_core::store::StoreError) -> Self {
        Self::Api(error.into())
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let Refusal { code, said } = match self {
            Self::Api(error) => return error.into_response(),
            Self::Refused(refusal) => refusal,
        };
        let status = match code {
            Code::InvalidClient => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = axum::Json(json!({"error": code.as_str(), "error_description": said}));
        let mut response = (status, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let way = HeaderValue::from_static("Basic realm=\"wardroom\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, way);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_only_the_characters_that_it_may() {
        assert_eq!(Refusal::request("a \"b\" \\ ü\n.").said, "a 'b'  .");
    }
}
