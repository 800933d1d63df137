//! The nodes' doors.

pub(crate) mod challenge;
pub(crate) mod enrol;
pub(crate) mod frames;
pub(crate) mod link;
pub(crate) mod token;

use crate::error::ApiError;
use data_encoding::BASE64URL_NOPAD;
use wardroom_engine::EngineError;

/// Bytes of exactly this length from base64url.
fn bytes<const N: usize>(text: &str) -> Result<[u8; N], ApiError> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| refused("a field is not base64url of the right length"))
}

fn refused(why: &'static str) -> ApiError {
    EngineError::NodeProof(why).into()
}
