//! `/join-tokens`

use super::{
    frame::{errors_of, html, name_ids, see_other, shell},
    pages::join_tokens::{JoinDialog, JoinTokensPage},
};
use crate::{
    api::{input::QueryOf, v1::join_tokens},
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use std::collections::BTreeMap;
use wardroom_core::Action;
use wardroom_wire::api::{JoinTokenCreate, List};

/// Which tokens, and whether to make one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JoinQuery {
    after: Option<String>,
    /// `1` opens the dialog.
    new: String,
}

/// Join tokens, newest first.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<JoinQuery>,
) -> Result<Response, ApiError> {
    let dialog = JoinDialog { open: query.new == "1", ..JoinDialog::default() };
    page(&ctx, StatusCode::OK, query.after, dialog).await
}

async fn page(
    ctx: &Ctx,
    status: StatusCode,
    after: Option<String>,
    dialog: JoinDialog,
) -> Result<Response, ApiError> {
    let later = after.is_some();
    // Who may make tokens need not be allowed to see everybody's.
    let list = if ctx.may(Action::JoinTokenList) {
        join_tokens::list::load(ctx, after, None).await?
    } else {
        List { items: vec![], next: None }
    };
    let mut shell = shell(ctx, "/join-tokens");
    let ids = |token: &wardroom_wire::api::JoinTokenView| {
        [token.used_by.clone(), Some(token.created_by.clone())]
    };
    let ids: Vec<String> = list.items.iter().flat_map(ids).flatten().collect();
    name_ids(ctx, &mut shell, ids).await?;
    html(status, &JoinTokensPage { shell, list, later, dialog })
}

/// The dialog's form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    labels: String,
    #[serde(default)]
    expires_in: String,
}

/// Makes a join token and shows its command this once.
pub(crate) async fn create(ctx: Ctx, Form(form): Form<Wanted>) -> Result<Response, ApiError> {
    let mut dialog = JoinDialog {
        open: true,
        labels: form.labels,
        expires_in: form.expires_in,
        ..JoinDialog::default()
    };
    let made = match wanted(&dialog) {
        Ok(wanted) => join_tokens::create::act(&ctx, wanted).await,
        Err(error) => Err(error),
    };
    let status = match made {
        Ok(made) => {
            dialog.made = Some(made);
            StatusCode::OK
        }
        Err(error) => {
            dialog.errors = errors_of(error, &["labels", "expires_in"])?;
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    page(&ctx, status, None, dialog).await
}

fn wanted(dialog: &JoinDialog) -> Result<JoinTokenCreate, ApiError> {
    let expires_in = match dialog.expires_in.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| ApiError::field("expires_in", "must be a number of seconds"))?,
        ),
    };
    Ok(JoinTokenCreate { labels: labels(&dialog.labels)?, expires_in })
}

/// `key=value, key=value`; each key once.
fn labels(text: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let mut labels = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| ApiError::field("labels", "must be key=value, separated by commas"))?;
        if labels.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(ApiError::field("labels", "must name each key once"));
        }
    }
    Ok(labels)
}

/// Revokes a join token.
pub(crate) async fn revoke(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    join_tokens::revoke::act(&ctx, &id).await?;
    Ok(see_other("/join-tokens"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn labels_are_pairs_and_each_key_stands_once() {
        let pairs = labels(" site=north , tier=web,").unwrap();
        assert_eq!(
            pairs,
            BTreeMap::from([("site".into(), "north".into()), ("tier".into(), "web".into())])
        );
        assert!(labels("").unwrap().is_empty());
        for bad in ["site", "a=b,a=c"] {
            assert!(labels(bad).is_err(), "{bad}");
        }
    }
}
