//! Making services and changing them.

use super::settled;
use crate::{Engine, EngineError, runs::name_secrets};
use serde_json::Value;
use wardroom_core::{
    CustomerId, ServiceId, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    command::ParameterValue,
    desk::{
        form::Form,
        service::{Fulfilment, OrderLimits, Service, ServiceState},
    },
    field::FieldError,
    hint::Hint,
};

/// What a service is to be like; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ServiceChange {
    /// Its name in addresses.
    pub name: Option<String>,
    /// What people call it.
    pub title: Option<String>,
    /// What it does for them.
    pub description: Option<String>,
    /// Whether it can be ordered.
    pub state: Option<ServiceState>,
    /// The customers that it is for; `Some(None)` for all.
    pub audience: Option<Option<Vec<CustomerId>>>,
    /// The form.
    pub form: Option<Value>,
    /// What a request of it comes to.
    pub fulfilment: Option<Fulfilment>,
    /// How much one customer may order.
    pub limits: Option<OrderLimits>,
}

impl ServiceChange {
    /// The service as it would be.
    pub fn apply(self, mut service: Service) -> Service {
        macro_rules! take {
            ($($field:ident),+) => {$(
                if let Some(value) = self.$field {
                    service.$field = value;
                }
            )+};
        }
        take!(name, title, description, state, audience, form, fulfilment, limits);
        service
    }
}

impl Engine {
    /// Makes a service, as a draft.
    pub async fn add_service(
        &self,
        wanted: ServiceChange,
        author: UserId,
        audit: AuditDraft,
    ) -> Result<Service, EngineError> {
        let now = self.now();
        let empty = Service {
            id: ServiceId::new(now, &*self.rng),
            version: 1,
            name: String::new(),
            title: String::new(),
            description: String::new(),
            state: ServiceState::Draft,
            audience: None,
            form: Value::Object(serde_json::Map::new()),
            fulfilment: Fulfilment::Manual,
            limits: OrderLimits::default(),
            author,
            created_at: now,
            updated_at: now,
        };
        let service = wanted.apply(empty);
        check(&service)?;
        let change = Change::recorded(describe(audit, &service))
            .write(Write::AddService(service.clone()))
            .hint(Hint::Services);
        settled(self.commit(change).await)?;
        Ok(service)
    }

    /// Changes a service, if it is still of this version. From then on it runs under `author`'s rights.
    pub async fn change_service(
        &self,
        service: &Service,
        wanted: ServiceChange,
        author: UserId,
        audit: AuditDraft,
    ) -> Result<Service, EngineError> {
        let mut changed = wanted.apply(service.clone());
        changed.version = service.version + 1;
        changed.author = author;
        changed.updated_at = self.now();
        check(&changed)?;
        let change = Change::recorded(describe(audit, &changed))
            .write(Write::UpdateService(changed.clone()))
            .hint(Hint::Services);
        settled(self.commit(change).await)?;
        Ok(changed)
    }
}

fn describe(audit: AuditDraft, service: &Service) -> AuditDraft {
    let audit = audit.on(service.id).detail("name", &service.name);
    let audit = audit.detail("state", service.state.as_str()).detail("version", service.version);
    match &service.fulfilment {
        Fulfilment::Command { command, secrets, .. } => {
            name_secrets(audit.detail("command", command), secrets)
        }
        Fulfilment::Manual => audit,
    }
}

/// Checks a service as a whole.
fn check(service: &Service) -> Result<(), EngineError> {
    service.check()?;
    let form = Form::parse(&service.form)?;
    if let Fulfilment::Command { fixed, secrets, .. } = &service.fulfilment {
        let twice = |name: &String| {
            fixed.contains_key(name) || form.fields.iter().any(|field| field.name == *name)
        };
        if let Some(name) = secrets.keys().find(|name| twice(name)) {
            let reason = "has a value in the form or among the fixed ones as well";
            return Err(FieldError::new(format!("fulfilment.secrets.{name}"), reason).into());
        }
        if let Some(field) = form.fields.iter().find(|field| fixed.contains_key(&field.name)) {
            let reason = "stands in the form as well: whoever orders must not give it";
            return Err(FieldError::new(format!("fulfilment.fixed.{}", field.name), reason).into());
        }
        let unfit =
            |value: &Value| serde_json::from_value::<ParameterValue>(value.clone()).is_err();
        if let Some((name, _)) = fixed.iter().find(|(_, value)| unfit(value)) {
            let reason = "must be a text, a whole number or a boolean";
            return Err(FieldError::new(format!("fulfilment.fixed.{name}"), reason).into());
        }
    }
    Ok(())
}
