//! `tools/list` and `tools/call`

use super::{
    Gateway,
    asking::Came,
    calls::{Begun, BookError},
    client::{Client, Speaks},
    consent::{Called, Consent},
    headers::{check_mirrored, for_upstream, unsafe_name},
    request_state::{self, CallRound, Carried},
};
use crate::{
    era::meta,
    registry::{Known, KnownTool},
    rpc::{Object, RpcError, codes},
    trace::TraceContext,
    upstream::{Ask, Failure},
};
use data_encoding::HEXLOWER;
use serde_json::{Value, value::RawValue};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wardroom_core::{
    Action,
    action::Resource,
    audit::AuditDraft,
    store::StoreError,
    tool::{call::CallOutcome, facts::ArgumentFacts},
};

/// What divides a server's name from its tool's in lists of several servers.
pub(super) const DIVIDER: &str = "__";
/// What is kept of what went wrong, in characters.
const PROBLEM_CHARS_MAX: usize = 300;
/// Tools on one page.
const PAGE_TOOLS: usize = 500;

/// A tool as policy sees it.
pub(super) fn resource(known: &Known, tool: &KnownTool) -> Resource {
    Resource::tool(known.name(), &tool.name, tool.hints)
}

impl Gateway {
    /// The servers that the client is about.
    pub(super) fn servers_of(&self, client: &Client) -> Vec<Arc<Known>> {
        match &client.scope {
            Some(name) => self.registry.server(name).into_iter().collect(),
            None => self.registry.servers(),
        }
    }

    /// The tools that the client may call, by the names that it knows them by.
    pub(super) fn list_tools(&self, client: &Client, params: &Object) -> Result<Object, RpcError> {
        let after = params.text("cursor");
        if params.has("cursor") && after.is_none() {
            return Err(RpcError::invalid_params("`cursor` must be a text that was given here"));
        }
        let mut listed = vec![];
        for known in self.servers_of(client) {
            for tool in known.tools().values() {
                let unusable = tool.input.is_err();
                if unusable || !client.caller.may_call(&resource(&known, tool)) {
                    continue;
                }
                let name = match client.scope {
                    Some(_) => tool.name.clone(),
                    None => format!("{}{DIVIDER}{}", known.name(), tool.name),
                };
                listed.push((name, Arc::clone(tool)));
            }
        }
        let mut left = listed
            .into_iter()
            .filter(|(name, _)| after.as_ref().is_none_or(|after| name > after))
            .collect::<Vec<_>>();
        left.sort_by(|a, b| a.0.cmp(&b.0));
        let more = left.len() > PAGE_TOOLS;
        left.truncate(PAGE_TOOLS);
        let mut result = Object::default();
        if more && let Some((last, _)) = left.last() {
            result.set("nextCursor", last);
        }
        let tools: Vec<Object> = left
            .into_iter()
            .map(|(name, tool)| {
                let mut definition = tool.definition.clone();
                if client.scope.is_none() {
                    definition.set("name", name);
                }
                definition
            })
            .collect();
        result.set("tools", tools);
        Ok(result)
    }

    /// The tool of this name, if it is there for the client.
    fn find_tool(&self, client: &Client, name: &str) -> Option<(Arc<Known>, Arc<KnownTool>)> {
        let (server, name) = match &client.scope {
            Some(server) => (server.as_str(), name),
            None => name.split_once(DIVIDER)?,
        };
        let known = self.registry.server(server)?;
        let tool = known.tools().get(name).cloned()?;
        client.caller.may_call(&resource(&known, &tool)).then_some((known, tool))
    }

    /// Calls a tool: when it is there, the arguments fit, and policy allows it with these.
    pub(super) async fn call_tool(
        self: &Arc<Self>,
        client: &Client,
        params: &Object,
    ) -> Result<Object, RpcError> {
        client.caller.require(Action::ToolCall).await?;
        let name = params.text("name");
        let name = name.ok_or_else(|| RpcError::invalid_params("`name` must name a tool"))?;
        let Some((known, tool)) = self.find_tool(client, &name) else {
            return Err(no_tool(client, &name).await?);
        };
        let resource = resource(&known, &tool);
        let refuse = async |why: &str| client.caller.refuse(Action::ToolCall, &resource, why).await;
        let empty = Object::default().raw();
        let raw = params.raw_of("arguments").unwrap_or(&empty);
        let (arguments, facts) = match read_arguments(&known, raw) {
            Ok(read) => read,
            Err(error) => {
                refuse(&error.message).await?;
                return Err(error);
            }
        };
        let allowed = client.caller.authorise_call(&resource, &facts).await?;
        if let Some(mistakes) = mistakes(&tool, &arguments)? {
            refuse("the arguments do not fit the tool's schema").await?;
            return Ok(tool_error(&format!("The arguments are not acceptable:\n{mistakes}")));
        }
        let mirrored = tool.mirrored.values(&arguments);
        if let Speaks::Modern(modern) = &client.speaks
            && let Some(carried) = &modern.mirrored
            && let Err(error) = check_mirrored(carried, &mirrored)
        {
            refuse(&error.message).await?;
            return Err(error);
        }
        let limits = &known.upstream.server.limits;
        let most = limits.calls_per_minute;
        if !self.admit_call(client.caller.party(), &resource.id, most) {
            refuse("more calls than the tool server's limit allows").await?;
            let why = format!("{name} may be called {most} times a minute: wait a moment");
            return Err(RpcError::refused(why));
        }
        let digest = request_state::digest(client, "tools/call", params);
        let state = match self.open_state(client, params, digest) {
            Ok(state) => state,
            Err(error) => {
                refuse(&error.message).await?;
                return Err(error);
            }
        };
        let about = (&*known, &*tool);
        let called =
            Called { about, tool: &resource, facts: &facts, arguments: raw, params, digest };
        let (audit, approval) = match self.consent(client, &called, allowed, state.as_ref()).await?
        {
            Consent::Given(audit, approval) => (with_trace(*audit, params), approval),
            Consent::Later(result) => return Ok(result),
        };
        let round = state.as_ref().and_then(|state| state.call);
        let begun = match round {
            Some(round) => self.calls.go_on(round, &known, &tool.name, audit).await,
            None => self.calls.begin(client, &known, &tool.name, raw, (audit, approval)).await,
        };
        let begun = begun.map_err(not_begun)?;
        let mut ask = asking(client, (&known, &tool), params, state.as_ref());
        ask.mirrored = mirrored;
        let call = round.map_or_else(|| CallRound::first(begun.id), CallRound::next);
        let came = self.ask(client, &known, ask, digest, state, Some(call)).await;
        self.settle(&tool, begun, came).await
    }

    /// Writes down what came of a call, and gives the client its answer.
    async fn settle(
        &self,
        tool: &KnownTool,
        begun: Begun,
        came: Result<Came, Failure>,
    ) -> Result<Object, RpcError> {
        let came = came.map(|came| match came {
            Came::Answer(result) => Came::Answer(without_own(result)),
            Came::Again(result) => Came::Again(without_own(result)),
        });
        let (outcome, answer, problem) = match came {
            // It is not over.
            Ok(Came::Again(result)) => return Ok(result),
            Ok(Came::Answer(result)) => match misfit(tool, &result) {
                Some(why) => {
                    let error = RpcError::new(codes::UNAVAILABLE, why.clone());
                    (CallOutcome::Failed, Err(error), Some(why))
                }
                None if result.get::<bool>("isError") == Some(true) => {
                    (CallOutcome::ToolError, Ok(result), None)
                }
                None => (CallOutcome::Succeeded, Ok(result), None),
            },
            Err(failure) => {
                let outcome = match failure {
                    Failure::TimedOut(_) => CallOutcome::TimedOut,
                    Failure::Cancelled => CallOutcome::Cancelled,
                    _ => CallOutcome::Failed,
                };
                // The server's own words stay with the answer: they may hold what the call was about.
                let problem = match &failure {
                    Failure::Rpc(error) => {
                        format!("the tool server answered with error {}", error.code)
                    }
                    other => {
                        let words = other.to_string();
                        let kept = words.chars().filter(|c| !c.is_control());
                        kept.take(PROBLEM_CHARS_MAX).collect()
                    }
                };
                (outcome, Err(RpcError::from(failure)), Some(problem))
            }
        };
        let text = answer.as_ref().ok().map(|result| result.raw());
        self.calls.end(begun, outcome, text.as_deref().map(RawValue::get), problem).await;
        answer
    }
}

/// The arguments, and what policy may ask of them.
fn read_arguments(known: &Known, raw: &RawValue) -> Result<(Value, ArgumentFacts), RpcError> {
    let refused = |why: String| RpcError::invalid_params(why);
    let most = known.upstream.server.limits.arguments_bytes_max;
    if raw.get().len() > most as usize {
        return Err(refused(format!("`arguments` are longer than {most} bytes")));
    }
    let value: Value =
        serde_json::from_str(raw.get()).map_err(|error| refused(error.to_string()))?;
    if !value.is_object() {
        return Err(refused("`arguments` must be an object".to_owned()));
    }
    if let Some(name) = unsafe_name(&value) {
        let why = format!("`arguments` have a member {name:?}, which is not let through");
        return Err(refused(why));
    }
    let facts = ArgumentFacts::of(&value).map_err(|error| RpcError::refused(error.to_string()))?;
    Ok((value, facts))
}

/// What is wrong with arguments by the tool's schema: told as what the tool says, so that a model can mend it.
fn mistakes(tool: &KnownTool, arguments: &Value) -> Result<Option<String>, RpcError> {
    let unusable =
        |why: &String| RpcError::invalid_params(format!("the tool can't be called: {why}"));
    let mistakes = tool.input.as_ref().map_err(unusable)?.mistakes(arguments);
    Ok((!mistakes.is_empty()).then(|| mistakes.join("\n")))
}

/// The error for a tool that is not there for the client, once that is recorded.
async fn no_tool(client: &Client, name: &str) -> Result<RpcError, RpcError> {
    let resource = Resource::tool("unknown", "unknown", Default::default());
    client.caller.refuse(Action::ToolCall, &resource, "there is no such tool").await?;
    Ok(RpcError::invalid_params(format!("there is no tool {name:?} here")))
}

/// Why a call was not begun: where its consent was used up meanwhile, or it could not be written down.
fn not_begun(error: BookError) -> RpcError {
    match error {
        BookError::Store(StoreError::Conflict("the call")) => {
            RpcError::invalid_params("the call is over, or went on from here before: begin anew")
        }
        BookError::Store(StoreError::Conflict(_)) => {
            RpcError::refused("another call just like it used the consent up: ask for it anew")
        }
        error => {
            tracing::error!(%error, "a call could not be written down, so it was not made");
            RpcError::new(codes::UNAVAILABLE, "the call could not be recorded, so it was not made")
        }
    }
}

/// What a tool's server is asked.
fn asking(
    client: &Client,
    (known, tool): (&Known, &KnownTool),
    params: &Object,
    state: Option<&Carried>,
) -> Ask {
    let mut params = known_members(params).with("name", &tool.name);
    if state.is_some_and(|state| state.consent || state.account) {
        // What was answered was asked here, not by the server.
        params.remove("inputResponses");
    }
    Ask {
        method: "tools/call".to_owned(),
        params,
        capabilities: client.speaks.known_capabilities(),
        person: Some(client.caller.user()),
        party: Some(client.caller.party()),
        session: client.speaks.session(),
        asked_back: true,
        log_level: client.speaks.log_level(),
        mirrored: BTreeMap::new(),
        idempotent: tool.hints.idempotent,
        time: Duration::from_millis(known.upstream.server.limits.call_ms_max.into()),
    }
}

/// The record of a call, with the trace that it belongs to.
fn with_trace(audit: AuditDraft, params: &Object) -> AuditDraft {
    match TraceContext::extract(params) {
        Some(context) => audit.detail("trace_id", HEXLOWER.encode(&context.trace_id)),
        None => audit,
    }
}

/// What is passed on of a call: the members that the protocol knows, and no others.
fn known_members(params: &Object) -> Object {
    const KNOWN: [&str; 5] = ["name", "arguments", "_meta", "requestState", "inputResponses"];
    let mut passed = for_upstream(params);
    let names: Vec<String> = passed.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names.iter().filter(|name| !KNOWN.contains(&name.as_str())) {
        passed.remove(name);
    }
    passed
}

/// What is wrong with an answer, where its tool said what it would be.
fn misfit(tool: &KnownTool, result: &Object) -> Option<String> {
    if result.get::<bool>("isError") == Some(true) {
        return None;
    }
    let shape = match tool.output.as_ref()? {
        Ok(shape) => shape,
        Err(why) => return Some(format!("the tool's outputSchema can't be used: {why}")),
    };
    let Some(structured) = result.get::<Value>("structuredContent") else {
        return Some("the tool said that its answer has a structure, and gave none".to_owned());
    };
    match shape.mistakes(&structured).as_slice() {
        [] => None,
        mistakes => Some(format!(
            "the tool's answer is not what it said it would be: {}",
            mistakes.join("; ")
        )),
    }
}

/// A server's result without what only the gateway says. SECURITY: no server may send people to approvals.
fn without_own(mut result: Object) -> Object {
    if let Some(mut own) = result.object("_meta")
        && own.has(meta::APPROVAL)
    {
        own.remove(meta::APPROVAL);
        result.set("_meta", own);
    }
    result
}

/// What a tool would say that can't do it.
fn tool_error(text: &str) -> Object {
    let content = Object::default().with("type", "text").with("text", text);
    Object::default().with("content", [content]).with("isError", true)
}

impl From<Failure> for RpcError {
    fn from(failure: Failure) -> Self {
        let code = match &failure {
            // The gateway's own codes mean that the gateway says so.
            Failure::Rpc(error) if (-31_999..=-31_000).contains(&error.code) => {
                return Self { code: codes::INTERNAL_ERROR, ..error.clone() };
            }
            Failure::Rpc(error) => return error.clone(),
            Failure::TimedOut(_) => codes::TIMED_OUT,
            Failure::Internal(why) => {
                tracing::error!(%why, "a tool server could not be asked");
                return Self::internal();
            }
            _ => codes::UNAVAILABLE,
        };
        Self::new(code, failure.to_string())
    }
}
