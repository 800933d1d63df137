//! Services.

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod order;
pub(crate) mod update;

use crate::{
    api::input::id,
    context::{Authorised, Ctx},
    desk::runnable,
    error::ApiError,
    named_secrets,
    view::twin,
};
use wardroom_core::{
    Action, CustomerId,
    action::Resource,
    desk::{
        form::{Form, FormField},
        service::{Fulfilment, Service, ServiceState},
    },
};
use wardroom_engine::{EngineError, desk::ServiceChange, runs::Asked};
use wardroom_wire::{
    desk::{ServiceInside, ServicePatch, ServiceView},
    error::ErrorCode,
};

/// The service with this id or name, if the caller may do `action` to it.
pub(crate) async fn find(
    ctx: &Ctx,
    text: &str,
    action: Action,
) -> Result<(Service, Authorised), ApiError> {
    let store = ctx.app.engine.store();
    let found = match text.parse() {
        Ok(id) => store.lookup_service(id).await?,
        Err(_) if wardroom_core::person::is_name(text) => {
            store.lookup_service_by_name(text).await?
        }
        Err(_) => None,
    };
    let service = found.ok_or_else(ApiError::not_found)?;
    let allowed = ctx.authorise(action, &Resource::service(&service)).await?;
    Ok((service, allowed))
}

/// A service for whoever may read it.
pub(crate) fn show(ctx: &Ctx, service: &Service) -> Result<ServiceView, ApiError> {
    let inside = if ctx.decide(Action::ServiceUpdate, &Resource::service(service)).allowed {
        let audience = service.audience.as_ref();
        Some(ServiceInside {
            audience: audience.map(|ids| ids.iter().map(ToString::to_string).collect()),
            fulfilment: twin(&service.fulfilment)?,
            limits: twin(service.limits)?,
            author: service.author.to_string(),
        })
    } else {
        None
    };
    Ok(ServiceView {
        id: service.id.to_string(),
        version: service.version,
        name: service.name.clone(),
        title: service.title.clone(),
        description: service.description.clone(),
        state: service.state.as_str().to_owned(),
        form: service.form.clone(),
        inside,
        created_at: service.created_at.to_string(),
        updated_at: service.updated_at.to_string(),
    })
}

/// What a body asks for, in the domain's terms.
pub(super) fn wanted(body: ServicePatch) -> Result<ServiceChange, ApiError> {
    let state = body.state.as_deref().map(str::parse).transpose();
    let state: Option<ServiceState> =
        state.map_err(|error| ApiError::field("state", format!("{error}")))?;
    let audience = |ids: Vec<String>| -> Result<Vec<CustomerId>, ApiError> {
        let ids = ids.iter().map(|text| id(text));
        ids.collect::<Result<_, _>>()
            .map_err(|_| ApiError::field("audience", "must be ids of customers"))
    };
    Ok(ServiceChange {
        name: body.name,
        title: body.title,
        description: body.description,
        state,
        audience: body.audience.map(|ids| ids.map(audience).transpose()).transpose()?,
        form: body.form,
        fulfilment: body.fulfilment.map(twin).transpose()?,
        limits: body.limits.map(twin).transpose()?,
    })
}

/// Whoever publishes a service must be able to run its command: it runs under their rights from then on.
pub(super) async fn check_author(ctx: &Ctx, service: &Service) -> Result<(), ApiError> {
    if service.state != ServiceState::Published {
        return Ok(());
    }
    match runnable(&ctx.app, service, &ctx.principal).await {
        Ok(Some((asked, _))) => {
            // SECURITY: a token that runs no commands publishes none to be run.
            ctx.require(Action::RunSubmit).await?;
            check_secrets(ctx, service, &asked).await?;
            check_parameters(service, &asked)
        }
        Ok(None) => Ok(()),
        Err(error) if error.code == ErrorCode::NotOrdered => {
            let reason = "no node offers this command where you may run it yourself";
            Err(ApiError::field("fulfilment.command", reason))
        }
        Err(error) => Err(error),
    }
}

/// So they must be able to use its secrets.
async fn check_secrets(ctx: &Ctx, service: &Service, asked: &Asked) -> Result<(), ApiError> {
    let Fulfilment::Command { command, secrets, .. } = &service.fulfilment else { return Ok(()) };
    let may = |secret: &Resource| ctx.decide(Action::SecretUse, secret).allowed;
    named_secrets::check(&ctx.app, (asked, command), ("fulfilment.secrets", secrets), may).await
}

/// An order must give the command what it needs, and nothing that it does not know.
fn check_parameters(service: &Service, asked: &Asked) -> Result<(), ApiError> {
    let Fulfilment::Command { command, fixed, secrets, .. } = &service.fulfilment else {
        return Ok(());
    };
    let form = Form::parse(&service.form).map_err(EngineError::from)?;
    for spec in asked.nodes().iter().filter_map(|node| node.catalogue.command(command)) {
        let given = |name: &str| {
            let sure = |field: &FormField| field.required || field.default.is_some();
            fixed.contains_key(name)
                || secrets.contains_key(name)
                || form.fields.iter().any(|field| field.name == name && sure(field))
        };
        let needed = spec.parameters.iter().find(|parameter| {
            parameter.required && parameter.default.is_none() && !given(&parameter.name)
        });
        if let Some(parameter) = needed {
            let reason = format!(
                "{command} needs {}: add a required field of this name, a fixed value or a secret",
                parameter.name
            );
            return Err(ApiError::field("form", reason));
        }
        let known = |name: &str| spec.parameters.iter().any(|parameter| parameter.name == name);
        let names = form.fields.iter().map(|field| &field.name).chain(fixed.keys());
        if let Some(name) = names.into_iter().find(|name| !known(name)) {
            return Err(ApiError::field("form", format!("{command} has no parameter {name}")));
        }
    }
    Ok(())
}
