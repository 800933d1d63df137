//! Bodies of the REST API about customers, services and requests.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Tells a field that is null, which takes the value away, from one that is absent (RFC 7396 §1).
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

/// A customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomerView {
    /// The customer.
    pub id: String,
    /// Counts changes; also the entity tag.
    pub version: i64,
    /// What it is called.
    pub name: String,
    /// Where messages go.
    pub email: String,
    /// Its telephone number (E.164); empty where nobody gave one.
    pub phone: String,
    /// What those who look after it should know.
    pub notes: String,
    /// Further fields, by name.
    pub fields: BTreeMap<String, String>,
    /// The accounts that look after it.
    pub operators: Vec<String>,
    /// When it was made.
    pub created_at: String,
}

/// `POST /api/v1/customers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerCreate {
    /// 1 to 100 characters.
    pub name: String,
    /// An e-mail address that no other customer has.
    pub email: String,
    /// `+` and 8 to 15 digits (E.164), or empty.
    #[serde(default)]
    pub phone: String,
    /// At most 10,000 characters.
    #[serde(default)]
    pub notes: String,
    /// At most 50, each named by 1 to 40 of `a-z 0-9 _`.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// `PATCH /api/v1/customers/{id}`. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerPatch {
    /// 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An e-mail address that no other customer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `+` and 8 to 15 digits (E.164), or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// At most 10,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// All of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeMap<String, String>>,
}

/// `PUT /api/v1/customers/{id}/operators`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorsPut {
    /// The accounts that look after the customer from then on, by id or name.
    pub operators: Vec<String>,
}

/// What is wrong with one row of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportProblem {
    /// The line, as an editor counts them.
    pub line: u64,
    /// Which column.
    pub field: String,
    /// What it must be.
    pub reason: String,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// Nothing was to be made.
    pub dry_run: bool,
    /// Rows behind the heading.
    pub rows: usize,
    /// Customers that were made: all rows or none.
    pub made: usize,
    /// What is wrong, by line; at most 500.
    pub problems: Vec<ImportProblem>,
}

/// How much one customer may order of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLimits {
    /// Requests that are not closed, at the same time: 1 to 10,000.
    pub open_max: u32,
    /// Requests within 24 hours: 1 to 100,000.
    pub per_day_max: u32,
}

/// What a request of a service comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ServiceFulfilment {
    /// People do it.
    Manual,
    /// A command does it: the form's values and the fixed ones are its parameters.
    Command {
        /// The command's name.
        command: String,
        /// The node, by name or id; or `labels`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// One of the nodes that match `key=value,key=value`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        labels: Option<String>,
        /// Values that the service gives: texts, whole numbers, booleans.
        #[serde(default)]
        fixed: BTreeMap<String, Value>,
        /// Named secrets that whoever saves the service may use, by the secret parameters that they are for.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        secrets: BTreeMap<String, String>,
        /// Must be over within so many seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline_seconds: Option<u64>,
    },
}

/// How a service is done: for those who may change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceInside {
    /// The customers that it is for; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Vec<String>>,
    /// What a request of it comes to.
    pub fulfilment: ServiceFulfilment,
    /// How much one customer may order.
    pub limits: ServiceLimits,
    /// Under whose rights its command runs: who saved it last.
    pub author: String,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceView {
    /// The service.
    pub id: String,
    /// Counts changes; also the entity tag.
    pub version: i64,
    /// Its name in addresses.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it does for them.
    pub description: String,
    /// `draft`, `published` or `retired`.
    pub state: String,
    /// The form: a JSON Schema of an object with texts, numbers, choices, yes and no.
    #[schema(value_type = Object)]
    pub form: Value,
    /// How it is done; absent for those who can't change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<ServiceInside>,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

/// `POST /api/v1/services`; the service is a draft.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceCreate {
    /// 1 to 64 of `a-z 0-9 . _ -`; unique.
    pub name: String,
    /// 1 to 100 characters.
    pub title: String,
    /// At most 4000 characters.
    #[serde(default)]
    pub description: String,
    /// The customers that it is for, by id; all where absent.
    #[serde(default)]
    pub audience: Option<Vec<String>>,
    /// The form: a JSON Schema. Without one there is nothing to fill in.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub form: Option<Value>,
    /// What a request of it comes to; people do it where absent.
    #[serde(default)]
    pub fulfilment: Option<ServiceFulfilment>,
    /// How much one customer may order; 20 open and 100 a day where absent.
    #[serde(default)]
    pub limits: Option<ServiceLimits>,
}

/// `PATCH /api/v1/services/{id}`. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicePatch {
    /// 1 to 64 of `a-z 0-9 . _ -`; unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// At most 4000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `draft`, `published` or `retired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The customers that it is for, by id; null for all.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    pub audience: Option<Option<Vec<String>>>,
    /// The form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub form: Option<Value>,
    /// What a request of it comes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfilment: Option<ServiceFulfilment>,
    /// How much one customer may order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ServiceLimits>,
}

/// `POST /api/v1/services/{id}/order`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderCreate {
    /// For which customer; accounts of a customer leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The form's values.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
    /// `low`, `normal`, `high` or `urgent`; `normal` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// When it begins; at once where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<String>,
}

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequestView {
    /// The request.
    pub id: String,
    /// Counts changes; also the entity tag.
    pub version: i64,
    /// For which customer.
    pub customer: String,
    /// What the customer is called, where the caller may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// The service.
    pub service: String,
    /// What people call the service.
    pub service_title: String,
    /// `pending`, `scheduled`, `in_progress`, `completed` or `cancelled`.
    pub state: String,
    /// `low`, `normal`, `high` or `urgent`.
    pub priority: String,
    /// Who ordered it.
    pub requested_by: String,
    /// Who works on it; for those who may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<String>,
    /// A command does it.
    pub automatic: bool,
    /// Its command did not succeed; for those who work on it.
    pub attention: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// When it was completed or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
}

/// A run of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestRunView {
    /// The run.
    pub id: String,
    /// Where it stands.
    pub state: String,
    /// How it ended, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was submitted.
    pub queued_at: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
}

/// Something said about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoteView {
    /// The note.
    pub id: String,
    /// Who says it: an account that the caller may know of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What that account is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_name: Option<String>,
    /// Whether it is one of those who work here.
    pub staff: bool,
    /// Only for those who work on the request.
    pub internal: bool,
    /// The text.
    pub text: String,
    /// When.
    pub created_at: String,
}

/// A file of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachmentView {
    /// The file.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is, by its content.
    pub media_type: String,
    /// How long it is.
    pub size_bytes: u64,
    /// When it was added.
    pub created_at: String,
}

/// A request with all that belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequestDetail {
    /// The request.
    pub request: RequestView,
    /// What was filled in.
    pub values: BTreeMap<String, Value>,
    /// Its runs, newest first.
    pub runs: Vec<RequestRunView>,
    /// What was said, oldest first.
    pub notes: Vec<NoteView>,
    /// Its files, oldest first.
    pub attachments: Vec<AttachmentView>,
}

/// `PATCH /api/v1/requests/{id}`. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestPatch {
    /// `pending`, `scheduled`, `in_progress` or `completed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// When it begins; goes with the state `scheduled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<String>,
    /// `low`, `normal`, `high` or `urgent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Who works on it, by id or name; null for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub assignee: Option<Option<String>>,
    /// When it should be done; null for no time.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub due_at: Option<Option<String>>,
}

/// `POST /api/v1/requests/{id}/notes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteCreate {
    /// 1 to 10,000 characters.
    pub text: String,
    /// Only for those who work on the request.
    #[serde(default)]
    pub internal: bool,
}

/// Filters that somebody keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SavedViewView {
    /// The view.
    pub id: String,
    /// Of which list: `customers` or `requests`.
    pub list: String,
    /// What it is called.
    pub name: String,
    /// The filters, as a query string.
    pub query: String,
}

/// `PUT /api/v1/views`: keeps filters under a name, in place of what had it before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedViewPut {
    /// `customers` or `requests`.
    pub list: String,
    /// 1 to 64 characters.
    pub name: String,
    /// A query string of at most 1000 bytes, without `?`.
    pub query: String,
}
