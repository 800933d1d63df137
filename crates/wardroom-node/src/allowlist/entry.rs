//! What stands in the file, as it stands, with where it stands.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};
use toml::Spanned;
use wardroom_core::{
    command::{ParameterValue, PathEntry},
    tool::hosted::Instances,
};

/// One `[[command]]`. Its canonical JSON is what a command's digest covers: every field that has any
/// influence on what is run is in here.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) name: Spanned<String>,
    pub(super) description: Spanned<String>,
    pub(super) program: Option<Spanned<PathBuf>>,
    pub(super) builtin: Option<Spanned<String>>,
    pub(super) sha256: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) arguments: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) idempotent: bool,
    #[serde(default)]
    pub(super) parameters: Vec<Spanned<Parameter>>,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) sandbox: Option<Spanned<Wishes>>,
}

/// One `[[tool_server]]`. As with a command, its canonical JSON is what its digest covers.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerEntry {
    pub(super) name: Spanned<String>,
    pub(super) description: Spanned<String>,
    pub(super) program: Spanned<PathBuf>,
    pub(super) sha256: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) arguments: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) secrets: Vec<Spanned<String>>,
    pub(super) instances: Option<Spanned<Instances>>,
    pub(super) instances_max: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) sandbox: Option<Spanned<Wishes>>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) required: Option<bool>,
    pub(super) default: Option<ParameterValue>,
    #[serde(default)]
    pub(super) leading_dash: bool,
    #[serde(default)]
    pub(super) secret: bool,
    pub(super) values: Option<Vec<String>>,
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    pub(super) pattern: Option<String>,
    pub(super) bytes_max: Option<u32>,
    pub(super) roots: Option<Vec<String>>,
    pub(super) entry: Option<PathEntry>,
    pub(super) arguments: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment: Option<String>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) wall_seconds: Option<Spanned<u64>>,
    pub(super) cpu_seconds: Option<Spanned<u64>>,
    pub(super) memory_mib: Option<Spanned<u64>>,
    pub(super) processes: Option<Spanned<u64>>,
    pub(super) open_files: Option<Spanned<u64>>,
    pub(super) file_mib: Option<Spanned<u64>>,
    pub(super) output_kib: Option<Spanned<u64>>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wishes {
    pub(super) network: bool,
    pub(super) read: Vec<Spanned<PathBuf>>,
    pub(super) write: Vec<Spanned<PathBuf>>,
    pub(super) requires: Vec<Spanned<String>>,
}
