//! Requests from the order to their end, and what is said about them.

use super::{NOTE, ORDER, settled};
use crate::{
    Engine, EngineError,
    runs::{Submission, name_secrets},
};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use wardroom_core::{
    CustomerId, NoteId, Role, ServiceRequestId, Timestamp, UserId,
    audit::AuditDraft,
    change::{Change, RequestRoom, Write},
    command::{ParameterValue, Parameters},
    desk::{
        form::Form,
        request::{Note, Order, Priority, RequestState, ServiceRequest, checked_note},
        service::{Fulfilment, Service, ServiceState},
    },
    digest::sha256,
    hint::Hint,
    identity::UserState,
    page::{PAGE_ITEMS_MAX, PageRequest},
    store::{RunFilter, StoreError},
};

/// A day, for limits.
const DAY: Duration = Duration::from_secs(86_400);
/// How far ahead a request can be scheduled or due.
const AHEAD_MAX: Duration = Duration::from_secs(5 * 366 * 86_400);

/// An order.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// Who orders.
    pub by: UserId,
    /// The form's values.
    pub values: BTreeMap<String, Value>,
    /// How much it presses.
    pub priority: Priority,
    /// When it should be done.
    pub due_at: Option<Timestamp>,
    /// When it begins; at once where absent.
    pub scheduled_for: Option<Timestamp>,
    /// The orderer's own name for the order.
    pub idempotency_key: Option<String>,
}

/// What is to be different about a request; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct RequestChange {
    /// How far it is.
    pub state: Option<RequestState>,
    /// When it begins; with the state `scheduled`.
    pub scheduled_for: Option<Timestamp>,
    /// How much it presses.
    pub priority: Option<Priority>,
    /// Who works on it; `Some(None)` for nobody.
    pub assignee: Option<Option<UserId>>,
    /// When it should be done; `Some(None)` for no time.
    pub due_at: Option<Option<Timestamp>>,
}

impl NewRequest {
    /// All that is asked for, as a digest. It stays with the order's values, sealed.
    fn digest(&self, service: &Service, customer: CustomerId) -> String {
        let times = [self.due_at, self.scheduled_for].map(|at| at.map(|at| at.to_string()));
        let all = serde_json::json!([
            service.id.to_string(),
            customer.to_string(),
            self.values,
            self.priority.as_str(),
            times,
        ]);
        data_encoding::HEXLOWER.encode(&sha256(&[all.to_string().as_bytes()]))
    }
}

impl Engine {
    /// The request of an earlier order with the same key.
    pub async fn earlier_request(
        &self,
        service: &Service,
        customer: CustomerId,
        order: &NewRequest,
    ) -> Result<Option<ServiceRequest>, EngineError> {
        let Some(key) = &order.idempotency_key else { return Ok(None) };
        crate::runs::check_key(key)?;
        let Some(found) = self.store.lookup_request_by_key(order.by, key).await? else {
            return Ok(None);
        };
        if self.order_of(&found).await?.asked != order.digest(service, customer) {
            return Err(EngineError::IdempotencyMismatch);
        }
        Ok(Some(found))
    }

    /// Takes an order in. `run` makes the submission out of the order's values where a command does it at once.
    pub async fn order(
        &self,
        service: &Service,
        customer: &wardroom_core::desk::customer::Customer,
        order: NewRequest,
        run: Option<Submission>,
        audit: AuditDraft,
    ) -> Result<ServiceRequest, EngineError> {
        if service.state != ServiceState::Published {
            return Err(EngineError::NotOrdered("the service is not published"));
        }
        if !service.is_for(customer.id) {
            return Err(EngineError::NotOrdered("the service is not for this customer"));
        }
        let now = self.now();
        within_reach("due_at", order.due_at, now)?;
        within_reach("scheduled_for", order.scheduled_for, now)?;
        let asked = order.digest(service, customer.id);
        let values = self.check_values(service, order.values)?;
        let cipher = self.vault.cipher(customer.id.into()).await?;
        let sealed = cipher
            .seal_json(ORDER, &Order { values, asked }, &*self.rng)
            .map_err(EngineError::seal)?;
        let automatic = matches!(service.fulfilment, Fulfilment::Command { .. });
        let state = match (order.scheduled_for, &run) {
            (Some(_), _) => RequestState::Scheduled,
            (None, Some(_)) => RequestState::InProgress,
            (None, None) => RequestState::Pending,
        };
        let request = ServiceRequest {
            id: ServiceRequestId::new(now, &*self.rng),
            version: 1,
            customer: customer.id,
            operators: customer.operators.clone(),
            service: service.id,
            requested_by: order.by,
            sealed,
            state,
            priority: order.priority,
            assignee: None,
            due_at: order.due_at,
            scheduled_for: order.scheduled_for,
            automatic,
            attention: false,
            idempotency_key: order.idempotency_key,
            created_at: now,
            updated_at: now,
            closed_at: None,
        };
        let room = RequestRoom {
            open_max: service.limits.open_max,
            recent_max: service.limits.per_day_max,
            since: now.minus(DAY),
        };
        let audit = audit.on(request.id).detail("service", &service.name);
        let audit = audit.detail("customer", customer.id).detail("state", state.as_str());
        let add = Write::AddRequest { request: Box::new(request.clone()), room: Some(room) };
        self.begin(add, request, run, audit).await
    }

    /// Begins the command of a request that waited for its time.
    pub async fn start_request(
        &self,
        request: &ServiceRequest,
        run: Submission,
        audit: AuditDraft,
    ) -> Result<ServiceRequest, EngineError> {
        let next = become_state(request, RequestState::InProgress, None, self.now())?;
        let audit = audit.on(next.id).detail("state", next.state.as_str());
        self.begin(Write::UpdateRequest(Box::new(next.clone())), next, Some(run), audit).await
    }

    /// A request whose time has come but whose command can't begin waits for a person.
    pub async fn put_back(
        &self,
        request: &ServiceRequest,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let next = become_state(request, RequestState::Pending, None, self.now())?;
        let next = ServiceRequest { attention: true, ..next };
        let change = Change::recorded(audit.on(request.id).detail("attention", true))
            .write(Write::UpdateRequest(Box::new(next)))
            .hint(Hint::Request(request.id));
        settled(self.commit(change).await)
    }

    /// Makes a request durable together with its run.
    async fn begin(
        &self,
        write: Write,
        request: ServiceRequest,
        run: Option<Submission>,
        audit: AuditDraft,
    ) -> Result<ServiceRequest, EngineError> {
        let hint = Hint::Request(request.id);
        let Some(mut submission) = run else {
            settled(self.commit(Change::recorded(audit).write(write).hint(hint)).await)?;
            return Ok(request);
        };
        submission.request = Some((request.id, request.customer));
        let planned = self.plan(&submission).await?;
        let audit = name_secrets(audit.detail("run", planned.id()), &submission.named);
        let mut change = planned.change(audit).hint(hint);
        change.writes.insert(0, write);
        match self.take_in(planned, change).await {
            Ok(_) => Ok(request),
            Err(EngineError::Store(
                error @ (StoreError::Conflict(_) | StoreError::Duplicate(_)),
            )) => Err(settled(Err(error)).err().unwrap_or(EngineError::Conflict)),
            Err(error) => Err(error),
        }
    }

    /// Holds an order's values to the service's form.
    pub fn check_values(
        &self,
        service: &Service,
        given: BTreeMap<String, Value>,
    ) -> Result<BTreeMap<String, Value>, EngineError> {
        let form = Form::parse(&service.form)?;
        form.check(given).map_err(|errors| {
            let named = errors.into_iter().map(|error| wardroom_core::field::FieldError {
                field: format!("values.{}", error.field),
                ..error
            });
            EngineError::Fields(named.collect())
        })
    }

    /// The parameters of a service's command for these values.
    pub fn command_parameters(
        fixed: &BTreeMap<String, Value>,
        values: &BTreeMap<String, Value>,
    ) -> Result<Parameters, EngineError> {
        let mut parameters = Parameters::new();
        for (name, value) in values.iter().chain(fixed) {
            let value: ParameterValue = serde_json::from_value(value.clone()).map_err(|_| {
                let reason = "no command takes such a value: a text, a whole number or a boolean";
                EngineError::Field { field: "fulfilment", reason: reason.to_owned() }
            })?;
            parameters.insert(name.clone(), value);
        }
        Ok(parameters)
    }

    /// Changes a request, if it is still of this version.
    pub async fn change_request(
        &self,
        request: &ServiceRequest,
        wanted: RequestChange,
        audit: AuditDraft,
    ) -> Result<ServiceRequest, EngineError> {
        let now = self.now();
        let mut audit = audit.on(request.id);
        let mut next = match wanted.state.filter(|state| *state != request.state) {
            Some(state) => {
                audit = audit.detail("state", state.as_str());
                audit = audit.detail("state_before", request.state.as_str());
                if state == RequestState::Scheduled && wanted.scheduled_for.is_none() {
                    let reason = "a scheduled request needs its time".to_owned();
                    return Err(EngineError::Field { field: "scheduled_for", reason });
                }
                within_reach("scheduled_for", wanted.scheduled_for, now)?;
                become_state(request, state, wanted.scheduled_for, now)?
            }
            None if request.state.is_closed() => {
                return Err(EngineError::RequestState(
                    "a closed request stays as it is".to_owned(),
                ));
            }
            None => request.touched(now),
        };
        if let Some(priority) = wanted.priority {
            audit = audit.detail("priority", priority.as_str());
            next.priority = priority;
        }
        if let Some(assignee) = wanted.assignee {
            if let Some(id) = assignee {
                self.check_assignee(id).await?;
            }
            let named = assignee.map_or_else(|| "nobody".to_owned(), |id| id.to_string());
            audit = audit.detail("assignee", named);
            next.assignee = assignee;
        }
        if let Some(due_at) = wanted.due_at {
            within_reach("due_at", due_at, now)?;
            audit = audit.detail("due_at", due_at.map_or_else(String::new, |at| at.to_string()));
            next.due_at = due_at;
        }
        let change = Change::recorded(audit)
            .write(Write::UpdateRequest(Box::new(next.clone())))
            .hint(Hint::Request(request.id));
        settled(self.commit(change).await)?;
        Ok(next)
    }

    async fn check_assignee(&self, id: UserId) -> Result<(), EngineError> {
        let found = self.store.lookup_user(id).await?;
        if found.is_some_and(|user| user.state == UserState::Active && user.role != Role::Customer)
        {
            return Ok(());
        }
        let reason = "is not an active account of those who work here".to_owned();
        Err(EngineError::Field { field: "assignee", reason })
    }

    /// Asks every run of a request that goes on to stop. `audit` is the record of each, without target.
    pub async fn stop_runs_of(
        &self,
        request: ServiceRequestId,
        audit: &AuditDraft,
    ) -> Result<(), EngineError> {
        let filter = RunFilter { request: Some(request), top_level: true, ..RunFilter::default() };
        let runs = self.store.list_runs(&filter, PageRequest::new(None, PAGE_ITEMS_MAX)).await?;
        for run in runs.items.iter().filter(|run| !run.state.is_terminal()) {
            match self.cancel(run.id, audit.clone()).await {
                // It ended in this moment.
                Ok(_) | Err(EngineError::RunState(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says something about a request.
    pub async fn add_note(
        &self,
        request: &ServiceRequest,
        text: &str,
        internal: bool,
        author: Option<UserId>,
        audit: AuditDraft,
    ) -> Result<Note, EngineError> {
        let text = checked_note(text)?;
        let cipher = self.vault.cipher(request.customer.into()).await?;
        let note = Note {
            id: NoteId::new(self.now(), &*self.rng),
            request: request.id,
            author,
            internal,
            sealed: cipher.seal(NOTE, text.as_bytes(), &*self.rng).map_err(EngineError::seal)?,
            created_at: self.now(),
        };
        let audit = audit.on(request.id).detail("note", note.id).detail("internal", internal);
        let change = Change::recorded(audit)
            .write(Write::HoldCustomer(request.customer))
            .write(Write::AddNote(note.clone()))
            .hint(Hint::Request(request.id));
        settled(self.commit(change).await)?;
        Ok(note)
    }
}

fn become_state(
    request: &ServiceRequest,
    to: RequestState,
    scheduled_for: Option<Timestamp>,
    now: Timestamp,
) -> Result<ServiceRequest, EngineError> {
    request
        .become_state(to, scheduled_for, now)
        .map_err(|error| EngineError::RequestState(error.to_string()))
}

fn within_reach(
    field: &'static str,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), EngineError> {
    match at {
        Some(at) if at <= now || at > now.plus(AHEAD_MAX) => Err(EngineError::Field {
            field,
            reason: "must be in the future, and within five years".to_owned(),
        }),
        _ => Ok(()),
    }
}
