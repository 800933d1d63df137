//! The desk's storage port.

use super::StoreResult;
use crate::{
    AttachmentId, CustomerId, SavedViewId, ServiceId, ServiceRequestId, Timestamp, UserId,
    desk::{
        SavedView,
        customer::Customer,
        request::{Attachment, Note, Priority, RequestState, ServiceRequest},
        service::{Service, ServiceState},
    },
    page::{Page, PageRequest},
    person::BlindIndex,
};
use async_trait::async_trait;

/// Which requests are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// In this state.
    pub state: Option<RequestState>,
    /// Not closed.
    pub open: bool,
    /// Of one of these customers.
    pub customers: Option<Vec<CustomerId>>,
    /// Ordered by this account.
    pub requested_by: Option<UserId>,
    /// Of this service.
    pub service: Option<ServiceId>,
    /// Of this priority.
    pub priority: Option<Priority>,
    /// That this account works on.
    pub assignee: Option<UserId>,
    /// That nobody works on.
    pub unassigned: bool,
    /// Due before.
    pub due_before: Option<Timestamp>,
    /// That need somebody to look.
    pub attention: bool,
    /// Only what concerns this account: its own orders, its work, those of customers that it looks after, and
    /// those of the customer that it belongs to.
    pub concerning: Option<(UserId, Option<CustomerId>)>,
}

/// Reads customers, services and requests.
#[async_trait]
pub trait Desk: Send + Sync {
    /// A customer by its id.
    async fn lookup_customer(&self, id: CustomerId) -> StoreResult<Option<Customer>>;
    /// A customer by its e-mail address.
    async fn lookup_customer_by_email(&self, email: BlindIndex) -> StoreResult<Option<Customer>>;
    /// Customers with these ids, in no order; those that are not there are left out.
    async fn lookup_customers(&self, ids: &[CustomerId]) -> StoreResult<Vec<Customer>>;
    /// Customers by id behind `after`, the erased ones too.
    async fn walk_customers(
        &self,
        after: Option<CustomerId>,
        limit: u32,
    ) -> StoreResult<Vec<Customer>>;
    /// A service by its id.
    async fn lookup_service(&self, id: ServiceId) -> StoreResult<Option<Service>>;
    /// A service by its name.
    async fn lookup_service_by_name(&self, name: &str) -> StoreResult<Option<Service>>;
    /// Services by name.
    async fn list_services(
        &self,
        state: Option<ServiceState>,
        page: PageRequest<String>,
    ) -> StoreResult<Page<Service, String>>;
    /// A request.
    async fn lookup_request(&self, id: ServiceRequestId) -> StoreResult<Option<ServiceRequest>>;
    /// A request by its orderer's own name for it.
    async fn lookup_request_by_key(
        &self,
        user: UserId,
        key: &str,
    ) -> StoreResult<Option<ServiceRequest>>;
    /// Requests, newest first.
    async fn list_requests(
        &self,
        filter: &RequestFilter,
        page: PageRequest<ServiceRequestId>,
    ) -> StoreResult<Page<ServiceRequest, ServiceRequestId>>;
    /// Automatic requests whose time has come.
    async fn list_due_requests(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<ServiceRequest>>;
    /// Automatic requests in progress whose runs have all ended, and that nobody has to look at yet.
    async fn list_settled_requests(&self, limit: u32) -> StoreResult<Vec<ServiceRequest>>;
    /// How many requests that are not closed there are in each state.
    async fn count_requests(&self, filter: &RequestFilter)
    -> StoreResult<Vec<(RequestState, u64)>>;
    /// What was said about a request, oldest first; all of it.
    async fn list_notes(&self, request: ServiceRequestId) -> StoreResult<Vec<Note>>;
    /// A request's attachments, oldest first.
    async fn list_attachments(&self, request: ServiceRequestId) -> StoreResult<Vec<Attachment>>;
    /// An attachment with its content, sealed.
    async fn lookup_attachment(
        &self,
        id: AttachmentId,
    ) -> StoreResult<Option<(Attachment, Vec<u8>)>>;
    /// What a customer's attachments are long, all together.
    async fn attachment_bytes(&self, customer: CustomerId) -> StoreResult<u64>;
    /// An account's views of one list, or of all, by name.
    async fn list_views(&self, user: UserId, list: Option<&str>) -> StoreResult<Vec<SavedView>>;
    /// A view.
    async fn lookup_view(&self, id: SavedViewId) -> StoreResult<Option<SavedView>>;
}
