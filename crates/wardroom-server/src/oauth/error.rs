//! What the authorization server answers when it does not do it (RFC 6749 §5.2).

use crate::error::ApiError;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why not.
#[derive(Debug)]
pub(crate) enum OauthError {
    /// As the protocol has it: a code, and a sentence for the program's makers.
    Protocol(&'static str, String),
    /// Something that the protocol knows nothing of.
    Api(ApiError),
}

impl OauthError {
    /// The request is out of form.
    pub(crate) fn request(said: impl Into<String>) -> Self {
        Self::Protocol("invalid_request", said.into())
    }

    /// The program did not prove which one it is.
    pub(super) fn client() -> Self {
        let said = "the client is not known here, or did not prove which one it is";
        Self::Protocol("invalid_client", said.to_owned())
    }

    /// What was brought is not good for a grant, or not any more.
    pub(super) fn grant(said: &str) -> Self {
        Self::Protocol("invalid_grant", said.to_owned())
    }
}

impl<E: Into<ApiError>> From<E> for OauthError {
    fn from(error: E) -> Self {
        Self::Api(error.into())
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let (code, said) = match self {
            Self::Api(error) => return error.into_response(),
            Self::Protocol(code, said) => (code, said),
        };
        let status = match code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        // The characters that RFC 6749 §5.2 allows in it.
        let said: String = said
            .chars()
            .map(|c| if c == '"' { '\'' } else { c })
            .filter(|c| matches!(c, ' '..='~') && *c != '\\')
            .collect();
        let body = axum::Json(json!({"error": code, "error_description": said}));
        let mut response = (status, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let way = HeaderValue::from_static("Basic realm=\"wardroom\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, way);
        }
        response
    }
}
