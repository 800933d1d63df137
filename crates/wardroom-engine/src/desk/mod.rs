//! The desk: customers, services, requests. What is known of a customer is sealed under its own key; only here
//! and in the doors is it in the clear.

mod attachments;
mod clock;
mod customers;
mod index;
mod requests;
mod services;
mod views;

pub(crate) use attachments::purpose as purpose_of_file;
pub use attachments::{ATTACHMENT_BYTES_MAX, MEDIA_TYPES};
pub use customers::{IMPORT_ROWS_MAX, RowProblem};
pub use index::{CustomerIndex, Entry};
pub use requests::{NewRequest, RequestChange};
pub use services::ServiceChange;

use crate::{Engine, EngineError};
use std::sync::Arc;
use wardroom_core::{
    CustomerId,
    desk::{
        customer::{Customer, CustomerProfile, CustomerState},
        request::{Attachment, Note, Order, ServiceRequest},
    },
    store::StoreError,
};
use wardroom_trust::vault::{ERASED, PersonCipher, VaultError};

/// What each thing is sealed for.
pub(crate) const PROFILE: &str = "customer";
pub(crate) const ORDER: &str = "request";
pub(crate) const NOTE: &str = "note";
pub(crate) const ATTACHMENT_NAME: &str = "attachment.name";
const ATTACHMENT_CONTENT: &str = "attachment.content";
/// The kind of blind index of a customer's e-mail address.
const EMAIL: &str = "customer.email";

impl Engine {
    /// The customer with this id. One that was erased is not there.
    pub async fn customer(&self, id: CustomerId) -> Result<Customer, EngineError> {
        let found = self.store.lookup_customer(id).await?;
        let active = found.filter(|customer| customer.state == CustomerState::Active);
        active.ok_or(EngineError::NotFound("customer"))
    }

    /// A customer's cipher; `None` where its key was destroyed.
    pub(crate) async fn customer_cipher(
        &self,
        id: CustomerId,
    ) -> Result<Option<Arc<PersonCipher>>, EngineError> {
        match self.vault.cipher(id.into()).await {
            Ok(cipher) => Ok(Some(cipher)),
            Err(VaultError::Erased) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is known of a customer.
    pub async fn customer_profile(
        &self,
        customer: &Customer,
    ) -> Result<CustomerProfile, EngineError> {
        let erased = || CustomerProfile { name: ERASED.to_owned(), ..CustomerProfile::default() };
        if customer.state == CustomerState::Erased {
            return Ok(erased());
        }
        match self.customer_cipher(customer.id).await? {
            Some(cipher) => cipher.open_json(PROFILE, &customer.profile).map_err(EngineError::seal),
            None => Ok(erased()),
        }
    }

    /// What was filled in; nothing where the customer was erased.
    pub async fn order_of(&self, request: &ServiceRequest) -> Result<Order, EngineError> {
        match self.customer_cipher(request.customer).await? {
            Some(cipher) => cipher.open_json(ORDER, &request.sealed).map_err(EngineError::seal),
            None => Ok(Order::default()),
        }
    }

    /// What a note says.
    pub async fn note_text(
        &self,
        customer: CustomerId,
        note: &Note,
    ) -> Result<String, EngineError> {
        self.text_of(customer, NOTE, &note.sealed).await
    }

    /// What an attachment is called.
    pub async fn attachment_name(&self, attachment: &Attachment) -> Result<String, EngineError> {
        self.text_of(attachment.customer, ATTACHMENT_NAME, &attachment.sealed_name).await
    }

    async fn text_of(
        &self,
        customer: CustomerId,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<String, EngineError> {
        let Some(cipher) = self.customer_cipher(customer).await? else {
            return Ok(ERASED.to_owned());
        };
        let plain = cipher.open(purpose, sealed).map_err(EngineError::seal)?;
        Ok(String::from_utf8_lossy(&plain).into_owned())
    }
}

/// What a change to the desk came to.
fn settled(outcome: Result<(), StoreError>) -> Result<(), EngineError> {
    let full = |text: &str| Err(EngineError::LimitReached(text.to_owned()));
    match outcome {
        Ok(()) => Ok(()),
        Err(StoreError::Conflict("room for open requests")) => {
            full("the customer has as many open requests of this service as it may")
        }
        Err(StoreError::Conflict("room for requests of a day")) => {
            full("the customer has ordered this service as often within 24 hours as it may")
        }
        Err(StoreError::Conflict("room for notes")) => {
            full("as much was said about the request as may be: 1,000 notes")
        }
        Err(StoreError::Conflict("room for attachments")) => {
            full("the customer's attachments would be longer than its quota")
        }
        Err(StoreError::Conflict("room for attachments of the request")) => {
            full("the request has as many attachments as it may")
        }
        Err(StoreError::Conflict("the customer's accounts")) => Err(EngineError::Field {
            field: "customer",
            reason: "still has accounts: erase them, or take them out of it, first".to_owned(),
        }),
        Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
        Err(StoreError::Duplicate("customer's e-mail address")) => Err(EngineError::Field {
            field: "email",
            reason: "belongs to another customer".to_owned(),
        }),
        Err(StoreError::Duplicate("service name")) => {
            Err(EngineError::Field { field: "name", reason: "is taken".to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}
