//! Errors as pages.

use super::{
    assets, frame,
    pages::bare::{Back, ErrorPage},
};
use crate::error::ApiError;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use wardroom_wire::error::ErrorCode;

/// An error as a page; who is not signed in is sent to sign in, and from there back to `path`.
pub(crate) fn error_page(error: &ApiError, request: &str, path: &str) -> Response {
    if error.code == ErrorCode::Unauthenticated {
        let next: String = form_urlencoded::byte_serialize(resumable(path).as_bytes()).collect();
        let query = if path == "/" { String::new() } else { format!("?next={next}") };
        return frame::see_other(&format!("/sign-in{query}"));
    }
    let way_out = match error.code {
        ErrorCode::SecondFactorRequired => Some("/sign-in/second-factor"),
        ErrorCode::PasswordChangeRequired => Some("/account/password"),
        ErrorCode::SecondFactorSetupRequired => Some("/account/second-factor"),
        ErrorCode::FreshProofRequired => Some("/account/prove"),
        _ => None,
    };
    if let Some(way_out) = way_out {
        let next: String = form_urlencoded::byte_serialize(resumable(path).as_bytes()).collect();
        return frame::see_other(&format!("{way_out}?next={next}"));
    }
    // SECURITY: what went wrong inside is for the log; a page shows what was meant for the caller.
    let detail = error.detail.clone().unwrap_or_else(|| advice(error.code).to_owned());
    let page = ErrorPage {
        assets: assets::base(),
        status: error.code.status(),
        title: error.code.title().to_owned(),
        detail,
        fields: error
            .fields
            .iter()
            .map(|field| (field.field.clone(), field.reason.clone()))
            .collect(),
        code: error.code.as_str(),
        request: request.to_owned(),
        back: back(error.code, path),
    };
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    frame::html(status, &page).unwrap_or_else(|_| status.into_response())
}

/// The page to come back to: a form's own path takes no GET, so its page stands for it.
pub(crate) fn resumable(path: &str) -> &str {
    let bare = path.split('?').next().unwrap_or(path);
    let Some((page, last)) = bare.rsplit_once('/') else { return "/" };
    match last {
        "remove" | "confirm" | "totp" if page.starts_with("/account/second-factor") => {
            "/account/second-factor"
        }
        "recovery-codes" => "/account/second-factor",
        "secret" | "remove" if page.starts_with("/oauth/clients") => "/oauth/clients",
        "renew" | "remove" if page.starts_with("/secrets") => "/secrets",
        "cancel" | "replay" | "disable" | "enable" | "remove" | "verify" => page,
        "try" if page.starts_with("/policy") => "/policy",
        "views" => "/requests",
        "blocks" | "lift" if page.starts_with("/security") => "/security",
        "link" | "reset-factors" | "erase" | "change" | "publish" | "retire" | "order"
        | "notes" | "operators" => page,
        "tokens" | "sign-out" | "profile" => "/account",
        "end" if page.starts_with("/account") => "/account",
        "revoke" if page.starts_with("/account") => "/account",
        "revoke" => "/join-tokens",
        _ => path,
    }
}

fn back(code: ErrorCode, path: &str) -> Back {
    let again = matches!(
        code,
        ErrorCode::Busy
            | ErrorCode::StoreUnavailable
            | ErrorCode::TimedOut
            | ErrorCode::CrossSite
            | ErrorCode::Conflict
            | ErrorCode::RunState
    );
    // SECURITY: only ever a path of this server, even where the address began with two slashes.
    if again && !path.starts_with("//") {
        return Back { path: resumable(path).to_owned(), label: "Back to the page" };
    }
    Back { path: "/".to_owned(), label: "To the start page" }
}

/// What to do, where the error itself does not say.
fn advice(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Internal => {
            "Something went wrong inside Wardroom. What was asked for may not have been done: look before you try again."
        }
        ErrorCode::Busy | ErrorCode::TimedOut | ErrorCode::StoreUnavailable => {
            "Wardroom can’t answer this now. Try again in a few seconds."
        }
        ErrorCode::MethodNotAllowed => "This address belongs to a form. Go to its page instead.",
        ErrorCode::TooLarge => "What was sent is larger than Wardroom takes.",
        _ => "Go back, check what was entered and try again.",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use axum::http::header;

    #[test]
    fn who_is_not_signed_in_comes_back_to_a_page_and_never_to_a_form() {
        let error = ApiError::new(ErrorCode::Unauthenticated);
        let target = |path: &str| {
            let response = error_page(&error, "req", path);
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            response.headers().get(header::LOCATION).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(target("/"), "/sign-in");
        assert_eq!(
            target("/runs?state=failed&mine=true"),
            "/sign-in?next=%2Fruns%3Fstate%3Dfailed%26mine%3Dtrue"
        );
        assert_eq!(target("/runs/run_1/cancel"), "/sign-in?next=%2Fruns%2Frun_1");
        assert_eq!(target("/account/tokens/token_1/revoke"), "/sign-in?next=%2Faccount");
        assert_eq!(target("/join-tokens/join_1/revoke"), "/sign-in?next=%2Fjoin-tokens");
        assert_eq!(target("/secrets/mast/remove"), "/sign-in?next=%2Fsecrets");
        assert_eq!(target("/oauth/clients/client_1/secret"), "/sign-in?next=%2Foauth%2Fclients");
    }

    #[test]
    fn an_inner_cause_is_not_shown() {
        let error = ApiError::internal(std::io::Error::other("password hash of ada"));
        let response = error_page(&error, "req_1", "/runs");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(axum::body::to_bytes(response.into_body(), 1 << 20))
            .unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("req_1") && text.contains("internal") && !text.contains("ada"));
    }

    #[test]
    fn a_way_back_never_leads_to_another_server() {
        assert_eq!(back(ErrorCode::Busy, "//evil.example/x").path, "/");
        assert_eq!(back(ErrorCode::Busy, "/runs?mine=true").path, "/runs?mine=true");
    }
}
