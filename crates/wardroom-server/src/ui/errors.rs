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

/// An error as a page; who is not signed in is sent to sign in, and from there back to `path`, which [`page_of`] gave.
pub(crate) fn error_page(error: &ApiError, request: &str, path: &str) -> Response {
    if error.code == ErrorCode::Unauthenticated {
        let next: String = form_urlencoded::byte_serialize(path.as_bytes()).collect();
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
        let next: String = form_urlencoded::byte_serialize(path.as_bytes()).collect();
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

/// The page to come back to after a request for `path`, which `route` took: a form's own path takes no GET, so the
/// page that it stands on stands for it.
pub(crate) fn page_of(route: &str, path: &str) -> String {
    let page = match route {
        "/account/recovery-codes" => return "/account/second-factor".to_owned(),
        "/views" | "/views/{id}/remove" => return "/requests".to_owned(),
        "/requests/{id}/attachments/{attachment}/remove" => "/requests/{id}",
        "/join-tokens/{id}/revoke" => "/join-tokens",
        "/gateway/connections/{id}/end" => "/gateway",
        "/models/budgets" | "/models/budgets/{id}/remove" => "/models",
        "/tool-accounts/{name}/connect"
        | "/tool-accounts/{name}/remove"
        | "/tool-accounts/{name}/finish" => "/tool-accounts",
        "/memories/{id}/remove" | "/agents/{name}/memories/remove" => "/memories",
        "/faults/{fingerprint}/resolve" => "/faults",
        "/secrets/{name}/renew" | "/secrets/{name}/remove" => "/secrets",
        "/oauth/clients/{id}/secret" | "/oauth/clients/{id}/remove" => "/oauth/clients",
        _ if route.starts_with("/account/second-factor/") => "/account/second-factor",
        _ if route.starts_with("/security/blocks") => "/security",
        _ if route.starts_with("/security/alerts") => "/security",
        _ if route.starts_with("/account/sessions/") => "/account",
        _ if route.starts_with("/account/tokens/") => "/account",
        _ => match route.rsplit_once('/') {
            Some((page, last)) if FORMS.contains(&last) => page,
            _ => route,
        },
    };
    if page == route {
        return path.to_owned();
    }
    let bare = path.split('?').next().unwrap_or(path);
    let segments: Vec<&str> = bare.split('/').take(page.split('/').count()).collect();
    segments.join("/")
}

/// The last part of a route that is a form on the page before it.
const FORMS: [&str; 30] = [
    "run",
    "answers",
    "turns",
    "branches",
    "title",
    "cancel",
    "replay",
    "accept",
    "approve",
    "call",
    "deny",
    "test",
    "restart",
    "disable",
    "enable",
    "remove",
    "verify",
    "try",
    "link",
    "reset-factors",
    "erase",
    "change",
    "publish",
    "retire",
    "order",
    "notes",
    "operators",
    "tokens",
    "profile",
    "sign-out",
];

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
        return Back { path: path.to_owned(), label: "Back to the page" };
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
        for (route, path, page) in [
            ("/runs", "/runs?mine=true", "/runs?mine=true"),
            ("/runs/{id}/cancel", "/runs/run_1/cancel", "/runs/run_1"),
            ("/account/tokens/{id}/revoke", "/account/tokens/token_1/revoke", "/account"),
            ("/join-tokens/{id}/revoke", "/join-tokens/join_1/revoke", "/join-tokens"),
            ("/secrets/{name}/renew", "/secrets/mast/renew", "/secrets"),
            (
                "/requests/{id}/attachments/{attachment}/remove",
                "/requests/r/attachments/a/remove",
                "/requests/r",
            ),
            (
                "/nodes/{id}/commands/{name}",
                "/nodes/n/commands/publish",
                "/nodes/n/commands/publish",
            ),
            ("/oauth/consent", "/oauth/consent?client_id=x", "/oauth/consent?client_id=x"),
        ] {
            assert_eq!(page_of(route, path), page);
        }
    }

    #[test]
    fn every_form_stands_on_a_page_that_there_is() {
        let table = include_str!("../routes/pages.rs");
        let routes = |method: &str| -> Vec<String> {
            let pattern = format!(r#"secured(?:_large)?\(\s*Method::{method},\s*"([^"]+)""#);
            let pattern = regex::Regex::new(&pattern).unwrap();
            pattern.captures_iter(table).map(|found| found[1].to_owned()).collect()
        };
        let (pages, forms) = (routes("GET"), routes("POST"));
        assert!(pages.len() > 30 && forms.len() > 40, "{} {}", pages.len(), forms.len());
        for form in forms {
            let page = page_of(&form, &form);
            assert!(pages.contains(&page), "{form} stands on {page}, which nobody can open");
        }
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
