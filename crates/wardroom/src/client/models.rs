//! `wardroom models …`, `wardroom usage` and `wardroom budgets …`: language models, what they take and may take

use super::{Exit, Failure, Session, http::segment, names::Names};
use crate::output::Table;
use wardroom_wire::{
    api::List,
    models::{
        BudgetCreate, BudgetPut, BudgetView, ModelCallView, ModelsView, ProviderView, SpentView,
    },
};

/// What can be done with models.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ModelsCommand {
    /// Show who runs language models, how they do, and the routes to them
    List,
    /// List questions and what they took, newest first
    Calls {
        /// Of this run
        #[arg(long)]
        run: Option<String>,
        /// To this provider
        #[arg(long)]
        provider: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

/// Show what language models took
#[derive(Debug, clap::Args)]
pub(crate) struct UsageArgs {
    /// Put together by: model, user, customer, agent or day
    #[arg(long, default_value = "model")]
    by: String,
    /// Within the last so many days, today among them
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Your own only
    #[arg(long)]
    mine: bool,
}

/// What can be done with budgets.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum BudgetsCommand {
    /// List them with what is used of each
    List,
    /// Bound what is asked from now on
    Add {
        /// Whose questions it counts: everything, user, customer, agent, provider or token
        scope: String,
        /// Who exactly: an id, or the name of an agent or provider. Each for itself where absent
        #[arg(long, value_name = "ID")]
        of: Option<String>,
        /// How long it is for: day, month or forever
        #[arg(long, default_value = "month")]
        per: String,
        #[command(flatten)]
        bounds: BoundArgs,
    },
    /// Change one; what is not named stays as it is
    Set {
        /// Its id
        budget: String,
        #[command(flatten)]
        bounds: BoundArgs,
    },
    /// Remove one, with what was counted for it
    Remove {
        /// Its id
        budget: String,
    },
}

/// What a budget bounds.
#[derive(Debug, clap::Args)]
pub(crate) struct BoundArgs {
    /// The most money, in US dollars
    #[arg(long, value_name = "USD")]
    cost: Option<f64>,
    /// The most tokens
    #[arg(long, value_name = "NUMBER")]
    tokens: Option<u64>,
    /// Alert at so many percent
    #[arg(long, value_name = "PERCENT")]
    alert: Option<u32>,
    /// What it is for
    #[arg(long)]
    about: Option<String>,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: ModelsCommand) -> Result<Exit, Failure> {
    match command {
        ModelsCommand::List => list(session).await,
        ModelsCommand::Calls { run, provider, limit } => {
            let query = [("run", run), ("provider", provider)];
            let query = query.into_iter().filter_map(|(name, value)| Some((name, value?)));
            calls(session, query.collect(), limit).await
        }
    }
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let output = &session.output;
    let models: ModelsView = session.api()?.get("/api/v1/models", &vec![]).await?;
    if output.json {
        output.json(&models)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["PROVIDER", "KIND", "STATE", "ASKED", "WAITING", "LAST FAILURE"]);
    for one in &models.providers {
        let failure = one.last_failure.as_ref();
        table.row([
            one.name.clone(),
            kind(one),
            if one.breaker == "closed" { "ready".to_owned() } else { "left alone".to_owned() },
            format!("{} of {}", one.asked, one.parallel_max),
            one.waiting.to_string(),
            failure.map(|one| format!("{} {}", output.time(&one.at), one.kind)).unwrap_or_default(),
        ]);
    }
    output.table(&table)?;
    if !models.routes.is_empty() {
        let mut table = Table::new(&["ROUTE", "MODELS"]);
        for route in &models.routes {
            table.row([route.name.clone(), route.models.join(", ")]);
        }
        output.line("")?;
        output.table(&table)?;
    }
    if models.providers.is_empty() {
        output.hint("nobody runs models here: the setting models_file names who does");
    }
    Ok(Exit::Ok)
}

/// A provider's kind, with what sets it apart.
fn kind(provider: &ProviderView) -> String {
    match (provider.kind.as_str(), provider.played) {
        ("scripted", _) => "scripted (asks no model)".to_owned(),
        (kind, true) => format!("{kind} (cassette)"),
        (kind, false) => kind.to_owned(),
    }
}

async fn calls(
    session: &Session,
    query: Vec<(&'static str, String)>,
    limit: u32,
) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let list = api.list::<ModelCallView>("/api/v1/model-calls", &query, limit, None).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let names = Names::of(&api, list.items.iter().map(|call| &call.user)).await;
    let mut table = Table::new(&["CALL", "BEGUN", "BY", "MODEL", "STATE", "IN", "OUT", "US$"]);
    for call in &list.items {
        table.row([
            call.id.clone(),
            output.time(&call.begun_at),
            names.name(&call.user),
            call.model.clone(),
            call.state.clone(),
            call.input_tokens.to_string(),
            call.output_tokens.to_string(),
            cost(call.cost_usd, call.estimated),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}

/// Money; what is an estimate says so.
fn cost(dollars: f64, estimated: bool) -> String {
    format!("{}{dollars:.6}", if estimated { "~" } else { "" })
}

/// Shows what models took.
pub(crate) async fn usage(session: &Session, args: UsageArgs) -> Result<Exit, Failure> {
    let mut query = vec![("by", args.by), ("days", args.days.to_string())];
    if args.mine {
        query.push(("mine", "true".to_owned()));
    }
    let (api, output) = (session.api()?, &session.output);
    let list: List<SpentView> = api.get("/api/v1/model-usage", &query).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let ids = list.items.iter().flat_map(|one| one.user.as_ref().or(one.customer.as_ref()));
    let names = Names::of(&api, ids).await;
    let mut table = Table::new(&["WHAT", "CALLS", "FAILED", "IN", "OUT", "US$"]);
    for one in &list.items {
        let id = one.user.as_ref().or(one.customer.as_ref()).map(|id| names.name(id));
        let what = id.or_else(|| one.model.clone()).or_else(|| one.day.clone());
        let what = what.or_else(|| one.agent.clone()).unwrap_or_else(|| "-".to_owned());
        table.row([
            what,
            one.calls.to_string(),
            one.failures.to_string(),
            one.input_tokens.to_string(),
            one.output_tokens.to_string(),
            cost(one.cost_usd, one.estimated > 0),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}

/// Does it.
pub(crate) async fn budgets(session: &Session, command: BudgetsCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let budget: BudgetView = match command {
        BudgetsCommand::List => return budget_list(session).await,
        BudgetsCommand::Remove { budget } => {
            api.delete(&format!("/api/v1/budgets/{}", segment(&budget)?)).await?;
            output.hint(&format!("{budget} is removed"));
            return Ok(Exit::Ok);
        }
        BudgetsCommand::Add { scope, of, per, bounds } => {
            let body = BudgetCreate {
                about: bounds.about.unwrap_or_default(),
                scope,
                subject: of,
                period: per,
                tokens_max: bounds.tokens,
                cost_usd_max: bounds.cost,
                alert_percent: bounds.alert,
            };
            api.post("/api/v1/budgets", &body).await?
        }
        BudgetsCommand::Set { budget, bounds } => {
            let all: List<BudgetView> = api.get("/api/v1/budgets", &vec![]).await?;
            let found = all.items.into_iter().find(|one| one.id == budget);
            let old = found.ok_or_else(|| {
                Failure::new(Exit::NotFound, format!("there is no budget {budget}"))
            })?;
            let body = BudgetPut {
                about: bounds.about.unwrap_or(old.about),
                tokens_max: bounds.tokens.or(old.tokens_max),
                cost_usd_max: bounds.cost.or(old.cost_usd_max),
                alert_percent: bounds.alert.or(old.alert_percent),
            };
            api.put(&format!("/api/v1/budgets/{}", segment(&budget)?), &body).await?
        }
    };
    if output.json {
        output.json(&budget)?;
    } else {
        output.line(&format!("{} holds: {}", budget.id, bounds_of(&budget)))?;
    }
    Ok(Exit::Ok)
}

/// What a budget bounds, in words.
fn bounds_of(budget: &BudgetView) -> String {
    let cost = budget.cost_usd_max.map(|most| format!("US$ {most}"));
    let tokens = budget.tokens_max.map(|most| format!("{most} tokens"));
    let most: Vec<_> = [cost, tokens].into_iter().flatten().collect();
    let whose = match (budget.scope.as_str(), &budget.subject) {
        ("everything", _) => "everything together".to_owned(),
        (scope, None) => format!("each {scope}"),
        (scope, Some(subject)) => format!("{scope} {subject}"),
    };
    let period = match budget.period.as_str() {
        "forever" => "in all".to_owned(),
        period => format!("a {period}"),
    };
    format!("{} {period} for {whose}", most.join(" and "))
}

async fn budget_list(session: &Session) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let list: List<BudgetView> = api.get("/api/v1/budgets", &vec![]).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let subjects = list.items.iter().flat_map(|one| one.used.iter().map(|used| &used.subject));
    let names = Names::of(&api, subjects).await;
    let mut table = Table::new(&["BUDGET", "HOLDS", "MOST USED", "ABOUT"]);
    for budget in &list.items {
        let used = budget.used.first().map(|used| {
            let whose = match used.subject.as_str() {
                "" => String::new(),
                subject => format!(" by {}", names.name(subject)),
            };
            format!("{} %{whose}", used.percent)
        });
        table.row([
            budget.id.clone(),
            bounds_of(budget),
            used.unwrap_or_default(),
            budget.about.clone(),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}
