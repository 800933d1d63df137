//! Typed input: what can't be parsed is refused in our own words.

use crate::error::ApiError;
use axum::{
    extract::{FromRequest, FromRequestParts, Query, Request, rejection::JsonRejection},
    http::{HeaderMap, request::Parts},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{fmt, marker::PhantomData, str::FromStr};
use wardroom_core::page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, PageRequest};
use wardroom_wire::error::ErrorCode;

/// A JSON body of exactly this type, which is an object.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::<Body<T>>::from_request(request, state).await {
            Ok(axum::Json(Body(value))) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::say(
                ErrorCode::UnsupportedMediaType,
                "Send the body as `Content-Type: application/json`.",
            )),
            Err(JsonRejection::JsonDataError(error)) => {
                Err(ApiError::say(ErrorCode::InvalidField, plain(&error.body_text())))
            }
            Err(JsonRejection::JsonSyntaxError(error)) => {
                Err(ApiError::say(ErrorCode::BadRequest, plain(&error.body_text())))
            }
            Err(error) => {
                let code = if error.status().as_u16() == 413 {
                    ErrorCode::TooLarge
                } else {
                    ErrorCode::BadRequest
                };
                Err(ApiError::new(code))
            }
        }
    }
}

/// An object: a list of a type's values in their order would be read as that type.
struct Body<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Body<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Body<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Body<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Body)
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// What is wrong, without what the parser says about itself.
fn plain(text: &str) -> String {
    let what = text.rsplit_once("target type: ").map_or(text, |(_, what)| what);
    let what = what.rsplit_once("query string: ").map_or(what, |(_, what)| what);
    let kinds = ["expected struct ", "expected internally tagged enum "];
    match kinds.iter().find_map(|kind| what.split_once(kind)) {
        Some((before, after)) => {
            let place = after.find(" at line ").and_then(|at| after.get(at..)).unwrap_or_default();
            format!("{before}expected a JSON object{place}")
        }
        None => what.to_owned(),
    }
}

/// A query string of exactly this type.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(ApiError::say(ErrorCode::BadRequest, plain(&error.body_text()))),
        }
    }
}

/// The parameters of a list without filters.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Continue behind this, as `next` of the page before said.
    pub(crate) after: Option<String>,
    /// At most so many items, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// The wanted page.
pub(crate) fn page<K: FromStr>(
    after: Option<&str>,
    limit: Option<u32>,
) -> Result<PageRequest<K>, ApiError> {
    let after = after
        .map(|text| {
            text.parse().map_err(|_| {
                ApiError::field("after", "must be what `next` of the page before said")
            })
        })
        .transpose()?;
    let limit = limit.unwrap_or(PAGE_ITEMS_DEFAULT);
    if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
        return Err(ApiError::field("limit", format!("must be 1 to {PAGE_ITEMS_MAX}")));
    }
    Ok(PageRequest::new(after, limit))
}

/// An id out of a path: what is not one names nothing.
pub(crate) fn id<T: FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// The header with the caller's own name for a request.
const KEY: &str = "idempotency-key";

/// The caller's own name for the request.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let text = value.to_str();
    let text = text.map_err(|_| ApiError::field("Idempotency-Key", "must be visible ASCII"))?;
    Ok(Some(text.to_owned()))
}

/// A filter's value.
pub(crate) fn filter<T>(name: &str, text: Option<&str>) -> Result<Option<T>, ApiError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    // An empty field of a form filters nothing.
    match text.filter(|text| !text.is_empty()) {
        Some(text) => {
            text.parse().map(Some).map_err(|error| ApiError::field(name, format!("{error}")))
        }
        None => Ok(None),
    }
}
