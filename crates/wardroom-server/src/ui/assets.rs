//! Styles, scripts and images. All live under one folder named after the hash of them all, so that
//! modules find each other by relative paths and browsers may keep everything for ever.

use crate::error::ApiError;
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use std::{borrow::Cow, sync::LazyLock};
use wardroom_core::digest::sha256_hex;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// The hash's first digits are enough to tell one build from another.
const HASH_CHARS: usize = 16;
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

static BASE: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<Cow<'static, str>> = Files::iter().collect();
    names.sort();
    let mut all = Vec::new();
    for name in &names {
        let hash = Files::get(name).map(|file| file.metadata.sha256_hash()).unwrap_or_default();
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(&hash);
    }
    let digest = sha256_hex(&all);
    format!("/assets/{}", digest.get(..HASH_CHARS).unwrap_or(&digest))
});

/// The folder in which the assets are served: `/assets/<hash>`.
pub(crate) fn base() -> &'static str {
    &BASE
}

/// An asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asset {
    /// Its content.
    pub(crate) bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub(crate) mime: &'static str,
    /// Its entity tag, in quotes.
    pub(crate) etag: String,
}

/// The asset `name` of the build `hash`.
pub(crate) fn find(hash: &str, name: &str) -> Option<Asset> {
    if base().strip_prefix("/assets/") != Some(hash) {
        return None;
    }
    let mime = match name.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    let file = Files::get(name)?;
    let etag = format!("\"{}\"", sha256_hex(&file.data));
    Some(Asset { bytes: file.data, mime, etag })
}

/// `GET /assets/{hash}/{name}`
pub(crate) async fn handler(
    Path((hash, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asset = find(&hash, &name).ok_or_else(ApiError::not_found)?;
    let etag = HeaderValue::from_str(&asset.etag).map_err(ApiError::internal)?;
    let known = headers.get(header::IF_NONE_MATCH) == Some(&etag);
    let shared = [(header::CACHE_CONTROL, IMMUTABLE), (header::ETAG, etag)];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(asset.mime))];
    Ok((shared, kind, asset.bytes).into_response())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn assets_are_found_under_their_hash_only() {
        let hash = base().strip_prefix("/assets/").unwrap();
        assert_eq!(hash.len(), HASH_CHARS);
        let css = find(hash, "wardroom.css").unwrap();
        assert_eq!(css.mime, "text/css; charset=utf-8");
        assert!(css.etag.len() == 66 && !css.bytes.is_empty());
        assert_eq!(find("0000000000000000", "wardroom.css"), None);
        for name in ["../Cargo.toml", "nothing.js", "wardroom", ""] {
            assert_eq!(find(hash, name), None, "{name}");
        }
    }

    #[test]
    fn every_module_that_is_imported_is_there() {
        let hash = base().strip_prefix("/assets/").unwrap();
        for name in Files::iter().filter(|name| name.ends_with(".js")) {
            let bytes = find(hash, &name).unwrap().bytes.into_owned();
            let text = String::from_utf8(bytes).unwrap();
            let imports = text.lines().filter(|line| line.starts_with("import "));
            for line in imports {
                let path = line.rsplit('\'').nth(1).unwrap();
                assert!(find(hash, path.strip_prefix("./").unwrap()).is_some(), "{name}: {path}");
            }
        }
    }
}
